using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Block;
using Strato.Engine.Chardev;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>Every virtio device of the engine, ready for the tests that all must pass. A new device is one entry here.</summary>
internal static class DeviceCatalogue
{
    private static readonly Dictionary<string, (Func<TemporaryFile, MmioDriver> Make, Action<MmioDriver> Works)> Entries = new(StringComparer.Ordinal)
    {
        ["echo"] = (_ => new MmioDriver(new EchoDevice()), EchoWorks),
        ["blk"] = (file => new MmioDriver(Disk(file, DriveAio.Threads)), DiskWorks),
        ["blk-off-readonly"] = (file => new MmioDriver(Disk(file, DriveAio.Off, readOnly: true)), DiskWorks),
        ["blk-io_uring-queues"] = (file => new MmioDriver(Disk(file, DriveAio.IoUring, queues: 3)), DiskWorks),
        ["rng"] = (_ => new MmioDriver(new RngDevice("rng", EntropySource.Open("/dev/urandom", "rng", "-device"))), RngWorks),
        ["net"] = (_ => new MmioDriver(new NetDevice("net", [new FakeNet(loop: true)], [2, 0, 0, 0, 0, 1])), NetWorks),
        ["net-control"] = (_ => new MmioDriver(new NetDevice("net", [new FakeNet(loop: true), new FakeNet(loop: true)], [2, 0, 0, 0, 0, 1])) { Target = 4 }, NetWorks),
        ["net-vhost"] = (_ => VhostNet(), VhostWorks),
        ["vsock"] = (_ => Vsock(), VhostWorks),
        ["fs"] = (_ => Fs(), VhostWorks),
        ["console"] = (_ => new MmioDriver(new ConsoleDevice("console", [new VirtioPort(0, isConsole: true, null, new FakeBackend())])) { Target = 1 }, ConsoleWorks),
        ["balloon"] = (_ => new MmioDriver(new BalloonDevice("balloon", deflateOnOom: true, reporting: true)), BalloonWorks),
    };

    public static IEnumerable<string> Names => Entries.Keys;

    /// <summary>The device behind a driver; its host side lives in <paramref name="file"/>, of 64 KiB.</summary>
    public static MmioDriver Open(string name, TemporaryFile file) => Entries[name].Make(file);

    /// <summary>Starts the device from reset and checks that it does its work.</summary>
    public static void CheckWorks(string name, MmioDriver driver)
    {
        driver.Start();
        Assert.False(driver.NeedsReset);
        Entries[name].Works(driver);
    }

    private static BlockDevice Disk(TemporaryFile file, DriveAio aio, bool readOnly = false, int queues = 1) =>
        new("disk", DiskOpener.Open(new DriveOptions("disk", file.Path, readOnly) { Aio = aio }), new BlockOptions { QueueCount = queues, Discard = true });

    private static void DiskWorks(MmioDriver driver)
    {
        byte[] sector = new byte[512];
        Assert.Equal(BlockLayout.StatusOk, new BlockClient(driver).Read(3, sector));
    }

    private static MmioDriver VhostNet()
    {
        FakeVhost[] vhosts = [new() { First = 0 }, new() { First = 2 }];
        MmioDriver driver = new(new VhostNetDevice("net", [new FakeNet(), new FakeNet()], vhosts, [2, 0, 0, 0, 0, 1]));
        Array.ForEach(vhosts, vhost => vhost.Join(driver));
        return driver;
    }

    private static MmioDriver Vsock()
    {
        FakeVhost vhost = new();
        return vhost.Join(new MmioDriver(new VsockDevice("vsock", 3, vhost)));
    }

    private static MmioDriver Fs()
    {
        FakeVhost vhost = new() { AtOnce = true };
        return vhost.Join(new MmioDriver(new FsDevice("fs", "tag", vhost)));
    }

    private static void VhostWorks(MmioDriver driver)
    {
        ulong at = driver.Allocate(64);
        driver.Queues[0].Add(new DriverBuffer(at, 64, true));
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal("packet"u8, driver.Ram(at, (int)written));
    }

    private static void ConsoleWorks(MmioDriver driver)
    {
        ulong at = driver.Allocate(64);
        driver.Queues[1].Add(new DriverBuffer(at, 64, false));
        driver.Queues[1].Kick();
        driver.Run();
        Assert.True(driver.Queues[1].TryTake(out _, out uint written));
        Assert.Equal(0u, written);
    }

    private static void BalloonWorks(MmioDriver driver)
    {
        ulong page = driver.Allocate(4096, 4096);
        ulong at = driver.Allocate(4);
        driver.Ram(page, 4096).Fill(7);
        BinaryPrimitives.WriteUInt32LittleEndian(driver.Ram(at, 4), (uint)(page >> 12));
        driver.Queues[0].Add(new DriverBuffer(at, 4, false));
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out _));
        Assert.False(driver.Ram(page, 4096).ContainsAnyExcept((byte)0));
    }

    private static void RngWorks(MmioDriver driver)
    {
        ulong at = driver.Allocate(64);
        driver.Queues[0].Add(new DriverBuffer(at, 64, true));
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.InRange(written, 1u, 64u);
        Assert.Contains(driver.Ram(at, (int)written).ToArray(), b => b != 0);
    }

    private static void NetWorks(MmioDriver driver)
    {
        ulong sent = driver.Allocate(64);
        driver.Ram(sent, 64)[VirtioNetHeader.Bytes..].Fill(5);
        ulong received = driver.Allocate(1 << 17);
        driver.Queues[0].Add(new DriverBuffer(received, 1 << 17, true));
        driver.Queues[1].Add(new DriverBuffer(sent, 64, false));
        driver.Queues[0].Kick();
        driver.Queues[1].Kick();
        driver.Run();
        Assert.True(driver.Queues[1].TryTake(out _, out _));
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(64u, written);
        Assert.Equal(driver.Ram(sent, 64)[VirtioNetHeader.Bytes..].ToArray(), driver.Ram(received, 64)[VirtioNetHeader.Bytes..].ToArray());
    }

    private static void EchoWorks(MmioDriver driver)
    {
        DriverQueue queue = driver.Queues[0];
        ulong at = driver.Allocate(16);
        driver.Ram(at, 3).Fill(7);
        queue.Add(new DriverBuffer(at, 3, false), new DriverBuffer(at + 8, 8, true));
        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out _, out uint written));
        Assert.Equal(3u, written);
        Assert.Equal([7, 7, 7, 0], driver.Ram(at + 8, 4).ToArray());
    }
}
