using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>sched.h</c>: which of the host's CPUs a thread may run on.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc")]
    private static partial int sched_setaffinity(int pid, nuint cpusetsize, byte* mask);

    [LibraryImport("libc")]
    private static partial int sched_getaffinity(int pid, nuint cpusetsize, byte* mask);

    /// <summary>-1 with errno on failure.</summary>
    /// <param name="thread">The kernel's id; 0 for the calling thread.</param>
    /// <param name="mask">The first CPU's bit lowest.</param>
    internal static int SetAffinity(int thread, byte[] mask)
    {
        fixed (byte* pointer = mask)
        {
            return sched_setaffinity(thread, (nuint)mask.Length, pointer);
        }
    }

    /// <summary>-1 with errno on failure.</summary>
    internal static int GetAffinity(int thread, byte[] mask)
    {
        fixed (byte* pointer = mask)
        {
            return sched_getaffinity(thread, (nuint)mask.Length, pointer);
        }
    }
}
