using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>stdlib.h</c>: pseudo-terminals.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc")]
    internal static partial int posix_openpt(int flags);

    [LibraryImport("libc")]
    internal static partial int grantpt(int fd);

    [LibraryImport("libc")]
    internal static partial int unlockpt(int fd);

    [LibraryImport("libc")]
    internal static partial int ptsname_r(int fd, byte* buffer, nuint length);

    /// <summary>Makes a pseudo-terminal: its master, non-blocking, and the path of its other side.</summary>
    internal static FileDescriptor OpenPseudoTerminal(out string path)
    {
        int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        FileDescriptor master = fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("posix_openpt");
        Span<byte> name = stackalloc byte[128];
        fixed (byte* pointer = name)
        {
            if (grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, pointer, (nuint)name.Length) != 0)
            {
                LinuxException failure = LinuxException.Last("unlockpt");
                master.Dispose();
                throw failure;
            }
        }

        path = Encoding.UTF8.GetString(name[..name.IndexOf((byte)0)]);
        return master;
    }
}
