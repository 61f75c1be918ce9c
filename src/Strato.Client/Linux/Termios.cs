using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>termios.h</c> and <c>sys/ioctl.h</c>: the terminal.</summary>
internal static unsafe partial class Libc
{
    internal const int TCSANOW = 0;
    internal const int TCSADRAIN = 1;

    /// <summary>struct termios of glibc and musl is 60 bytes; nothing in it is read here.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    internal struct termios
    {
        [FieldOffset(0)]
        public uint c_iflag;
    }

    [LibraryImport("libc")]
    internal static partial int tcgetattr(int fd, termios* settings);

    [LibraryImport("libc")]
    internal static partial int tcsetattr(int fd, int when, termios* settings);

    [LibraryImport("libc")]
    internal static partial void cfmakeraw(termios* settings);
}
