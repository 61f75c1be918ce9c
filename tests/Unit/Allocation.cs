using System;
using Xunit;

namespace Strato.Tests.Unit;

/// <summary>Asserts that code allocates nothing.</summary>
internal static class Allocation
{
    /// <summary>
    /// Runs <paramref name="action"/> until it allocates nothing, twenty times at most: what allocates does so each time. A
    /// collection of the other tests' garbage takes what is left of this thread's allocation buffer, up to 8 KiB, and that then
    /// counts as allocated here; <see cref="GC.CollectionCount"/> doesn't tell of each, for one in the background has pauses that
    /// it counts elsewhere.
    /// </summary>
    public static void AssertNone(Action action)
    {
        long allocated = 0;
        for (int attempt = 0; attempt < 20; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated == 0)
            {
                break;
            }
        }

        Assert.Equal(0, allocated);
    }
}
