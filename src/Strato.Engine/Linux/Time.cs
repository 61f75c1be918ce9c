using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>time.h</c>: clocks.</summary>
internal static unsafe partial class Libc
{
    internal const int CLOCK_REALTIME = 0;
    internal const int CLOCK_MONOTONIC = 1;
    internal const int CLOCK_THREAD_CPUTIME_ID = 3;

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
    internal static partial int clock_gettime(int clock, timespec* time);

    /// <summary>Nanoseconds since 1970.</summary>
    internal static ulong RealTimeNanoseconds()
    {
        timespec now;
        _ = clock_gettime(CLOCK_REALTIME, &now);
        return ((ulong)now.tv_sec * 1_000_000_000) + (ulong)now.tv_nsec;
    }

    /// <summary>Processor time the calling thread has used, in nanoseconds.</summary>
    internal static long ThreadCpuNanoseconds()
    {
        timespec now;
        _ = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (now.tv_sec * 1_000_000_000) + now.tv_nsec;
    }
}
