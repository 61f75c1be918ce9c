using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>termios.h</c> and <c>unistd.h</c>'s terminal part.</summary>
internal static unsafe partial class Libc
{
    internal const uint IGNBRK = 0x1;
    internal const uint BRKINT = 0x2;
    internal const uint PARMRK = 0x8;
    internal const uint ISTRIP = 0x20;
    internal const uint INLCR = 0x40;
    internal const uint IGNCR = 0x80;
    internal const uint ICRNL = 0x100;
    internal const uint IXON = 0x400;
    internal const uint OPOST = 0x1;
    internal const uint CSIZE = 0x30;
    internal const uint CS8 = 0x30;
    internal const uint PARENB = 0x100;
    internal const uint ISIG = 0x1;
    internal const uint ICANON = 0x2;
    internal const uint ECHO = 0x8;
    internal const uint ECHONL = 0x40;
    internal const uint IEXTEN = 0x8000;
    internal const int VTIME = 5;
    internal const int VMIN = 6;
    internal const int TCSANOW = 0;

    // What the C library's calls are for the kernel; the second pair since glibc 2.42.
    internal const uint TCGETS = 0x5401;
    internal const uint TCSETS = 0x5402;
    internal const uint TCGETS2 = 0x802c542a;
    internal const uint TCSETS2 = 0x402c542b;
    internal const uint TIOCGPTN = 0x80045430;
    internal const uint TIOCGPGRP = 0x540f;
    internal const uint TIOCSPTLCK = 0x40045431;

    /// <summary>struct termios of glibc: 60 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct termios
    {
        public uint c_iflag;
        public uint c_oflag;
        public uint c_cflag;
        public uint c_lflag;
        public byte c_line;
        public fixed byte c_cc[32];
        public uint c_ispeed;
        public uint c_ospeed;
    }

    [LibraryImport("libc")]
    internal static partial int tcgetattr(int fd, termios* mode);

    [LibraryImport("libc")]
    internal static partial int tcsetattr(int fd, int when, termios* mode);

    [LibraryImport("libc")]
    internal static partial int tcgetpgrp(int fd);

    [LibraryImport("libc")]
    private static partial int getpgrp();

    private static int? _processGroup;

    /// <summary>This process's group, which the engine never changes; 0 where it lies outside of the process's pid namespace. Asked for once.</summary>
    internal static int ProcessGroup => _processGroup ??= getpgrp();

    /// <summary>A terminal's mode; false when the descriptor is none.</summary>
    internal static bool TryGetTerminalMode(int fd, out termios mode)
    {
        termios value;
        bool got = tcgetattr(fd, &value) == 0;
        mode = got ? value : default;
        return got;
    }

    /// <summary>Sets a terminal's mode at once; whether that worked.</summary>
    internal static bool TrySetTerminalMode(int fd, in termios mode)
    {
        fixed (termios* pointer = &mode)
        {
            return tcsetattr(fd, TCSANOW, pointer) == 0;
        }
    }

    /// <summary>A mode in which bytes pass as they are: no echo, no lines, no editing, 8 bits.</summary>
    /// <param name="mode">The mode to change.</param>
    /// <param name="signals">Whether Ctrl-C, Ctrl-Z and Ctrl-\ still send signals.</param>
    /// <param name="translateOutput">Whether a newline still makes a carriage return on output, for the log's lines on the same terminal.</param>
    internal static termios RawTerminalMode(in termios mode, bool signals, bool translateOutput)
    {
        termios raw = mode;
        raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        raw.c_oflag = translateOutput ? raw.c_oflag : raw.c_oflag & ~OPOST;
        raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (signals ? 0 : ISIG));
        raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        return raw;
    }
}
