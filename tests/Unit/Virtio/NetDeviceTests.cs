using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class NetDeviceTests
{
    private const int Header = VirtioNetHeader.Bytes;
    private const ulong Tso = NetInterface.FeatureGuestTso4 | NetInterface.FeatureGuestTso6;

    private static readonly byte[] Mac = [0x52, 0x54, 0, 1, 2, 3];

    [Fact]
    public void TheConfigurationHasAddressAndLink()
    {
        using MmioDriver driver = Start(out _);
        Assert.Equal([.. Mac, 1, 0], driver.ReadConfiguration(8));
    }

    [Theory]
    [InlineData(NetInterface.FeatureGuestTso4)]
    [InlineData(NetInterface.FeatureGuestTso6)]
    [InlineData(NetInterface.FeatureHostTso4)]
    [InlineData(NetInterface.FeatureHostTso6)]
    public void SegmentsWithoutChecksumsAreRefused(ulong feature)
    {
        using MmioDriver driver = new(new NetDevice("net", [new FakeNet()], Mac));
        driver.Negotiate(VirtioFeature.Version1 | feature);
        Assert.False(driver.Status.HasFlag(VirtioStatus.FeaturesOk));
        driver.Negotiate(VirtioFeature.Version1 | feature | NetInterface.FeatureChecksum | NetInterface.FeatureGuestChecksum);
        Assert.True(driver.Status.HasFlag(VirtioStatus.FeaturesOk));
    }

    [Fact]
    public void WhatTheBackendCantIsNotOffered()
    {
        using MmioDriver driver = new(new NetDevice("net", [new FakeNet(offloads: false)], Mac));
        Assert.Equal(VirtioFeature.Common | NetInterface.FeatureMac | NetInterface.FeatureStatus | NetInterface.FeatureMergeableBuffers, driver.ReadOffer());
    }

    [Fact]
    public void TheBackendLearnsWhatTheDriverTakes()
    {
        using MmioDriver driver = Start(out FakeNet net);
        Assert.Equal(Libc.TUN_F_CSUM | Libc.TUN_F_TSO4 | Libc.TUN_F_TSO6, net.Offload);
        driver.Start(wanted: ~Tso);
        Assert.Equal(Libc.TUN_F_CSUM, net.Offload);
        driver.Write(MmioRegister.Status, 0);
        Assert.Equal(0u, net.Offload);
    }

    [Fact]
    public void APacketGoesOutWhereverItIsCut()
    {
        using MmioDriver driver = Start(out FakeNet net);
        ulong at = driver.Allocate(4096);
        byte[] frame = Frame(1000);
        frame.CopyTo(driver.Ram(at, 1000));
        Send(driver, new DriverBuffer(at, 5, false), new DriverBuffer(at + 5, 7, false), new DriverBuffer(at + 12, 1, false), new DriverBuffer(at + 13, 987, false));
        byte[] sent = new byte[2000];
        Assert.Equal(1000, net.Take(sent));
        Assert.Equal(frame, sent[..1000]);
        Assert.True(driver.Queues[1].TryTake(out _, out uint written));
        Assert.Equal(0u, written);
    }

    [Fact]
    public void FramesAndTheirBytesAreCounted()
    {
        FakeNet net = new();
        NetDevice device = new("net", [net], Mac);
        Assert.Equal("fake0", device.HostName);
        using MmioDriver driver = new(device);
        Assert.Equal(default(NetTraffic), device.Traffic);
        driver.Start();
        _ = Fill(driver, 64, 1526);
        Assert.True(net.Put(Frame(100)) && net.Put(Frame(1526)));
        driver.Run();
        ulong at = driver.Allocate(4096);
        Send(driver, new DriverBuffer(at, 12, false), new DriverBuffer(at + 12, 64, false));

        // Without a link it goes nowhere.
        device.SetLink(false);
        Send(driver, new DriverBuffer(at, 12, false), new DriverBuffer(at + 12, 64, false));
        Assert.Equal(new NetTraffic(ReceivedBytes: 100 + 1526 - (2 * Header), ReceivedPackets: 2, SentBytes: 64, SentPackets: 1), device.Traffic);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFrameComesIntoOneBuffer(bool mergeable)
    {
        using MmioDriver driver = Start(out FakeNet net, mergeable ? ~Tso : ~(Tso | NetInterface.FeatureMergeableBuffers));
        ulong at = driver.Allocate(2048);

        // The header lies across three pieces.
        driver.Queues[0].Add(new DriverBuffer(at, 3, true), new DriverBuffer(at + 3, 8, true), new DriverBuffer(at + 11, 1515, true));
        driver.Queues[0].Kick();
        byte[] frame = Frame(1526);
        Assert.True(net.Put(frame));
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(1526u, written);
        Assert.Equal(Delivered(frame, 1), driver.Ram(at, 1526).ToArray());
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(~Tso)]
    [InlineData(~VirtioFeature.EventIndex)]
    public void ALongFrameComesIntoAsManyBuffersAsItTakes(ulong wanted)
    {
        using MmioDriver driver = Start(out FakeNet net, wanted);
        List<ulong> buffers = Fill(driver, 64, 1526);
        byte[] shortFrame = Frame(100);
        byte[] longFrame = Frame(5000);
        byte[] exact = Frame(2 * 1526);
        Assert.True(net.Put(shortFrame) && net.Put(longFrame) && net.Put(exact));
        driver.Run();
        Assert.Equal(Delivered(shortFrame, 1), Collect(driver, buffers, 1));
        Assert.Equal(Delivered(longFrame, 4), Collect(driver, buffers, 4));
        Assert.Equal(Delivered(exact, 2), Collect(driver, buffers, 2));
        Assert.False(driver.Queues[0].TryTake(out _, out _));
    }

    [Fact]
    public void AFrameThatFitsNoBufferIsDropped()
    {
        using MmioDriver driver = Start(out FakeNet net, ~(Tso | NetInterface.FeatureMergeableBuffers));
        List<ulong> buffers = Fill(driver, 2, 1526);
        byte[] next = Frame(60);
        Assert.True(net.Put(Frame(1527)) && net.Put(next));
        driver.Run();
        Assert.Equal(Delivered(next, 1), Collect(driver, buffers, 1));
        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void ARingThatIsTooSmallForTheLargestFrameTakesOthers()
    {
        FakeNet net = new();
        using MmioDriver driver = new(new NetDevice("net", [net], Mac));
        driver.Start(4);
        List<ulong> buffers = Fill(driver, 4, 1526);
        byte[] frame = Frame(3000);
        Assert.True(net.Put(Frame(60_000)) && net.Put(frame));
        driver.Run();
        Assert.Equal(Delivered(frame, 2), Collect(driver, buffers, 2));
    }

    [Fact]
    public void FramesWaitForBuffersAndNobodySpins()
    {
        using MmioDriver driver = Start(out FakeNet net);
        byte[] frame = Frame(200);
        Assert.True(net.Put(frame) && net.Put(frame));
        for (int i = 0; i < 100 && driver.Loop.RunOnce(0); i++)
        {
            Assert.True(i < 50, "the loop spins");
        }

        Assert.Equal(0, net.Reads);
        List<ulong> buffers = Fill(driver, 60, 1526);
        driver.Run();
        Assert.Equal(Delivered(frame, 1), Collect(driver, buffers, 1));
        Assert.Equal(Delivered(frame, 1), Collect(driver, buffers, 1));
    }

    [Fact]
    public void PacketsWaitForRoomAndNobodySpins()
    {
        using MmioDriver driver = Start(out FakeNet net);
        ulong at = driver.Allocate(20_000);
        DriverQueue queue = driver.Queues[1];
        for (int i = 0; i < 60; i++)
        {
            queue.Add(new DriverBuffer(at, 20_000, false));
        }

        queue.Kick();
        driver.Run();
        int sent = queue.UsedIndex;
        Assert.InRange(sent, 1, 59);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
        byte[] frame = new byte[20_000];
        int taken = 0;
        while (taken < 60 && net.Take(frame) > 0)
        {
            taken++;
            driver.Run();
        }

        Assert.Equal((60, 60), (taken, (int)queue.UsedIndex));
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void ABufferWithoutRoomForAHeaderIsMisuse(int queue, bool writable)
    {
        using MmioDriver driver = Start(out FakeNet net);
        driver.Queues[queue].Add(new DriverBuffer(driver.Allocate(16), Header - 1, writable));
        driver.Queues[queue].Kick();
        driver.Run();
        Assert.True(driver.NeedsReset);

        // Frames come all the same, and nothing spins.
        Assert.True(net.Put(Frame(60)));
        driver.Run();
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
    }

    [Fact]
    public void WhenTheOtherSideGoesTheLinkGoesDown()
    {
        using MmioDriver driver = Start(out FakeNet net);
        Fill(driver, 60, 1526);
        driver.Run();
        net.HangUp();
        driver.Run();
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.NotEqual(0u, driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");

        // What the guest sends goes nowhere, and comes back to it.
        ulong at = driver.Allocate(64);
        Send(driver, new DriverBuffer(at, 64, false));
        Assert.True(driver.Queues[1].TryTake(out _, out _));

        // A reset doesn't bring it back.
        driver.Start();
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void APauseLeavesTheBuffersInTheQueue()
    {
        using MmioDriver driver = Start(out FakeNet net);
        List<ulong> buffers = Fill(driver, 60, 1526);
        driver.Run();
        Assert.NotEqual(0, driver.Device.Queues[0].InFlight);
        driver.Device.Quiesce();
        Assert.Equal(0, driver.Device.Queues[0].InFlight);
        byte[] frame = Frame(200);
        Assert.True(net.Put(frame));
        driver.Run();
        Assert.Equal(0, driver.Queues[0].UsedIndex);
        driver.Device.Resume();
        driver.Run();
        Assert.Equal(Delivered(frame, 1), Collect(driver, buffers, 1));
    }

    [Fact]
    public void ResetsUnderTraffic()
    {
        using MmioDriver driver = Start(out FakeNet net);
        byte[] frame = Frame(200);
        for (int i = 0; i < 1000; i++)
        {
            driver.Start();
            List<ulong> buffers = Fill(driver, 60, 1526);
            Assert.True(net.Put(frame));
            driver.Run();
            Assert.Equal(Delivered(frame, 1), Collect(driver, buffers, 1));
            driver.Write(MmioRegister.Status, 0);
            byte[] before = driver.Ram(buffers[1], 1526).ToArray();
            Assert.True(net.Put(frame));
            driver.Run();
            Assert.Equal(before, driver.Ram(buffers[1], 1526).ToArray());
            driver.Start();
            buffers = Fill(driver, 60, 1526);
            driver.Run();
            Assert.Equal(Delivered(frame, 1), Collect(driver, buffers, 1));
        }
    }

    private static MmioDriver Start(out FakeNet net, ulong wanted = ulong.MaxValue)
    {
        net = new FakeNet();
        MmioDriver driver = new(new NetDevice("net", [net], Mac));
        driver.Start(wanted: wanted);
        return driver;
    }

    private static void Send(MmioDriver driver, params ReadOnlySpan<DriverBuffer> packet)
    {
        driver.Queues[1].Add(packet);
        driver.Queues[1].Kick();
        driver.Run();
    }

    /// <summary>Gives the device buffers to receive into; their addresses by head.</summary>
    private static List<ulong> Fill(MmioDriver driver, int count, uint bytes)
    {
        List<ulong> addresses = [];
        for (int i = 0; i < count; i++)
        {
            ulong at = driver.Allocate((int)bytes);
            addresses.Add(at);
            driver.Queues[0].Add(new DriverBuffer(at, bytes, true));
        }

        driver.Queues[0].Kick();
        return addresses;
    }

    /// <summary>The bytes of the next frame, out of as many buffers as it should have come in. Buffers are used in order.</summary>
    private static byte[] Collect(MmioDriver driver, List<ulong> buffers, int count)
    {
        List<byte> frame = [];
        for (int i = 0; i < count; i++)
        {
            Assert.True(driver.Queues[0].TryTake(out _, out uint written), "a buffer is missing");
            frame.AddRange(driver.Ram(buffers[0], (int)written));
            buffers.RemoveAt(0);
        }

        return [.. frame];
    }

    private static byte[] Delivered(byte[] frame, ushort buffers)
    {
        byte[] delivered = [.. frame];
        BinaryPrimitives.WriteUInt16LittleEndian(delivered.AsSpan(VirtioNetHeader.BufferCountOffset), buffers);
        return delivered;
    }

    /// <summary>A frame with a header of zeros.</summary>
    private static byte[] Frame(int bytes)
    {
        byte[] frame = new byte[bytes];
        new Random(bytes).NextBytes(frame.AsSpan(Header));
        return frame;
    }
}
