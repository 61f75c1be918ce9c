using System;
using System.Diagnostics;
using Strato.Engine.Block;
using Strato.Engine.Chardev;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>Steady state allocates nothing: a million requests through a device, counted by the runtime.</summary>
public class AllocationTests(ITestOutputHelper output)
{
    private const int Requests = 1_000_000;
    private const int Batch = 64;

    /// <summary>What the host has in memory is read on the spot, by threads too.</summary>
    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    [InlineData(DriveAio.IoUring)]
    public void AMillionRequestsThroughBlk(DriveAio aio)
    {
        using TemporaryFile file = new(1 << 20);
        using MmioDriver driver = new(new BlockDevice("disk", DiskOpener.Open(new DriveOptions("disk", file.Path) { Aio = aio })));
        driver.Start(256);
        DriverQueue queue = driver.Queues[0];
        ulong header = driver.Allocate(16);
        ulong status = driver.Allocate(1);
        ulong data = driver.Allocate(512, 512);
        BlockClient.WriteHeader(driver.Ram(header, 16), BlockLayout.TypeIn, 7);
        Measure(driver, () =>
        {
            queue.Add(new DriverBuffer(header, 16, false), new DriverBuffer(data, 512, true), new DriverBuffer(status, 1, true));
        });
        Assert.Equal(BlockLayout.StatusOk, driver.Ram(status, 1)[0]);
    }

    [Fact]
    public void AMillionRequestsThroughRng()
    {
        using MmioDriver driver = new(new RngDevice("rng", EntropySource.Open("/dev/urandom", "rng", "-device")));
        driver.Start(256);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(64);
        Measure(driver, () => queue.Add(new DriverBuffer(at, 64, true)));
    }

    [Fact]
    public void AMillionPacketsOutThroughNet()
    {
        FakeNet net = new();
        using MmioDriver driver = new(new NetDevice("net", [net], [2, 0, 0, 0, 0, 1]));
        driver.Start(256);
        DriverQueue queue = driver.Queues[1];
        ulong at = driver.Allocate(128);
        byte[] frame = new byte[256];
        Measure(driver, queue, () => queue.Add(new DriverBuffer(at, 12, false), new DriverBuffer(at + 12, 64, false)), () =>
        {
            while (net.Take(frame) > 0)
            {
            }
        });
    }

    [Fact]
    public void AMillionRequestsThroughAPortsOutput()
    {
        using MmioDriver driver = new(new ConsoleDevice("c", [new VirtioPort(0, isConsole: true, null, new FakeBackend())])) { Target = 1 };
        driver.Start(256);
        ulong at = driver.Allocate(64);
        Measure(driver, () => driver.TargetQueue.Add(new DriverBuffer(at, 64, false)));
    }

    [Fact]
    public void AMillionRequestsThroughAPortsInput()
    {
        FakeBackend backend = new();
        using MmioDriver driver = new(new ConsoleDevice("c", [new VirtioPort(0, isConsole: true, null, backend)]));
        driver.Start(256, ~ConsoleDevice.FeatureManyPorts);
        ulong at = driver.Allocate(64);
        byte[] text = new byte[64];
        Measure(driver, () =>
        {
            driver.TargetQueue.Add(new DriverBuffer(at, 64, true));
            backend.Frontend!.Receive(text);
            driver.TargetQueue.Kick();
            driver.Run();
        });
    }

    [Fact]
    public void AMillionFramesInThroughNet()
    {
        FakeNet net = new();
        using MmioDriver driver = new(new NetDevice("net", [net], [2, 0, 0, 0, 0, 1]));
        driver.Start(256);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(1526);
        byte[] frame = new byte[76];
        for (int i = 0; i < 128; i++)
        {
            queue.Add(new DriverBuffer(at, 1526, true));
        }

        Measure(driver, queue, () =>
        {
            queue.Add(new DriverBuffer(at, 1526, true));
            net.Put(frame);
        });
    }

    [Fact]
    public void AMillionRequestsThroughTheBalloonsDeflateQueue()
    {
        using MmioDriver driver = new(new BalloonDevice("b", deflateOnOom: false, reporting: false)) { Target = 1 };
        driver.Start(256);
        ulong at = driver.Allocate(64);
        Measure(driver, () => driver.TargetQueue.Add(new DriverBuffer(at, 64, false)));
    }

    [Fact]
    public void AMillionRequestsThroughTheBalloonsInflateQueue()
    {
        using MmioDriver driver = new(new BalloonDevice("b", deflateOnOom: false, reporting: false));
        driver.Start(256);
        ulong at = driver.Allocate(4);
        driver.Ram(at, 4)[1] = 2;
        Measure(driver, () => driver.TargetQueue.Add(new DriverBuffer(at, 4, false)));
    }

    [Fact]
    public void AMillionPacketsOutThroughAStream()
    {
        using StreamWire wire = new();
        using MmioDriver driver = new(new NetDevice("net", [wire.Backend], [2, 0, 0, 0, 0, 1]));
        driver.Start(256);
        DriverQueue queue = driver.Queues[1];
        ulong at = driver.Allocate(128);
        Measure(driver, queue, () => queue.Add(new DriverBuffer(at, 12, false), new DriverBuffer(at + 12, 64, false)), () =>
        {
            while (wire.Discard())
            {
            }
        });
    }

    [Fact]
    public void AMillionFramesInThroughAStream()
    {
        using StreamWire wire = new();
        using MmioDriver driver = new(new NetDevice("net", [wire.Backend], [2, 0, 0, 0, 0, 1]));
        driver.Start(256);
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(1526);
        byte[] frame = StreamWire.Wrap(new byte[64]);
        for (int i = 0; i < 128; i++)
        {
            queue.Add(new DriverBuffer(at, 1526, true));
        }

        Measure(driver, queue, () =>
        {
            queue.Add(new DriverBuffer(at, 1526, true));
            wire.Write(frame);
        });
    }

    [Fact]
    public void AMillionRequestsThroughTheQueueAlone()
    {
        using MmioDriver driver = new(new EchoDevice(1));
        driver.Start(256);
        DriverQueue queue = driver.Queues[0];
        ulong table = driver.Allocate(3 * RingLayout.DescriptorBytes);
        ulong at = driver.Allocate(64);
        Measure(driver, () =>
        {
            queue.AddIndirect(table, new DriverBuffer(at, 16, false), new DriverBuffer(at + 16, 8, true), new DriverBuffer(at + 24, 1, true));
        });
    }

    private void Measure(MmioDriver driver, Action add) => Measure(driver, driver.TargetQueue, add);

    private void Measure(MmioDriver driver, DriverQueue queue, Action add, Action? after = null)
    {
        Serve(driver, queue, add, after, 10_000);
        long start = 0;
        int served = 0;
        Allocation.AssertNone(() =>
        {
            start = Stopwatch.GetTimestamp();
            served = Serve(driver, queue, add, after, Requests);
        });
        TimeSpan time = Stopwatch.GetElapsedTime(start);
        output.WriteLine($"{time.TotalNanoseconds / served:f0} ns a request, driver and device on one thread, {served} requests");
        Assert.False(driver.NeedsReset);
    }

    private static int Serve(MmioDriver driver, DriverQueue queue, Action add, Action? after, int requests)
    {
        int served = 0;
        while (served < requests)
        {
            for (int i = 0; i < Batch; i++)
            {
                add();
            }

            queue.EnableInterrupt();
            queue.Kick();
            driver.Run();
            after?.Invoke();
            while (queue.TryTake(out _, out _))
            {
                served++;
            }
        }

        return served;
    }
}
