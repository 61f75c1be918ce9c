using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

public class GuestMemoryMapTests
{
    [Fact]
    public void GuestAndHostAddressesAgreeWithinAHugePage()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, 3UL << 20), (1UL << 32, 5UL << 20)]);
        foreach (MemoryRegion region in memory.Regions)
        {
            Assert.Equal(0, region.HostAddress & ((2 << 20) - 1));
        }

        // All of it is there, to the last byte, and no more than that was asked to be huge.
        Assert.True(memory.TryWrite((3UL << 20) - 1, (byte)1));
        Assert.True(memory.TryWrite((1UL << 32) + (5UL << 20) - 1, (byte)2));
        memory.PreferHugePages((1UL << 32) + 0x1000, (5UL << 20) - 0x1000);
        memory.PreferHugePages(0, 3UL << 20);
        memory.PreferHugePages(ulong.MaxValue, 2);
        memory.PreferHugePages(1UL << 20, ulong.MaxValue);
        Assert.True(memory.TryRead((1UL << 32) + (5UL << 20) - 1, out byte last));
        Assert.Equal(2, last);
    }
}
