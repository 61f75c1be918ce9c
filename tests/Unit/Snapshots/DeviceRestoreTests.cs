using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Strato.Tests.Unit.Virtio;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>What is under way when a machine is saved, and what may be another thing when it is restored.</summary>
public sealed class DeviceRestoreTests : IDisposable
{
    private const int Sectors = 128;

    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1];

    private readonly TemporaryFile _file = new(Sectors * 512);
    private MmioDriver? _driver;

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
    }

    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    public void WritesThatTheHostFailedAtAreDoneAfterwards(DriveAio aio)
    {
        BlockOptions options = new() { WriteError = DriveErrorAction.Stop };
        _driver = new MmioDriver(new BlockDevice("d", new FullImage(_file.Path, aio), options));
        _driver.Start(64);
        List<(ulong Status, byte[] Data)> requests = [];
        for (int i = 0; i < 3; i++)
        {
            requests.Add(AddWrite(i * 8));
        }

        _driver.Queues[0].Kick();
        _driver.Run();
        Assert.Equal(0, _driver.Queues[0].UsedIndex);

        // Saved and restored twice before there is room.
        for (int round = 0; round < 2; round++)
        {
            SnapshotSection saved = _driver.Save();
            _driver.Restore(() => new BlockDevice("d", new FullImage(_file.Path, aio), options), saved);
            Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
            _driver.Device.Resume();
            _driver.Run();
            Assert.Equal(0, _driver.Queues[0].UsedIndex);
        }

        _driver.Restore(() => Disk(options), _driver.Save());
        requests.Add(AddWrite(64));
        _driver.Queues[0].Kick();
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(4, _driver.Queues[0].UsedIndex);
        HashSet<ushort> heads = [];
        while (_driver.Queues[0].TryTake(out ushort head, out _))
        {
            Assert.True(heads.Add(head));
        }

        Assert.All(requests, request => Assert.Equal(BlockLayout.StatusOk, _driver.Ram(request.Status, 1)[0]));
        byte[] file = File.ReadAllBytes(_file.Path);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(requests[i].Data, file.AsSpan(i * 8 * 512, 1024).ToArray());
        }
    }

    [Fact]
    public void AHeldRequestThatIsForgottenWithAResetIsForgottenAfterwardsToo()
    {
        BlockOptions options = new() { WriteError = DriveErrorAction.Stop };
        _driver = new MmioDriver(new BlockDevice("d", new FullImage(_file.Path, DriveAio.Off), options));
        _driver.Start(64);
        AddWrite(0);
        _driver.Queues[0].Kick();
        _driver.Run();
        _driver.Restore(() => Disk(options), _driver.Save());
        _driver.Transport.Reset();
        _driver.Device.Resume();
        _driver.Run();
        Assert.DoesNotContain(File.ReadAllBytes(_file.Path), b => b != 0);
        _driver.Start(64);
        Assert.Equal(BlockLayout.StatusOk, new BlockClient(_driver).Read(0, new byte[512]));
    }

    /// <summary>With other options of the drive there is nothing to do for a flush that was held.</summary>
    [Fact]
    public void AHeldFlushThatIsToBeIgnoredNowIsAnswered()
    {
        BlockOptions options = new() { WriteError = DriveErrorAction.Stop };
        _driver = new MmioDriver(new BlockDevice("d", new FullImage(_file.Path, DriveAio.Off), options));
        _driver.Start(64);
        ulong header = _driver.Allocate(BlockClient.HeaderBytes);
        ulong status = _driver.Allocate(1);
        BlockClient.WriteHeader(_driver.Ram(header, BlockClient.HeaderBytes), BlockLayout.TypeFlush, 0);
        _driver.Queues[0].Add(new DriverBuffer(header, BlockClient.HeaderBytes, false), new DriverBuffer(status, 1, true));
        _driver.Queues[0].EnableInterrupt();
        _driver.Queues[0].Kick();
        _driver.Run();
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        _driver.Restore(() => Disk(options with { IgnoreFlush = true }), _driver.Save());
        int interrupts = _driver.Interrupt.Count;
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[0].UsedIndex);
        Assert.True(_driver.Interrupt.Count > interrupts);
    }

    [Fact]
    public void ALimitOfRequestsStaysUnlessAnotherIsAsked()
    {
        _driver = new MmioDriver(Disk(new BlockOptions { Iops = 100 }));
        _driver.Start(64);
        ((BlockDevice)_driver.Device).SetIops(70);
        SnapshotSection saved = _driver.Save();
        _driver.Restore(() => Disk(new BlockOptions()), saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        _driver.Restore(() => Disk(new BlockOptions { Iops = 30 }), saved);
        Assert.NotEqual(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
    }

    /// <summary>A disk that came into an empty place: the driver was offered discards there, and asks once.</summary>
    [Fact]
    public void ADiskThatWasPluggedInIsRestoredAsOneFromTheStart()
    {
        _driver = new MmioDriver(DiskSlot.CreateSpare(1), isSpare: true);
        _driver.Start(64);
        Assert.True(_driver.Has(BlockLayout.FeatureDiscard));
        VirtioDevice empty = _driver.Device;
        _driver.Transport.Replace(Disk(new BlockOptions { OfferDiscard = true }), _driver.Loop);
        empty.Dispose();
        BlockClient client = new(_driver);
        Assert.Equal(BlockLayout.StatusOk, client.Write(3, new byte[512]));
        byte[] configuration = _driver.ReadConfiguration(BlockLayout.ConfigurationBytes);
        _driver.Restore(() => Disk(new BlockOptions { WriteThrough = true }), _driver.Save());
        _driver.Device.Resume();
        Assert.Equal(configuration, _driver.ReadConfiguration(BlockLayout.ConfigurationBytes));
        Assert.Equal(BlockLayout.StatusOk, client.Write(3, new byte[512]));
        Span<byte> range = _driver.Ram(client.Data, 16);
        range.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(range[8..], 8);
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeDiscard, 0, 16, deviceWrites: false));
        Assert.Equal(BlockLayout.StatusOk, client.Flush());
    }

    /// <summary>A place whose disk went is restored as one that was empty from the start.</summary>
    [Fact]
    public void APlaceWhoseDiskWentIsRestoredEmpty()
    {
        using SlotBoard board = new();
        MmioDriver driver = board.Disks[0];
        driver.Start(64);
        board.HotPlug.Remove("rootfs");
        SnapshotSection saved = driver.Save();
        driver.Restore(() => DiskSlot.CreateSpare(0), saved);
        driver.Device.Resume();
        Assert.Equal(BlockLayout.StatusIoError, new BlockClient(driver).Read(0, new byte[512]));
    }

    [Fact]
    public void ABalloonsTargetAndBuffersStay()
    {
        _driver = new MmioDriver(new BalloonDevice("b", deflateOnOom: true, reporting: true));
        _driver.Start(64);
        BalloonDevice first = (BalloonDevice)_driver.Device;
        first.SetTarget(8 << 20);
        _driver.Transport.Write(MmioRegister.Configuration + BalloonDevice.ActualOffset, [0, 4, 0, 0]);
        first.Statistics.SetPeriod(TimeSpan.FromSeconds(3));
        ulong statistics = _driver.Allocate(10);
        BinaryPrimitives.WriteUInt16LittleEndian(_driver.Ram(statistics, 2), 4);
        BinaryPrimitives.WriteUInt64LittleEndian(_driver.Ram(statistics + 2, 8), 12345);
        _driver.Queues[2].Add(new DriverBuffer(statistics, 10, false));
        _driver.Queues[2].Kick();
        _driver.Run();
        Assert.True(first.Statistics.HasBuffer);

        // More pages than one turn drops: it is in the middle of the request.
        ulong page = MmioDriver.HighRam / 4096;
        ulong numbers = _driver.Allocate(4 * 6000);
        for (int i = 0; i < 6000; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_driver.Ram(numbers + (ulong)(4 * i), 4), (uint)page + (uint)(i % 1000));
        }

        _driver.Ram(MmioDriver.HighRam, (int)MmioDriver.RegionBytes).Fill(1);
        _driver.Queues[0].Add(new DriverBuffer(numbers, 4 * 6000, false));
        _driver.Queues[0].Kick();
        _ = _driver.Loop.RunOnce(0);
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        SnapshotSection saved = _driver.Save();
        int changes = 0;
        _driver.Restore(() => new BalloonDevice("b", deflateOnOom: true, reporting: true) { Changed = () => changes++ }, saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        BalloonDevice second = (BalloonDevice)_driver.Device;
        Assert.Equal((4L << 20, TimeSpan.FromSeconds(3)), (second.Given, second.Statistics.Period));
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(1, changes);
        Assert.Equal(2048u, BinaryPrimitives.ReadUInt32LittleEndian(_driver.ReadConfiguration(4)));
        Assert.Equal(1, _driver.Queues[0].UsedIndex);
        Assert.False(_driver.Ram(MmioDriver.HighRam, 1000 * 4096).ContainsAnyExcept((byte)0));
        Assert.True(second.Statistics.HasBuffer);
        Assert.Equal(12345ul, second.Statistics.Values[4]);
        Assert.Equal(0, _driver.Queues[2].UsedIndex);
    }

    [Fact]
    public void AVsockGoesOnWhereItWasAndTellsThatItsConnectionsAreGone()
    {
        FakeVhost first = new();
        _driver = first.Join(new MmioDriver(new VsockDevice("v", 3, first)));
        _driver.Start(64);
        for (int i = 0; i < 5; i++)
        {
            Send(1);
        }

        SnapshotSection saved = _driver.Save();
        FakeVhost second = new();
        _driver.Restore(
            () =>
            {
                second.Join(_driver);
                return new VsockDevice("v", 9, second);
            },
            saved);
        Assert.True(first.IsDisposed);
        Assert.False(second.IsRunning);
        _driver.Device.Resume();
        Assert.Contains("ring 0 of 64 from 0", second.Calls);
        Assert.Contains("ring 1 of 64 from 5", second.Calls);
        Assert.True(second.IsRunning);
        _driver.Run();

        // The new address is there, and the driver is told to look.
        Assert.Equal(9, _driver.ReadConfiguration(8)[0]);
        Assert.NotEqual(0u, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
        Send(1);
        Assert.Equal(1, second.Served);

        // The event waits for a buffer, and comes once.
        Assert.Equal(0, _driver.Queues[2].UsedIndex);
        ulong at = _driver.Allocate(4);
        _driver.Ram(at, 4).Fill(0xEE);
        ushort[] heads = [_driver.Queues[2].Add(new DriverBuffer(at, 4, true)), _driver.Queues[2].Add(new DriverBuffer(_driver.Allocate(4), 4, true))];
        _driver.Queues[2].EnableInterrupt();
        int interrupts = _driver.Interrupt.Count;
        Assert.True(_driver.Queues[2].Kick());
        _driver.Run();
        Assert.True(_driver.Queues[2].TryTake(out ushort head, out uint written));
        Assert.Equal((heads[0], 4u), (head, written));
        Assert.Equal([0, 0, 0, 0], _driver.Ram(at, 4).ToArray());
        Assert.True(_driver.Interrupt.Count > interrupts);
        Assert.False(_driver.Queues[2].TryTake(out _, out _));
    }

    [Fact]
    public void AVsocksEventThatWasntToldYetIsToldAfterTheNextRestore()
    {
        FakeVhost vhost = new();
        _driver = vhost.Join(new MmioDriver(new VsockDevice("v", 3, vhost)));
        _driver.Start(64);
        _driver.Queues[2].Add(new DriverBuffer(_driver.Allocate(4), 4, true));
        _driver.Queues[2].Kick();
        _driver.Run();
        Assert.Equal(0, _driver.Queues[2].UsedIndex);
        SnapshotSection saved = _driver.Save();
        for (int round = 0; round < 2; round++)
        {
            FakeVhost next = new();
            _driver.Restore(
                () =>
                {
                    next.Join(_driver);
                    return new VsockDevice("v", 3, next);
                },
                saved);
            saved = _driver.Save();
        }

        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[2].UsedIndex);
    }

    /// <summary>Frames may be moved by the kernel in one life and by the engine in the next, and back.</summary>
    [Fact]
    public void FramesGoOnByKernelAndEngineInTurn()
    {
        FakeVhost vhost = new();
        _driver = vhost.Join(new MmioDriver(new VhostNetDevice("net", [new FakeNet()], [vhost], Mac)));
        _driver.Start(64);
        Send(1);
        Send(1);
        FakeNet wire = new();
        _driver.Restore(() => new NetDevice("net", [wire], Mac), _driver.Save());
        _driver.Device.Resume();
        Send(1, 100);
        Assert.Equal(100, wire.Take(new byte[2000]));
        ulong room = _driver.Allocate(2048);
        _driver.Queues[0].Add(new DriverBuffer(room, 2048, true));
        _driver.Queues[0].Kick();
        _driver.Run();

        // The buffer was given, and no frame came: it goes along.
        FakeVhost last = new();
        _driver.Restore(
            () =>
            {
                last.Join(_driver);
                return new VhostNetDevice("net", [new FakeNet()], [last], Mac);
            },
            _driver.Save());
        _driver.Device.Resume();
        Assert.Contains("ring 0 of 64 from 0", last.Calls);
        Assert.Contains("ring 1 of 64 from 3", last.Calls);
        _driver.Run();
        Assert.True(_driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal("packet"u8.ToArray(), _driver.Ram(room, (int)written).ToArray());
        Send(1);
        Assert.False(_driver.NeedsReset);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void BuffersForFramesGoAlong(bool mergeable)
    {
        FakeNet first = new(offloads: false);
        _driver = new MmioDriver(new NetDevice("net", [first], Mac));
        _driver.Start(64, mergeable ? ulong.MaxValue : ~NetInterface.FeatureMergeableBuffers);
        List<ulong> rooms = [];
        for (int i = 0; i < 3; i++)
        {
            rooms.Add(_driver.Allocate(2048));
            _driver.Queues[0].Add(new DriverBuffer(rooms[i], 2048, true));
        }

        _driver.Queues[0].Kick();
        _driver.Run();
        first.Put(new byte[100]);
        _driver.Run();
        FakeNet second = new(offloads: false);
        SnapshotSection saved = _driver.Save();
        _driver.Restore(() => new NetDevice("net", [second], Mac), saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        Assert.Equal(0u, second.Offload);
        _driver.Device.Resume();
        _driver.Run();
        byte[] frame = new byte[200];
        frame.AsSpan(20).Fill(7);
        second.Put(frame);
        _driver.Run();
        Assert.True(_driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(100u, written);
        Assert.True(_driver.Queues[0].TryTake(out _, out written));
        Assert.Equal(200u, written);
        Assert.Equal(7, _driver.Ram(rooms[1], 200)[100]);
        Assert.False(_driver.Queues[0].TryTake(out _, out _));
    }

    /// <summary>A link that the user took down stays down, and one whose other side isn't there goes down.</summary>
    [Fact]
    public void ALinkIsAsItWasUnlessNobodyIsThere()
    {
        _driver = new MmioDriver(new NetDevice("net", [new FakeNet()], Mac));
        _driver.Start(64);
        ((NetInterface)_driver.Device).SetLink(false);
        _driver.Restore(() => new NetDevice("net", [new FakeNet()], Mac), _driver.Save());
        Assert.False(((NetInterface)_driver.Device).LinkUp);
        _driver.Device.Resume();
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        ((NetInterface)_driver.Device).SetLink(true);
        Assert.Equal(1, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        _driver.Write(MmioRegister.InterruptAcknowledge, uint.MaxValue);
        uint generation = _driver.Read(MmioRegister.ConfigurationGeneration);
        _driver.Restore(() => new NetDevice("net", [new NoBackend(offloads: true)], Mac), _driver.Save());
        _driver.Device.Resume();
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.NotEqual(generation, _driver.Read(MmioRegister.ConfigurationGeneration));
        Assert.NotEqual(0u, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
    }

    /// <summary>An interrupt that was on its way when the machine was saved may not have come to the interrupt controllers.</summary>
    [Fact]
    public void AnInterruptThatWasntAnsweredIsGivenAgain()
    {
        _driver = new MmioDriver(Disk(new BlockOptions()));
        _driver.Start(64);
        SnapshotSection quiet = _driver.Save();
        int before = _driver.Interrupt.Count;
        _driver.Restore(() => Disk(new BlockOptions()), quiet);
        Assert.Equal(before, _driver.Interrupt.Count);
        _driver.Device.Resume();
        new BlockClient(_driver).Read(0, new byte[512]);
        Assert.Equal(MmioRegister.InterruptQueue, _driver.Read(MmioRegister.InterruptStatus));
        SnapshotSection pending = _driver.Save();
        before = _driver.Interrupt.Count;
        _driver.Restore(() => Disk(new BlockOptions()), pending);
        Assert.Equal(before + 1, _driver.Interrupt.Count);
        Assert.Equal(MmioRegister.InterruptQueue, _driver.Read(MmioRegister.InterruptStatus));
    }

    [Fact]
    public void ADiskOfAnotherKindIsRefusedByWhatDiffers()
    {
        _driver = new MmioDriver(Disk(new BlockOptions()));
        _driver.Start(64);
        SnapshotSection saved = _driver.Save();
        using TemporaryFile larger = new((Sectors + 8) * 512);
        Refused(() => new BlockDevice("d", DeviceCatalogue.Open(new DriveOptions("d", larger.Path))), saved, "it has 69632 bytes, and had 65536");
        Refused(() => Disk(new BlockOptions { QueueSize = 128 }), saved, "it has queues of 128, and had one of 256");
        Refused(() => Disk(new BlockOptions { QueueCount = 2 }), saved, "it has 2 queues, and had 1");
        Refused(() => new BlockDevice("d", DeviceCatalogue.Open(new DriveOptions("d", _file.Path, ReadOnly: true))), saved, "it is read-only, and was writable");
        Refused(() => new NetDevice("d", [new FakeNet()], Mac), saved, "it is of another kind (virtio 1) than the snapshot's (virtio 2)");
    }

    [Fact]
    public void AnInterfaceOfAnotherKindIsRefusedByWhatDiffers()
    {
        _driver = new MmioDriver(new NetDevice("d", [new FakeNet()], Mac));
        _driver.Start(64);
        SnapshotSection saved = _driver.Save();
        Refused(() => new NetDevice("d", [new FakeNet()], [2, 0, 0, 0, 0, 2]), saved, "it has the address 02:00:00:00:00:02, and had 02:00:00:00:00:01");
        Refused(() => new NetDevice("d", [new FakeNet(offloads: false)], Mac), saved, "uses features that it doesn't offer here (CSUM, ");
        Refused(() => new NetDevice("d", [new FakeNet(), new FakeNet()], Mac), saved, "it has 5 queues, and had 2");
    }

    [Fact]
    public void ADeviceThatCantBeSavedSaysWhy()
    {
        FakeVhost vhost = new() { AtOnce = true };
        _driver = vhost.Join(new MmioDriver(new FsDevice("fs", "tag", vhost)));
        Assert.Contains("virtiofsd", _driver.Device.CannotBeSaved, StringComparison.Ordinal);
        using MmioDriver disk = new(Disk(new BlockOptions()));
        Assert.Null(disk.Device.CannotBeSaved);
    }

    private BlockDevice Disk(BlockOptions options) => new("d", DeviceCatalogue.Open(new DriveOptions("d", _file.Path)), options);

    private void Refused(Func<VirtioDevice> make, SnapshotSection saved, string reason)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => _driver!.Restore(make, saved));
        Assert.Equal(("SnapshotMismatch", "-incoming"), (error.Id, error.Where));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private void Send(int queue, int length = 64)
    {
        ulong at = _driver!.Allocate(length);
        _driver.Queues[queue].Add(new DriverBuffer(at, (uint)length, false));
        _driver.Queues[queue].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[queue].TryTake(out _, out _));
    }

    private (ulong Status, byte[] Data) AddWrite(int sector)
    {
        ulong header = _driver!.Allocate(BlockClient.HeaderBytes);
        ulong data = _driver.Allocate(1024);
        ulong status = _driver.Allocate(1);
        byte[] contents = new byte[1024];
        new Random(sector).NextBytes(contents);
        contents.CopyTo(_driver.Ram(data, 1024));
        _driver.Ram(status, 1)[0] = BlockClient.Unanswered;
        BlockClient.WriteHeader(_driver.Ram(header, BlockClient.HeaderBytes), BlockLayout.TypeOut, (ulong)sector);
        _driver.Queues[0].Add(new DriverBuffer(header, BlockClient.HeaderBytes, false), new DriverBuffer(data, 1024, false), new DriverBuffer(status, 1, true));
        return (status, contents);
    }

    /// <summary>A disk without room: nothing can be written or flushed.</summary>
    private sealed class FullImage(string path, DriveAio aio)
        : DiskImage(new FileDescriptor(Libc.Open(path, Libc.O_RDWR)), GeometryOf(path), new DriveOptions("d", path) { Aio = aio })
    {
        private static DiskGeometry GeometryOf(string path)
        {
            using DiskImage image = DeviceCatalogue.Open(new DriveOptions("d", path));
            return image.Geometry;
        }

        public override bool TryReadCached(DiskRequest request) => false;

        public override void Perform(DiskRequest request) => request.Error = Errno.ENOSPC;
    }
}
