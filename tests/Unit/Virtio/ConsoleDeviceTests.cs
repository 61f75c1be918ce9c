using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class ConsoleDeviceTests : IDisposable
{
    private readonly FakeBackend _console = new() { Keeps = true };
    private readonly FakeBackend _agent = new() { Keeps = true, HasPeer = false };
    private readonly MmioDriver _driver;
    private ulong _hearAt;

    public ConsoleDeviceTests() => _driver = new MmioDriver(new ConsoleDevice("c",
    [
        new VirtioPort(0, isConsole: true, null, _console),
        new VirtioPort(2, isConsole: false, "org.qemu.guest_agent.0", _agent),
    ]));

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void ThereAreQueuesUpToTheHighestPort()
    {
        Assert.Equal(8, _driver.Device.Queues.Length);
        Assert.Equal(3u, BinaryPrimitives.ReadUInt32LittleEndian(_driver.ReadConfiguration(12).AsSpan(4)));
    }

    /// <summary>5.3.6.3: what the driver asks, and what it is told, in order.</summary>
    [Fact]
    public void TheDriverIsToldOfThePorts()
    {
        _driver.Start();
        Say(0, ConsoleEvent.DeviceReady, 1);
        Assert.Equal(["0 add 0", "2 add 0"], Hear());
        Say(0, ConsoleEvent.PortReady, 1);
        Assert.Equal(["0 console 1", "0 open 1"], Hear());
        Say(2, ConsoleEvent.PortReady, 1);
        Assert.Equal(["2 name 1 org.qemu.guest_agent.0", "2 open 0"], Hear());

        _agent.HasPeer = true;
        _agent.Frontend!.PeerChanged();
        _agent.Frontend.PeerChanged();
        Assert.Equal(["2 open 1"], Hear());
    }

    [Fact]
    public void NewsWaitForRoom()
    {
        _driver.Start();
        Say(0, ConsoleEvent.DeviceReady, 1);

        // Until the driver gives buffers nothing is said, and nothing is forgotten.
        Assert.Equal(["0 add 0", "2 add 0"], Hear());
        Say(2, ConsoleEvent.PortReady, 1);
        Say(0, ConsoleEvent.PortReady, 1);
        Assert.Equal(["2 name 1 org.qemu.guest_agent.0", "0 console 1", "0 open 1", "2 open 0"], Hear());
    }

    [Fact]
    public void InputComesWhenThePortIsOpen()
    {
        _driver.Start();
        Assert.Equal(0, _agent.Frontend!.Room);
        Open(2);
        Assert.Equal(1, _agent.Resumes);
        Assert.InRange(_agent.Frontend.Room, 1, int.MaxValue);
        _agent.Frontend.Receive("hello"u8);
        Assert.Equal("hel", Input(6, 3));
        Assert.Equal("lo", Input(6, 3));
    }

    [Fact]
    public void InputIsHeldBackAtItsSource()
    {
        _driver.Start();
        Open(0);
        int resumes = _console.Resumes;
        byte[] text = new byte[_console.Frontend!.Room];
        new Random(1).NextBytes(text);
        _console.Frontend.Receive(text);
        Assert.Equal(0, _console.Frontend.Room);
        Assert.Equal(resumes, _console.Resumes);
        List<byte> got = [];
        while (got.Count < text.Length)
        {
            got.AddRange(Encoding.Latin1.GetBytes(Input(0, 1000)));
        }

        Assert.Equal(text, got.ToArray());
        Assert.Equal(resumes + 1, _console.Resumes);
    }

    [Fact]
    public void WhatTheGuestDidntReadBeforeItClosedIsDropped()
    {
        _driver.Start();
        Open(2);
        _agent.Frontend!.Receive("old"u8);
        Say(2, ConsoleEvent.PortOpen, 0);
        Assert.Equal(0, _agent.Frontend.Room);
        Open(2);
        _agent.Frontend.Receive("new"u8);
        Assert.Equal("new", Input(6, 10));
    }

    [Fact]
    public void OutputOfAPortWaitsForRoom()
    {
        _driver.Start();
        _agent.OutputRoom = 4;
        DriverQueue queue = _driver.Queues[7];
        ulong at = Place("hello, world");
        queue.Add(new DriverBuffer(at, 7, false), new DriverBuffer(at + 7, 5, false));
        queue.Kick();
        _driver.Run();
        Assert.Equal("hell", Text(_agent));
        Assert.False(queue.TryTake(out _, out _), "the request isn't done");

        // Nothing turns in circles meanwhile.
        Assert.False(_driver.Loop.RunOnce(0));
        _agent.OutputRoom = 100;
        _agent.Frontend!.OutputServed();
        _driver.Run();
        Assert.Equal("hello, world", Text(_agent));
        Assert.True(queue.TryTake(out _, out _));
    }

    /// <summary>A reader that rests longer than socket and ring hold gets every byte all the same.</summary>
    [Fact]
    public void ASlowReaderOfASocketLosesNothing()
    {
        const int total = 1 << 20;
        EventLoop loop = new();
        using TemporaryFile path = new();
        using MmioDriver driver = new(new ConsoleDevice("c", [new VirtioPort(1, isConsole: false, "p", new SocketBackend(loop, path.Path, "-chardev"))]), loop);
        driver.Start();
        using Socket reader = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        reader.Connect(new UnixDomainSocketEndPoint(path.Path));
        driver.Run();

        byte[] text = new byte[total];
        new Random(1).NextBytes(text);
        text.CopyTo(driver.Ram(MmioDriver.Seam, total));
        DriverQueue queue = driver.Queues[5];
        int given = 0;
        List<byte> got = [];
        byte[] piece = new byte[100_000];
        while (got.Count < total)
        {
            for (; given < total && queue.FreeDescriptors > 0; given += 4096)
            {
                queue.Add(new DriverBuffer(MmioDriver.Seam + (ulong)given, 4096, false));
            }

            queue.Kick();
            driver.Run();
            bool moved = false;
            while (queue.TryTake(out _, out _))
            {
                moved = true;
            }

            // It reads only when nothing else goes on.
            if (!moved && reader.Available > 0)
            {
                got.AddRange(piece.AsSpan(0, reader.Receive(piece)));
            }
            else if (!moved)
            {
                Assert.True(driver.Loop.RunOnce(10_000), $"nothing goes on after {got.Count} bytes");
            }
        }

        Assert.Equal(text, got.ToArray());
    }

    /// <summary>Linux's hvc driver spins, with a lock held, until the device has taken what it wrote.</summary>
    [Fact]
    public void OutputOfAConsoleNeverWaits()
    {
        _driver.Start();
        _console.OutputRoom = 0;
        Send(1, "hello");
        Assert.Equal("hello", Text(_console));
    }

    [Fact]
    public void AResetForgetsARequestThatWaits()
    {
        _driver.Start();
        _agent.OutputRoom = 0;
        _driver.Queues[7].Add(new DriverBuffer(Place("old"), 3, false));
        _driver.Queues[7].Kick();
        _driver.Run();
        _driver.Start();
        _agent.OutputRoom = 100;
        _agent.Frontend!.OutputServed();
        _driver.Run();
        Assert.Equal("", Text(_agent));
        Send(7, "new");
        Assert.Equal("new", Text(_agent));
    }

    [Fact]
    public void WithoutManyPortsTheFirstIsOpen()
    {
        _driver.Start(wanted: ~ConsoleDevice.FeatureManyPorts);
        _console.Frontend!.Receive("in"u8);
        Assert.Equal("in", Input(0, 10));
        Send(1, "out");
        Assert.Equal("out", Text(_console));
    }

    [Fact]
    public void WhatIsntUnderstoodIsLetPass()
    {
        _driver.Start();
        Say(99, ConsoleEvent.PortOpen, 1);
        Say(0, 77, 1);
        Say(uint.MaxValue, ConsoleEvent.PortReady, 1);
        Send(3, "short");
        _driver.Queues[5].Add(new DriverBuffer(Place("of no port"), 10, false));
        _driver.Queues[5].Kick();
        _driver.Run();
        Assert.False(_driver.NeedsReset);
        Say(0, ConsoleEvent.DeviceReady, 1);
        Assert.Equal(["0 add 0", "2 add 0"], Hear());
    }

    [Fact]
    public void AFloodOfOutputDoesntKeepTheLoop()
    {
        _driver.Start();
        _driver.Queues[1].Add(new DriverBuffer(MmioDriver.Seam, (uint)MmioDriver.RegionBytes, false));
        _driver.Queues[1].Kick();
        _driver.Loop.RunOnce(0);
        Assert.Equal(1 << 20, _console.Sent.Count);
        _driver.Run();
        Assert.Equal((int)MmioDriver.RegionBytes, _console.Sent.Count);
    }

    /// <summary>5.3.6.1: a port that comes while the driver runs is told of as one of the start, and its going, too.</summary>
    [Fact]
    public void APortComesAndGoes()
    {
        ConsoleDevice device = (ConsoleDevice)_driver.Device;
        FakeBackend backend = new() { Keeps = true };
        _driver.Start();
        Say(0, ConsoleEvent.DeviceReady, 1);
        Assert.Equal(["0 add 0", "2 add 0"], Hear());
        for (int round = 0; round < 3; round++)
        {
            VirtioPort port = new(1, isConsole: false, "p", backend);
            device.AddPort(port);
            Assert.Equal(["1 add 0"], Hear());
            Say(1, ConsoleEvent.PortReady, 1);
            Assert.Equal(["1 name 1 p", "1 open 1"], Hear());
            Open(1);
            backend.Frontend!.Receive("in"u8);
            Assert.Equal("in", Input(4, 10));
            Send(5, "out");
            Assert.Equal(string.Concat(Enumerable.Repeat("out", round + 1)), Text(backend));
            device.RemovePort(port);
            Assert.Equal(["1 remove 1"], Hear());
            Assert.Equal(2, device.Ports.Count);
        }

        Assert.False(_driver.NeedsReset);
    }

    /// <summary>A driver that hasn't said that it listens asks for all ports when it does; one that left hears of them the next time.</summary>
    [Fact]
    public void APortThatComesBeforeTheDriverIsToldOfOnce()
    {
        ConsoleDevice device = (ConsoleDevice)_driver.Device;
        VirtioPort port = new(1, isConsole: false, "p", new FakeBackend());
        device.AddPort(port);
        _driver.Start();
        Assert.Empty(Hear());
        Say(0, ConsoleEvent.DeviceReady, 1);
        Assert.Equal(["0 add 0", "2 add 0", "1 add 0"], Hear());
        _driver.Start();
        device.RemovePort(port);
        Say(0, ConsoleEvent.DeviceReady, 1);
        Assert.Equal(["0 add 0", "2 add 0"], Hear());
    }

    /// <summary>Of a port that came and went before the driver had room nothing is told; of one whose number another has, first its going.</summary>
    [Fact]
    public void NewsOfPortsThatWentComeInTheirOrder()
    {
        ConsoleDevice device = (ConsoleDevice)_driver.Device;
        _driver.Start();
        Say(0, ConsoleEvent.DeviceReady, 1);
        VirtioPort first = new(1, isConsole: false, "first", new FakeBackend());
        device.AddPort(first);
        _driver.Run();
        device.RemovePort(first);
        Assert.Equal(["0 add 0", "2 add 0"], Hear());

        VirtioPort second = new(1, isConsole: false, "second", new FakeBackend());
        device.AddPort(second);
        Assert.Equal(["1 add 0"], Hear());
        device.RemovePort(second);
        VirtioPort third = new(1, isConsole: false, "third", new FakeBackend());
        device.AddPort(third);
        _driver.Run();

        // The driver speaks of the second still.
        Say(1, ConsoleEvent.PortOpen, 1);
        Say(1, ConsoleEvent.PortReady, 1);
        Assert.False(third.IsOpen);
        Assert.Equal(["1 remove 1", "1 add 0"], Hear());
    }

    /// <summary>What was sent to a port that has gone is answered, and doesn't reach the next one of its number, also when the machine was paused meanwhile.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RequestsOfAPortThatWentAreAnswered(bool paused)
    {
        ConsoleDevice device = (ConsoleDevice)_driver.Device;
        _driver.Start();
        Say(0, ConsoleEvent.DeviceReady, 1);
        Hear();
        _agent.OutputRoom = 1;
        DriverQueue queue = _driver.Queues[7];
        queue.Add(new DriverBuffer(Place("first"), 5, false));
        queue.Add(new DriverBuffer(Place("second"), 6, false));
        queue.Kick();
        _driver.Run();
        Assert.Equal("f", Text(_agent));
        if (paused)
        {
            device.Quiesce();
        }

        device.RemovePort(device.Ports[1]);
        FakeBackend next = new() { Keeps = true };
        device.AddPort(new VirtioPort(2, isConsole: false, "next", next));
        _driver.Run();
        if (paused)
        {
            Assert.False(queue.TryTake(out _, out _));
            device.Resume();
            _driver.Run();
        }

        Assert.True(queue.TryTake(out _, out _));
        Assert.True(queue.TryTake(out _, out _));
        Assert.Equal(["2 remove 1", "2 add 0"], Hear());
        Open(2);
        Send(7, "third");
        Assert.Equal(("f", "third"), (Text(_agent), Text(next)));
        Assert.False(_driver.NeedsReset);
    }

    /// <summary>Linux's hvc driver waits for the answer with a lock held.</summary>
    [Fact]
    public void OutputWithoutAPortIsAnswered()
    {
        _driver.Start();
        Send(5, "of no port");
        Assert.False(_driver.NeedsReset);
    }

    [Fact]
    public void RoomForPortsIsThereFromTheStart()
    {
        using MmioDriver driver = new(new ConsoleDevice("c", [], room: 5));
        Assert.Equal(12, driver.Device.Queues.Length);
        Assert.Equal(5u, BinaryPrimitives.ReadUInt32LittleEndian(driver.ReadConfiguration(12).AsSpan(4)));
    }

    private void Open(uint port) => Say(port, ConsoleEvent.PortOpen, 1);

    private void Say(uint port, ushort @event, ushort value)
    {
        ulong at = _driver.Allocate(8);
        Span<byte> message = _driver.Ram(at, 8);
        BinaryPrimitives.WriteUInt32LittleEndian(message, port);
        BinaryPrimitives.WriteUInt16LittleEndian(message[4..], @event);
        BinaryPrimitives.WriteUInt16LittleEndian(message[6..], value);
        Use(3, new DriverBuffer(at, 8, false));
    }

    /// <summary>Gives buffers for messages until none comes.</summary>
    private List<string> Hear()
    {
        List<string> heard = [];
        DriverQueue queue = _driver.Queues[2];
        ulong at = _driver.Allocate(64);
        if (queue.FreeDescriptors == queue.Size)
        {
            queue.Add(new DriverBuffer(at, 64, true));
            _hearAt = at;
        }

        while (true)
        {
            queue.Kick();
            _driver.Run();
            if (!queue.TryTake(out _, out uint written))
            {
                return heard;
            }

            Span<byte> message = _driver.Ram(_hearAt, (int)written);
            string name = BinaryPrimitives.ReadUInt16LittleEndian(message[4..]) switch
            {
                ConsoleEvent.PortAdd => "add",
                ConsoleEvent.PortRemove => "remove",
                ConsoleEvent.VirtioPort => "console",
                ConsoleEvent.PortOpen => "open",
                ConsoleEvent.PortName => "name",
                _ => "?",
            };
            string text = Encoding.UTF8.GetString(message[8..]);
            heard.Add($"{BinaryPrimitives.ReadUInt32LittleEndian(message)} {name} {BinaryPrimitives.ReadUInt16LittleEndian(message[6..])} {text}".TrimEnd());
            queue.Add(new DriverBuffer(_hearAt, 64, true));
        }
    }

    private string Input(int queue, int room)
    {
        ulong at = _driver.Allocate(room);
        uint written = Use(queue, new DriverBuffer(at, (uint)room, true));
        return Encoding.Latin1.GetString(_driver.Ram(at, (int)written));
    }

    private void Send(int queue, string text) => Use(queue, new DriverBuffer(Place(text), (uint)text.Length, false));

    private uint Use(int queue, DriverBuffer buffer)
    {
        _driver.Queues[queue].Add(buffer);
        _driver.Queues[queue].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[queue].TryTake(out _, out uint written), $"queue {queue} doesn't answer");
        return written;
    }

    private ulong Place(string text)
    {
        ulong at = _driver.Allocate(text.Length);
        Encoding.UTF8.GetBytes(text, _driver.Ram(at, text.Length));
        return at;
    }

    private static string Text(FakeBackend backend) => Encoding.UTF8.GetString(backend.Sent.ToArray());
}
