using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using Strato.Engine.Block;
using Strato.Engine.Chardev;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>Every virtio device of the engine, ready for the tests that all must pass. A new device is one entry here.</summary>
internal static class DeviceCatalogue
{
    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1];

    private static readonly Dictionary<string, Entry> Entries = new(StringComparer.Ordinal)
    {
        ["echo"] = new(_ => new EchoDevice(), EchoWorks),
        ["blk"] = new(file => Disk(file, DriveAio.Threads), DiskWorks),
        ["blk-off-readonly"] = new(file => Disk(file, DriveAio.Off, readOnly: true), DiskWorks),
        ["blk-io_uring-queues"] = new(file => Disk(file, DriveAio.IoUring, queues: 3), DiskWorks),
        ["rng"] = new(_ => new RngDevice("rng", EntropySource.Open("/dev/urandom", "rng", "-device")), RngWorks),
        ["net"] = new(_ => new NetDevice("net", [new FakeNet(loop: true)], Mac), NetWorks),
        ["net-control"] = new(_ => new NetDevice("net", [new FakeNet(loop: true), new FakeNet(loop: true)], Mac), NetWorks) { Target = 4 },
        ["net-vhost"] = new(_ => [new() { First = 0 }, new() { First = 2 }], vhosts => new VhostNetDevice("net", [new FakeNet(), new FakeNet()], vhosts, Mac), VhostWorks),
        ["vsock"] = new(_ => [new()], vhosts => new VsockDevice("vsock", 3, vhosts[0]), VhostWorks),
        ["fs"] = new(_ => [new() { AtOnce = true }], vhosts => new FsDevice("fs", "tag", vhosts[0]), VhostWorks),
        ["console"] = new(_ => new ConsoleDevice("console", [new VirtioPort(0, isConsole: true, null, new FakeBackend())]), ConsoleWorks) { Target = 1 },
        ["balloon"] = new(_ => new BalloonDevice("balloon", deflateOnOom: true, reporting: true), BalloonWorks),
    };

    public static IEnumerable<string> Names => Entries.Keys;

    /// <summary>The device behind a driver; its host side lives in <paramref name="file"/>, of 64 KiB.</summary>
    public static MmioDriver Open(string name, TemporaryFile file)
    {
        (VirtioDevice device, FakeVhost[] vhosts) = Entries[name].Make(file);
        MmioDriver driver = new(device) { Target = Entries[name].Target };
        Array.ForEach(vhosts, vhost => vhost.Join(driver));
        return driver;
    }

    /// <summary>Saves the device, which then goes, and restores what was saved into another of its kind, which is still paused.</summary>
    /// <returns>What was saved.</returns>
    public static SnapshotSection Renew(string name, TemporaryFile file, MmioDriver driver)
    {
        SnapshotSection saved = driver.Save();
        Restore(name, file, driver, saved);
        return saved;
    }

    /// <summary>Restores what was saved into another device of the kind, in the driver's device's place.</summary>
    public static void Restore(string name, TemporaryFile file, MmioDriver driver, SnapshotSection saved) => driver.Restore(
        () =>
        {
            (VirtioDevice device, FakeVhost[] vhosts) = Entries[name].Make(file);
            Array.ForEach(vhosts, vhost => vhost.Join(driver));
            return device;
        },
        saved);

    /// <summary>Starts the device from reset and checks that it does its work.</summary>
    public static void CheckWorks(string name, MmioDriver driver)
    {
        driver.Start();
        Assert.False(driver.NeedsReset);
        Entries[name].Works(driver);
    }

    private static BlockDevice Disk(TemporaryFile file, DriveAio aio, bool readOnly = false, int queues = 1) =>
        new("disk", Open(new DriveOptions("disk", file.Path, readOnly) { Aio = aio }), new BlockOptions { QueueCount = queues, Discard = true });

    /// <summary>Opens a disk of the test's own.</summary>
    /// <remarks>A program that another test starts has its descriptors, and their locks, for a moment: a disk that was just closed may seem to be open.</remarks>
    public static DiskImage Open(DriveOptions options)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return DiskOpener.Open(options);
            }
            catch (UserErrorException error) when (error.Id == "DriveLocked" && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20))
            {
                Thread.Yield();
            }
        }
    }

    private static void DiskWorks(MmioDriver driver)
    {
        byte[] sector = new byte[512];
        Assert.Equal(BlockLayout.StatusOk, new BlockClient(driver).Read(3, sector));
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

    /// <summary>How a device is made, and that it does its work.</summary>
    private sealed class Entry(Func<TemporaryFile, FakeVhost[]> kernel, Func<TemporaryFile, FakeVhost[], VirtioDevice> make, Action<MmioDriver> works)
    {
        public Entry(Func<TemporaryFile, VirtioDevice> make, Action<MmioDriver> works)
            : this(_ => [], (file, _) => make(file), works)
        {
        }

        public Entry(Func<TemporaryFile, FakeVhost[]> kernel, Func<FakeVhost[], VirtioDevice> make, Action<MmioDriver> works)
            : this(kernel, (_, vhosts) => make(vhosts), works)
        {
        }

        /// <summary>As <see cref="MmioDriver.Target"/>.</summary>
        public int Target { get; init; }

        public Action<MmioDriver> Works => works;

        public (VirtioDevice Device, FakeVhost[] Vhosts) Make(TemporaryFile file)
        {
            FakeVhost[] vhosts = kernel(file);
            return (make(file, vhosts), vhosts);
        }
    }
}
