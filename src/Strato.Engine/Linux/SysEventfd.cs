using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/eventfd.h</c>: a counter as a descriptor.</summary>
internal static unsafe partial class Libc
{
    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;
    internal const int EFD_SEMAPHORE = 1;

    [LibraryImport("libc")]
    internal static partial int eventfd(uint initial, int flags);

    /// <summary>A non-blocking eventfd at zero.</summary>
    internal static FileDescriptor CreateEventFd()
    {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("eventfd");
    }

    /// <summary>A counting eventfd at zero, for <see cref="TakeSemaphore"/>.</summary>
    internal static FileDescriptor CreateSemaphoreFd()
    {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("eventfd");
    }

    /// <summary>Takes one of a counting eventfd, waiting for it; may return without when a signal comes.</summary>
    internal static void TakeSemaphore(int fd)
    {
        ulong count;
        _ = read(fd, (byte*)&count, sizeof(ulong));
    }

    /// <summary>Adds one to an eventfd. It can't fail in a way that loses the signal: EAGAIN means it is signalled already.</summary>
    internal static void SignalEventFd(int fd)
    {
        ulong one = 1;
        _ = write(fd, (byte*)&one, sizeof(ulong));
    }

    /// <summary>Takes an eventfd's count back to zero; whether it was signalled.</summary>
    internal static bool DrainEventFd(int fd)
    {
        ulong count;
        return read(fd, (byte*)&count, sizeof(ulong)) == sizeof(ulong);
    }
}
