using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>time.h</c>: clocks.</summary>
internal static unsafe partial class Libc
{
    internal const int CLOCK_THREAD_CPUTIME_ID = 3;

    [LibraryImport("libc")]
    internal static partial int clock_gettime(int clock, timespec* time);

    /// <summary>Processor time the calling thread has used, in nanoseconds.</summary>
    internal static long ThreadCpuNanoseconds()
    {
        timespec now;
        _ = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (now.tv_sec * 1_000_000_000) + now.tv_nsec;
    }
}
