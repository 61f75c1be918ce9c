using System;
using Xunit;

namespace Strato.Tests.Unit;

/// <summary>Asserts that code allocates nothing.</summary>
internal static class Allocation
{
    /// <summary>
    /// Runs <paramref name="action"/>, and again where a collection took place meanwhile: it takes what is left of a thread's
    /// allocation buffer, up to 8 KiB, and that then counts as allocated.
    /// </summary>
    public static void AssertNone(Action action)
    {
        long allocated = 0;
        for (int attempt = 0; attempt < 20; attempt++)
        {
            int collections = GC.CollectionCount(0);
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            if (allocated == 0 || GC.CollectionCount(0) == collections)
            {
                break;
            }
        }

        Assert.Equal(0, allocated);
    }
}
