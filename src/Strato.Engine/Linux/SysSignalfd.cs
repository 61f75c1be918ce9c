using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/signalfd.h</c>: blocked signals as a descriptor.</summary>
internal static unsafe partial class Libc
{
    internal const int SFD_CLOEXEC = 0x80000;
    internal const int SFD_NONBLOCK = 0x800;

    /// <summary>struct signalfd_siginfo: the signal number, then what the engine does not look at.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    internal struct signalfd_siginfo
    {
        public uint ssi_signo;
        public int ssi_errno;
        public int ssi_code;
        public uint ssi_pid;
        public uint ssi_uid;
    }

    [LibraryImport("libc")]
    internal static partial int signalfd(int fd, sigset_t* mask, int flags);
}
