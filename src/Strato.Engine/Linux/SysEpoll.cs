using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

[Flags]
internal enum EpollEvents : uint
{
    None = 0,
    In = 0x001,
    Out = 0x004,
    Error = 0x008,
    HangUp = 0x010,
    ReadHangUp = 0x2000,
    EdgeTriggered = 1u << 31,
}

/// <summary><c>sys/epoll.h</c>: readiness of many descriptors.</summary>
internal static unsafe partial class Libc
{
    internal const int EPOLL_CLOEXEC = 0x80000;
    internal const int EPOLL_CTL_ADD = 1;
    internal const int EPOLL_CTL_DEL = 2;
    internal const int EPOLL_CTL_MOD = 3;

    /// <summary>struct epoll_event: packed on x86-64 only.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal struct epoll_event
    {
        public EpollEvents events;
        public ulong data;
    }

    [LibraryImport("libc")]
    internal static partial int epoll_create1(int flags);

    [LibraryImport("libc")]
    internal static partial int epoll_ctl(int epfd, int operation, int fd, epoll_event* @event);

    [LibraryImport("libc")]
    internal static partial int epoll_wait(int epfd, epoll_event* events, int capacity, int timeoutMilliseconds);
}
