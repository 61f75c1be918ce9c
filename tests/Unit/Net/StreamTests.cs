using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Net;

/// <summary>A network device on a stream of frames, whose other end may cut, hold back and lie.</summary>
public sealed class StreamTests
{
    private const int Header = VirtioNetHeader.Bytes;
    private const int BufferBytes = 2048;

    /// <summary>Buffers that the driver gave, in the order in which they are used.</summary>
    private readonly Queue<ulong> _buffers = new();

    [Fact]
    public void FramesComeHoweverTheStreamIsCut()
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        byte[][] frames = [Frame(60), Frame(1514), Frame(StreamBackend.LongestFrame), Frame(14)];
        Fill(driver, 128);
        foreach (byte[] frame in frames)
        {
            byte[] wrapped = StreamWire.Wrap(frame);
            int cut = Math.Min(wrapped.Length, 100);
            for (int i = 0; i < cut; i++)
            {
                Assert.Equal(1, wire.Write(wrapped.AsSpan(i, 1)));
                driver.Run();
            }

            Assert.Equal(wrapped.Length - cut, wire.Write(wrapped.AsSpan(cut)));
            driver.Run();
        }

        Assert.Equal(frames, Collect(driver));
    }

    [Fact]
    public void AllFramesOfOneReadAreDelivered()
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        Fill(driver, 250);
        List<byte[]> frames = [];
        List<byte> stream = [];
        for (int i = 0; i < 200; i++)
        {
            frames.Add(Frame(60 + i));
            stream.AddRange(StreamWire.Wrap(frames[i]));
        }

        Assert.Equal(stream.Count, wire.Write(stream.ToArray()));
        driver.Run();
        Assert.Equal(frames, Collect(driver));
    }

    [Fact]
    public void FramesWaitForBuffersAndNobodySpins()
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        byte[] frame = Frame(1000);
        Assert.True(wire.Write([.. StreamWire.Wrap(frame), .. StreamWire.Wrap(frame)]) > 0);
        driver.Run();
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
        Fill(driver, 64);
        driver.Run();
        Assert.Equal([frame, frame], Collect(driver));
    }

    [Fact]
    public void WhatIsTooShortForAFrameIsDropped()
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        Fill(driver, 64);
        byte[] frame = Frame(60);
        wire.Write([.. new byte[400], .. StreamWire.Wrap(Frame(13)), .. StreamWire.Wrap(frame)]);
        driver.Run();
        Assert.Equal([frame], Collect(driver));
    }

    [Theory]
    [InlineData(new byte[] { 0xff, 0xff, 0xff, 0xff })]
    [InlineData(new byte[] { 0x80, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 1, 0, 15 })]
    public void ALengthThatNoFrameHasTakesTheLinkDown(byte[] length)
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        Fill(driver, 64);
        wire.Write([.. StreamWire.Wrap(Frame(60)), .. length, .. new byte[70_000]]);
        driver.Run();
        Assert.Single(Collect(driver));
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
        Assert.Contains("'peer' has gone: Protocol error; the link is down", File.ReadAllText(TestLog.OwnPath!), StringComparison.Ordinal);
    }

    [Fact]
    public void APeerThatGoesTakesTheLinkDown()
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        wire.HangUp();
        driver.Run();
        Assert.Equal(0, driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
        Send(driver, Frame(60));
        Assert.True(driver.Queues[1].TryTake(out _, out _));
    }

    [Theory]
    [InlineData(14)]
    [InlineData(1514)]
    [InlineData(StreamBackend.LongestFrame)]
    public void APacketIsSentBehindItsLength(int bytes)
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        byte[] frame = Frame(bytes);
        Send(driver, frame);
        while (wire.Read())
        {
        }

        Assert.Equal(frame, wire.TakeFrame());
        Assert.True(driver.Queues[1].TryTake(out _, out _));
    }

    [Theory]
    [InlineData(13)]
    [InlineData(StreamBackend.LongestFrame + 1)]
    public void WhatIsNoFrameIsLost(int bytes)
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        Send(driver, Frame(bytes));
        Send(driver, Frame(60));
        Assert.True(wire.Read());
        Assert.Equal(Frame(60), wire.TakeFrame());
        Assert.Equal(2, driver.Queues[1].UsedIndex);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void PacketsWaitForAPeerThatReadsSlowlyAndComeWhole(bool reset)
    {
        using StreamWire wire = new();
        using MmioDriver driver = Start(wire);
        byte[] frame = Frame(30_000);
        int sent = 0;
        while (sent < 60)
        {
            Send(driver, frame);
            sent++;
        }

        int used = driver.Queues[1].UsedIndex;
        Assert.InRange(used, 1, 59);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
        if (reset)
        {
            // What went in part has to end, or nobody would find the next frame's length.
            driver.Start();
            Send(driver, Frame(60));
        }

        int expected = reset ? used + 1 : 60;
        List<byte[]> taken = [];
        while (taken.Count < expected)
        {
            // The kernel may tell of the room a moment after the read that made it.
            bool more = wire.Read();
            Assert.True(driver.Loop.RunOnce(more ? 0 : 10_000) || more, $"only {taken.Count} frames have come");
            while (wire.TakeFrame() is { } whole)
            {
                taken.Add(whole);
            }
        }

        Assert.All(taken[..^1], whole => Assert.Equal(frame, whole));
        Assert.Equal(reset ? Frame(60) : frame, taken[^1]);
        Assert.False(driver.Loop.RunOnce(0), "the loop spins");
    }

    [Fact]
    public void ASocketIsConnectedTo()
    {
        using TemporaryFile path = new();
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path.Path));
        CheckRefused(() => StreamOpener.Open(path.Path, "n", "-netdev addr.path"), $"nobody listens on '{path.Path}'");
        listener.Listen();
        using (StreamBackend stream = StreamOpener.Open(path.Path, "n", "-netdev addr.path"))
        {
            Assert.Equal(path.Path, stream.Name);
            using Socket peer = listener.Accept();
        }

        File.Delete(path.Path);
        CheckRefused(() => StreamOpener.Open(path.Path, "n", "-netdev addr.path"), $"there is no socket '{path.Path}'; the program that serves it has to run first");
        CheckRefused(() => StreamOpener.Open(new string('a', 108), "n", "-netdev addr.path"), $"'{new string('a', 108)}' can't be a unix socket's path; one has 1 to 107 bytes");
    }

    [Fact]
    public void AConnectionIsTakenWhenItIsOne()
    {
        Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor far);
        using (near)
        using (far)
        using (StreamBackend stream = StreamOpener.Take(Libc.dup(near.Value), "n", "-netdev addr.str"))
        {
            Assert.StartsWith("descriptor ", stream.Name, StringComparison.Ordinal);
        }

        CheckRefused(() => StreamOpener.Take(9999, "n", "-netdev addr.path"), "descriptor 9999 isn't open: Bad file descriptor");
        using FileDescriptor file = Libc.CreateUnixSocket();
        int loose = Libc.dup(file.Value);
        CheckRefused(() => StreamOpener.Take(loose, "n", "-netdev addr.path"), $"descriptor {loose} isn't a connected stream socket");
    }

    private static MmioDriver Start(StreamWire wire)
    {
        MmioDriver driver = new(new NetDevice("net", [wire.Backend], [2, 0, 0, 0, 0, 1]));
        driver.Start(256);
        return driver;
    }

    private void Fill(MmioDriver driver, int count)
    {
        for (int i = 0; i < count; i++)
        {
            ulong at = driver.Allocate(BufferBytes);
            _buffers.Enqueue(at);
            driver.Queues[0].Add(new DriverBuffer(at, BufferBytes, true));
        }

        driver.Queues[0].Kick();
        driver.Run();
    }

    private static void Send(MmioDriver driver, byte[] frame)
    {
        ulong at = driver.Allocate(Header + frame.Length);
        frame.CopyTo(driver.Ram(at + Header, frame.Length));
        driver.Queues[1].Add(new DriverBuffer(at, (uint)(Header + frame.Length), false));
        driver.Queues[1].Kick();
        driver.Run();
    }

    /// <summary>The frames that were delivered, each out of as many buffers as its header tells.</summary>
    private List<byte[]> Collect(MmioDriver driver)
    {
        List<byte[]> frames = [];
        List<byte> frame = [];
        int left = 0;
        while (driver.Queues[0].TryTake(out _, out uint written))
        {
            Span<byte> buffer = driver.Ram(_buffers.Dequeue(), (int)written);
            left = left > 0 ? left : buffer[VirtioNetHeader.BufferCountOffset];
            frame.AddRange(buffer);
            if (--left == 0)
            {
                frames.Add([.. frame[Header..]]);
                frame.Clear();
            }
        }

        return frames;
    }

    private static void CheckRefused(Func<StreamBackend> open, string problem)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => open().Dispose());
        Assert.Equal(("StreamFailed", $"net 'n': {problem}"), (e.Id, e.Message));
    }

    private static byte[] Frame(int bytes)
    {
        byte[] frame = new byte[bytes];
        new Random(bytes).NextBytes(frame);
        return frame;
    }
}
