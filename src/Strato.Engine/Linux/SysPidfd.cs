using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/pidfd.h</c>: a child as a descriptor, which is readable when the child has ended. Older C libraries have no functions for these calls.</summary>
internal static partial class Libc
{
    internal const int SYS_pidfd_open = 434;
    internal const int SYS_pidfd_send_signal = 424;

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long pidfd_open(long number, int pid, uint flags);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long pidfd_send_signal(long number, int pidfd, int signal, nint info, uint flags);

    /// <summary>The descriptor of a child that hasn't been waited for; close-on-exec.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    internal static FileDescriptor OpenChild(int pid)
    {
        int fd = (int)pidfd_open(SYS_pidfd_open, pid, 0);
        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last($"pidfd_open({pid})");
    }

    /// <summary>Ends a child; one that has ended already is no failure.</summary>
    internal static void KillChild(int pidfd) => _ = pidfd_send_signal(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
}
