using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>Disks and network interfaces that come and go, as drivers of the guest see them.</summary>
public sealed class HotPlugTests : IDisposable
{
    private const int Sectors = 8192;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TemporaryFile _file = new(Sectors * 512);
    private readonly SlotBoard _board = new();

    public static TheoryData<string, bool> Engines => new() { { "off", false }, { "threads", false }, { "io_uring", false }, { "native", true } };

    public void Dispose()
    {
        _board.Dispose();
        _file.Dispose();
    }

    [Fact]
    public void ADiskIsThereAtOnceAndGoesAndTheSlotServesAgain()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        Assert.Equal(0ul, Capacity(driver));
        Assert.Equal(BlockLayout.StatusIoError, client.Read(0, new byte[512]));
        Assert.Equal(BlockLayout.StatusIoError, client.Flush());
        byte[] data = [.. Enumerable.Range(0, 4096).Select(i => (byte)(i * 7))];
        for (int round = 0; round < 3; round++)
        {
            int before = driver.Interrupt.Count;
            Plug("d");
            Assert.True(driver.Interrupt.Count > before);
            Assert.Equal(MmioRegister.InterruptConfiguration, driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
            Assert.Equal((ulong)Sectors, Capacity(driver));
            Assert.Equal(BlockLayout.StatusOk, client.Write((ulong)round, data));
            Assert.Equal(BlockLayout.StatusOk, client.Flush());
            byte[] back = new byte[4096];
            Assert.Equal(BlockLayout.StatusOk, client.Read((ulong)round, back));
            Assert.Equal(data, back);
            before = driver.Interrupt.Count;
            _board.HotPlug.Remove("d");
            Assert.True(driver.Interrupt.Count > before);
            Assert.Equal(0ul, Capacity(driver));
            Assert.Equal(BlockLayout.StatusIoError, client.Read(0, back));
            Assert.False(IsOpen(_file.Path));
        }

        Assert.Equal(["d", "d", "d"], _board.Deleted);
        Assert.False(driver.NeedsReset);
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(1024, 4096).ToArray());
    }

    [Fact]
    public void TheDriverIsWaitedForUntilItHasLooked()
    {
        Plug("d");
        _board.Disks[1].Start();
        _ = Capacity(_board.Disks[1]);
        Assert.True(Slot("0x1").IsSeen);
        _board.HotPlug.Remove("d");
        Assert.False(Slot("0x1").IsSeen);
        _ = Capacity(_board.Disks[1]);
        Assert.True(Slot("0x1").IsSeen);
    }

    [Fact]
    public void ADiskThatWasThereFromTheStartGoesToo()
    {
        MmioDriver driver = _board.Disks[0];
        driver.Start();
        BlockClient client = new(driver);
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[512]));
        _board.HotPlug.Remove("rootfs");
        Assert.Equal(BlockLayout.StatusIoError, client.Read(0, new byte[512]));
        Assert.Empty(_board.HotPlug.Drives);
        Assert.False(IsOpen(_board.RootPath));
        Plug("d", address: 0);
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[512]));
        Assert.Equal(["d"], _board.HotPlug.Drives.Select(drive => drive.Id));
    }

    [Fact]
    public void ADiskThatCameStaysOverAResetOfTheGuest()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        Plug("d");
        driver.Transport.Reset();
        driver.Start();
        Assert.Equal((ulong)Sectors, Capacity(driver));
        Assert.Equal(BlockLayout.StatusOk, new BlockClient(driver).Read(0, new byte[512]));
    }

    [Fact]
    public void ADiskThatComesWhileTheMachineIsPausedServesWhenItGoesOn()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        driver.Device.Quiesce();
        Plug("d");
        Assert.Null(client.Read(0, new byte[512]));
        driver.Device.Resume();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(513u, written);
    }

    [Fact]
    public void WhatADriverAskedForOnceStays()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        ulong offer = driver.ReadOffer();
        Assert.True(driver.Has(BlockLayout.FeatureFlush | BlockLayout.FeatureDiscard));
        _board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        _board.HotPlug.AddDisk(new("d", null, 1) { WriteCache = false });
        Assert.Equal(offer, driver.ReadOffer());
        BlockClient client = new(driver);

        // A disk without discards answers them, and loses nothing.
        byte[] data = [.. Enumerable.Repeat((byte)5, 4096)];
        Assert.Equal(BlockLayout.StatusOk, client.Write(0, data));
        Span<byte> range = driver.Ram(client.Data, 16);
        range.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(range[8..], 8);
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeDiscard, 0, 16, deviceWrites: false));
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(0, 4096).ToArray());
    }

    [Fact]
    public void ARequestThatHasToWaitIsAnsweredWhenItsDiskGoes()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        Plug("d");
        Assert.True(_board.HotPlug.SetDriveIops("d", 1));
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[512]));
        Assert.Null(client.Read(0, new byte[512]));
        _board.HotPlug.Remove("d");
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(0u, written);
    }

    [Fact]
    public void ARequestThatIsHeldForTheHostIsAnsweredWhenItsDiskGoes()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        _board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        _board.HotPlug.AddDisk(new("d", null, 1) { ReadError = DriveErrorAction.Stop });

        // The host takes the file away under the disk.
        using (FileStream file = File.OpenWrite(_file.Path))
        {
            file.SetLength(0);
        }

        Assert.Null(client.Read(8, new byte[512]));
        _board.HotPlug.Remove("d");
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(0u, written);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void ADiskGoesInTheMiddleOfItsWork(string aio, bool direct)
    {
        using Hammer hammer = new(_board.Disks[2]);
        for (int round = 0; round < 20; round++)
        {
            Plug("d", address: 2, drive: new() { Id = "d", File = _file.Path, Aio = (DriveAio)Array.IndexOf(DriveNames.Aio, aio), Direct = direct });
            hammer.WaitForMore(20, BlockLayout.StatusOk);
            _board.HotPlug.Remove("d");
            hammer.WaitForMore(20, BlockLayout.StatusIoError);
        }

        hammer.Stop();
        Assert.Equal(20, _board.Deleted.Count);
        Assert.Equal(hammer.Given, hammer.Answered);
        Assert.False(_board.Disks[2].NeedsReset);
    }

    [Fact]
    public void AStreamComesAndGoesAndFramesFlow()
    {
        MmioDriver driver = _board.Nets[0];
        driver.Start();
        byte[] mac = driver.ReadConfiguration(6);
        _board.HotPlug.Remove("net0");
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        for (int round = 0; round < 3; round++)
        {
            Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor far);
            using FileDescriptor peer = far;
            _board.HotPlug.AddNetdev(new() { Id = "n", Kind = NetdevKind.Stream, Descriptors = [near.Detach()] });
            _board.HotPlug.AddNic(new("n", null, 0));
            Assert.Equal([.. mac, 1, 0], driver.ReadConfiguration(8));
            Send(driver, 100);
            Span<byte> frame = new byte[200];
            Assert.Equal(sizeof(int) + 100 - VirtioNetHeader.Bytes, (int)Libc.Receive(peer.Value, frame));
            _board.HotPlug.Remove("n");
            Assert.Equal([.. mac, 0, 0], driver.ReadConfiguration(8));
            Assert.Equal(0, Libc.Receive(peer.Value, frame));
            Send(driver, 100);
        }

        Assert.Equal(["net0", "n", "n", "n"], _board.Deleted);
    }

    [Fact]
    public void ADiskIsServedByTheThreadThatItNames()
    {
        using SlotBoard board = new(ioThread: true);
        MmioDriver driver = board.Disks[1];
        driver.Start();
        BlockClient client = new(driver);
        board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        board.HotPlug.AddDisk(new("d", null, 1) { IoThread = "io" });
        Assert.Equal(513u, AnswerOf(driver, client.Read(0, new byte[512]), client));
        board.HotPlug.Remove("d");
        Assert.Equal(0u, AnswerOf(driver, client.Read(0, new byte[512]), client));
    }

    [Fact]
    public void ASlotWhoseDriverBrokeTheRulesTakesNoDeviceUntilItsReset()
    {
        MmioDriver driver = _board.Disks[1];
        driver.Start();
        driver.Queues[0].Publish(ushort.MaxValue);
        driver.Queues[0].KickAlways();
        driver.Run();
        Assert.True(driver.NeedsReset && Slot("0x1").NeedsReset);
        _board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        UserErrorException error = Assert.Throws<UserErrorException>(() => _board.HotPlug.AddDisk(new("d", null, 1)));
        Assert.Equal("SlotBroken", error.Id);
        Assert.Contains("Address 0x1 (vdb) waits for a reset by the guest's driver, which broke a rule of virtio; free: 0x2 (vdc)", error.Message, StringComparison.Ordinal);
        _board.HotPlug.AddDisk(new("d", null, null));
        Assert.Equal("d", Slot("0x2").Device);
        _board.HotPlug.Remove("d");
        driver.Start();
        Plug("d");
        Assert.Equal((ulong)Sectors, Capacity(driver));
    }

    [Fact]
    public void TheBoundsOfDoorbellsOfTheHostLeaveNothingHalfAdded()
    {
        _board.Disks[1].Doorbells.Allowed = 0;
        _board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        UserErrorException error = Assert.Throws<UserErrorException>(() => _board.HotPlug.AddDisk(new("d", null, 1)));
        Assert.Equal("HostRefused", error.Id);
        Assert.EndsWith("Drive 'd' is closed again.", error.Message, StringComparison.Ordinal);
        Assert.Null(Slot("0x1").Device);
        Assert.False(IsOpen(_file.Path));
        _board.Disks[1].Doorbells.Allowed = 1;
        Plug("d");
        Assert.Equal("d", Slot("0x1").Device);
    }

    [Fact]
    public void ANodeIsClosedAndOpenedAgain()
    {
        DriveConfiguration drive = new() { Id = "d", File = _file.Path };
        _board.HotPlug.AddNode(drive);
        Assert.True(IsOpen(_file.Path));
        _board.HotPlug.RemoveNode("d");
        Assert.False(IsOpen(_file.Path));
        _board.HotPlug.AddNode(drive);
    }

    [Fact]
    public void AnEngineThatTheHostHasNotLeavesTheNode()
    {
        _board.HotPlug.AddNode(new() { Id = "d", File = _file.Path });
        UserErrorException error = Assert.Throws<UserErrorException>(() => _board.HotPlug.AddDisk(new("d", null, 1) { Serial = new string('x', 21) }));
        Assert.Equal("DriveSerial", error.Id);
        Assert.Null(Slot("0x1").Device);
        _board.HotPlug.AddDisk(new("d", null, 1));
        Assert.Equal("d", Slot("0x1").Device);
    }

    private static ulong Capacity(MmioDriver driver) => BinaryPrimitives.ReadUInt64LittleEndian(driver.ReadConfiguration(8));

    /// <summary>Bytes that a device on another thread wrote for a request: they may have come before the driver looked, or come later.</summary>
    private static uint AnswerOf(MmioDriver driver, byte? status, BlockClient client)
    {
        uint written = client.Written;
        if (status is null)
        {
            Wait(() => driver.Queues[0].TryTake(out _, out written));
        }

        return written;
    }

    private static void Wait(Func<bool> condition)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Patience, "it didn't come");
            Thread.Yield();
        }
    }

    private static void Send(MmioDriver driver, uint length)
    {
        driver.Queues[1].Add(new DriverBuffer(driver.Allocate((int)length), length, false));
        driver.Queues[1].Kick();
        driver.Run();
        Assert.True(driver.Queues[1].TryTake(out _, out _));
    }

    private static bool IsOpen(string path) => new DirectoryInfo("/proc/self/fd").EnumerateFileSystemInfos().Any(file => file.LinkTarget == path);

    private SlotStatus Slot(string address) => _board.HotPlug.Slots.First(slot => slot.IsDisk && slot.Address == address);

    private void Plug(string id, long? address = 1, DriveConfiguration? drive = null)
    {
        _board.HotPlug.AddNode(drive ?? new() { Id = id, File = _file.Path });
        _board.HotPlug.AddDisk(new(id, null, address));
    }

    /// <summary>A guest that reads and writes all the time, on a thread of its own, with the device's loop on another.</summary>
    private sealed class Hammer : IDisposable
    {
        private const int Depth = 8;

        private readonly MmioDriver _driver;
        private readonly Thread _thread;
        private readonly ulong[] _headers = new ulong[Depth];
        private readonly int[] _counts = new int[3];
        private readonly Dictionary<ushort, int> _slots = [];
        private volatile bool _stop;
        private volatile bool _over;

        public Hammer(MmioDriver driver)
        {
            _driver = driver;
            driver.Start();
            for (int i = 0; i < Depth; i++)
            {
                _headers[i] = driver.Allocate(4096 + 512, 512);
            }

            driver.StartLoopThread();
            _thread = new Thread(Work) { IsBackground = true };
            _thread.Start();
        }

        public int Given { get; private set; }

        public int Answered { get; private set; }

        public void WaitForMore(int count, byte status)
        {
            int target = Volatile.Read(ref _counts[status]) + count;
            Wait(() => Volatile.Read(ref _counts[status]) >= target);
        }

        /// <summary>Waits for the answers to all that was given, and ends.</summary>
        public void Stop()
        {
            _stop = true;
            Assert.True(_thread.Join(Patience), $"{Answered} of {Given} requests were answered");
            _driver.StopLoopThread();
        }

        /// <summary>After a failure, too: then nothing is waited for.</summary>
        public void Dispose()
        {
            _over = true;
            _thread.Join();
            _driver.StopLoopThread();
        }

        private void Work()
        {
            for (int i = 0; i < Depth; i++)
            {
                Give(i);
            }

            while (!_over && (!_stop || Answered < Given))
            {
                while (_driver.Queues[0].TryTake(out ushort head, out _))
                {
                    Answered++;
                    int slot = _slots[head];
                    Interlocked.Increment(ref _counts[_driver.Ram(_headers[slot] + 16, 1)[0]]);
                    if (!_stop)
                    {
                        Give(slot);
                    }
                }
            }
        }

        private void Give(int slot)
        {
            ulong at = _headers[slot];
            bool write = Given % 2 == 0;
            BlockClient.WriteHeader(_driver.Ram(at, 16), write ? BlockLayout.TypeOut : BlockLayout.TypeIn, (ulong)(Given * 8 % Sectors));
            _driver.Ram(at + 16, 1)[0] = BlockClient.Unanswered;
            ushort head = _driver.Queues[0].Add(new DriverBuffer(at, 16, false), new DriverBuffer(at + 512, 4096, !write), new DriverBuffer(at + 16, 1, true));
            _slots[head] = slot;
            Given++;
            _driver.Queues[0].Kick();
        }
    }
}
