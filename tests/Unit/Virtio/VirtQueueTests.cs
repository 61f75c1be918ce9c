using System;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public class VirtQueueTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(256)]
    [InlineData(32768)]
    public void IndexesWrapInQueuesOfEverySize(int size)
    {
        using MmioDriver driver = new(new EchoDevice(1, size));
        driver.Start(size);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(32);
        int batch = Math.Min(size / 2, 1000);
        int done = 0;
        while (done < 70_000)
        {
            for (int i = 0; i < batch; i++)
            {
                queue.Add(new DriverBuffer(at, 8, false), new DriverBuffer(at + 16, 8, true));
            }

            queue.Kick();
            driver.Run();
            while (queue.TryTake(out _, out uint written))
            {
                Assert.Equal(8u, written);
                done++;
            }

            Assert.Equal(size, queue.FreeDescriptors);
        }

        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void AFullQueueIsServed()
    {
        using MmioDriver driver = new(new EchoDevice(1, 64));
        driver.Start(64);
        ulong at = driver.Allocate(16);
        for (int i = 0; i < 64; i++)
        {
            driver.Queues[0].Add(new DriverBuffer(at, 4, true));
        }

        driver.Queues[0].Kick();
        driver.Run();
        Assert.Equal(64, driver.Queues[0].UsedIndex);
        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void AChainMayEndInAnIndirectTable()
    {
        using MmioDriver driver = Started(out DriverQueue queue);
        ulong at = driver.Allocate(256);
        driver.Ram(at, 24).Fill(9);
        ulong table = driver.Allocate(32);

        // 2.7.5.3.2: normal descriptors before the table; its WRITE flag is ignored.
        queue.WriteDescriptor(queue.DescriptorTable, 3, at, 8, RingLayout.DescriptorNext, 7);
        queue.WriteDescriptor(queue.DescriptorTable, 7, table, 32, RingLayout.DescriptorIndirect | RingLayout.DescriptorWrite, 0);
        queue.WriteDescriptor(table, 0, at + 8, 16, RingLayout.DescriptorNext, 1);
        queue.WriteDescriptor(table, 1, at + 128, 64, RingLayout.DescriptorWrite, 0);
        queue.Publish(3);
        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out ushort head, out uint written));
        Assert.Equal(3, head);
        Assert.Equal(24u, written);
        Assert.Equal(driver.Ram(at, 24).ToArray(), driver.Ram(at + 128, 24).ToArray());
    }

    [Fact]
    public void AnIndirectTableMayHaveAsManyDescriptorsAsTheQueue()
    {
        using MmioDriver driver = Started(out DriverQueue queue, size: 16);
        ulong at = driver.Allocate(4096);
        DriverBuffer[] buffers = new DriverBuffer[16];
        for (int i = 0; i < 16; i++)
        {
            buffers[i] = new DriverBuffer(at + (ulong)(i * 8), 8, i >= 8);
        }

        queue.AddIndirect(driver.Allocate(256), buffers);
        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out _, out uint written));
        Assert.Equal(64u, written);
    }

    [Fact]
    public void ABufferMayCrossRegionsThatAdjoin()
    {
        using MmioDriver driver = Started(out DriverQueue queue);
        new Random(1).NextBytes(driver.Ram(MmioDriver.Seam - 100, 100));
        new Random(2).NextBytes(driver.Ram(MmioDriver.Seam, 100));
        ulong answer = driver.Allocate(200);
        queue.Add(new DriverBuffer(MmioDriver.Seam - 100, 200, false), new DriverBuffer(answer, 200, true));
        queue.Add(new DriverBuffer(answer, 200, false), new DriverBuffer(MmioDriver.Seam - 150, 200, true));
        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out _, out uint written));
        Assert.Equal(200u, written);
        Assert.True(queue.TryTake(out _, out written));
        Assert.Equal(200u, written);
        byte[] sent = driver.Ram(answer, 200).ToArray();
        byte[] back = [.. driver.Ram(MmioDriver.Seam - 150, 150), .. driver.Ram(MmioDriver.Seam, 50)];
        Assert.Equal(sent, back);
    }

    [Fact]
    public void EmptyBuffersAreSkippedWhereverTheyPoint()
    {
        using MmioDriver driver = Started(out DriverQueue queue);
        ulong at = driver.Allocate(16);
        queue.Add(
            new DriverBuffer(MmioDriver.Hole, 0, false),
            new DriverBuffer(at, 4, false),
            new DriverBuffer(ulong.MaxValue, 0, true),
            new DriverBuffer(at + 8, 4, true));
        queue.Add(new DriverBuffer(at, 0, true));
        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out _, out uint written));
        Assert.Equal(4u, written);
        Assert.True(queue.TryTake(out _, out written));
        Assert.Equal(0u, written);
    }

    [Fact]
    public void MoreThan4GiBInAChainIsRefused()
    {
        // Twelve MiB of RAM named 400 times over.
        using MmioDriver driver = new(new EchoDevice(1, 4096));
        driver.Start(4096);
        DriverBuffer[] buffers = new DriverBuffer[1025];
        Array.Fill(buffers, new DriverBuffer(0, 4 << 20, true));
        driver.Queues[0].Add(buffers);
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.NeedsReset);
        Assert.Equal(QueueFault.ChainBytes, driver.Device.Queues[0].Fault);
    }

    [Fact]
    public void WithEventIndexOneInterruptComesWhereItWasAskedFor()
    {
        using MmioDriver driver = Started(out DriverQueue queue);
        ulong at = driver.Allocate(16);
        queue.EnableInterrupt();
        Serve(3);
        Assert.Equal(1, driver.Interrupt.Count);

        // The event has passed: no more until the driver asks again.
        Serve(3);
        Assert.Equal(1, driver.Interrupt.Count);
        while (queue.TryTake(out _, out _))
        {
        }

        Assert.False(queue.EnableInterrupt());
        Serve(1);
        Assert.Equal(2, driver.Interrupt.Count);

        void Serve(int count)
        {
            for (int i = 0; i < count; i++)
            {
                queue.Add(new DriverBuffer(at, 4, true));
            }

            queue.KickAlways();
            driver.Run();
        }
    }

    [Fact]
    public void WithoutEventIndexTheFlagsAreObeyed()
    {
        using MmioDriver driver = Started(out DriverQueue queue, wanted: ~VirtioFeature.EventIndex);
        ulong at = driver.Allocate(16);
        queue.DisableInterrupt();
        queue.Add(new DriverBuffer(at, 4, true));
        Assert.True(queue.Kick());
        driver.Run();
        Assert.Equal(0, driver.Interrupt.Count);
        Assert.True(queue.EnableInterrupt());
        queue.Add(new DriverBuffer(at, 4, true));
        Assert.True(queue.Kick());
        driver.Run();
        Assert.Equal(1, driver.Interrupt.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADeviceThatIsAwakeAsksForNoDoorbells(bool eventIndex)
    {
        using MmioDriver driver = new(new EchoDevice(1));
        driver.Start(64, eventIndex ? ulong.MaxValue : ~VirtioFeature.EventIndex);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(16);
        bool kicked = false;
        int more = 20;
        ((EchoDevice)driver.Device).OnServe = () =>
        {
            if (more-- > 0)
            {
                queue.Add(new DriverBuffer(at, 4, true));
                kicked |= queue.Kick();
            }
        };
        queue.Add(new DriverBuffer(at, 4, true));
        Assert.True(queue.Kick());
        driver.Run();
        Assert.False(kicked);
        Assert.Equal(21, queue.UsedIndex);
    }

    [Fact]
    public void ADriverThatNeverStopsDoesNotKeepTheLoop()
    {
        using MmioDriver driver = new(new EchoDevice(1));
        driver.Start(16);
        DriverQueue queue = driver.Queues[0];
        EchoDevice device = (EchoDevice)driver.Device;
        ulong at = driver.Allocate(16);
        device.OnServe = () =>
        {
            queue.TryTake(out _, out _);
            queue.Add(new DriverBuffer(at, 4, true));
        };
        queue.Add(new DriverBuffer(at, 4, true));
        queue.Kick();
        Assert.True(driver.Loop.RunOnce(0));
        Assert.Equal(16, device.Served);

        // It goes on by itself: the rest isn't forgotten.
        Assert.True(driver.Loop.RunOnce(0));
        Assert.Equal(32, device.Served);
    }

    [Fact]
    public void MoreRequestsOutThanTheQueueHoldsAreImpossible()
    {
        using MmioDriver driver = Started(out DriverQueue queue, size: 4);
        ulong at = driver.Allocate(16);
        for (int i = 0; i < 4; i++)
        {
            queue.Add(new DriverBuffer(at, 4, true));
        }

        queue.Publish(0);
        queue.KickAlways();
        driver.Run();
        Assert.Equal(QueueFault.AvailableIndex, driver.Device.Queues[0].Fault);
        Assert.Equal("the available index jumped to 5, by more than the queue holds", QueueFault.AvailableIndex.Describe(5));
    }

    private static MmioDriver Started(out DriverQueue queue, int size = 64, ulong wanted = ulong.MaxValue)
    {
        MmioDriver driver = new(new EchoDevice(1));
        driver.Start(size, wanted);
        queue = driver.Queues[0];
        return driver;
    }
}
