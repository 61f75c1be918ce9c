using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/timerfd.h</c>: timers as descriptors.</summary>
internal static unsafe partial class Libc
{
    internal const int CLOCK_REALTIME = 0;
    internal const int CLOCK_MONOTONIC = 1;
    internal const int TFD_CLOEXEC = 0x80000;
    internal const int TFD_NONBLOCK = 0x800;

    [StructLayout(LayoutKind.Sequential)]
    internal struct timespec
    {
        public long tv_sec;
        public long tv_nsec;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct itimerspec
    {
        public timespec it_interval;
        public timespec it_value;
    }

    [LibraryImport("libc")]
    internal static partial int timerfd_create(int clock, int flags);

    [LibraryImport("libc")]
    internal static partial int timerfd_settime(int fd, int flags, itimerspec* value, itimerspec* old);
}
