using System;
using System.Collections.Generic;
using System.Text;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>A console's ports when a machine is saved, and what may be another thing when it is restored.</summary>
public sealed class ConsoleRestoreTests : IDisposable
{
    private MmioDriver? _driver;

    public void Dispose() => _driver?.Dispose();

    [Theory]
    [InlineData(5)]
    [InlineData(0)]
    public void OutputThatIsHalfSentGoesOnWhereItWas(int room)
    {
        FakeBackend first = new() { Keeps = true, OutputRoom = room };
        _driver = new MmioDriver(Console(first));
        StartPort();
        ulong at = _driver.Allocate(40);
        Text(at, "hello, world");
        _driver.Queues[5].Add(new DriverBuffer(at, 7, false), new DriverBuffer(at + 7, 5, false));
        ulong next = _driver.Allocate(16);
        Text(next, "; more");
        _driver.Queues[5].Add(new DriverBuffer(next, 6, false));
        _driver.Queues[5].Kick();
        _driver.Run();
        Assert.Equal(0, _driver.Queues[5].UsedIndex);
        Assert.Equal(room, first.Sent.Count);
        FakeBackend second = new() { Keeps = true };
        SnapshotSection saved = _driver.Save();
        _driver.Restore(() => Console(second), saved);
        Assert.Equal(saved.Data.ToArray(), _driver.WriteState().Data.ToArray());
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal("hello, world; more", Encoding.ASCII.GetString([.. first.Sent, .. second.Sent]));
        Assert.Equal(2, _driver.Queues[5].UsedIndex);
    }

    [Fact]
    public void InputThatTheGuestHadNoRoomForComesAfterwards()
    {
        FakeBackend first = new();
        _driver = new MmioDriver(Console(first));
        StartPort();
        first.Frontend!.Receive("typed"u8);
        _driver.Run();
        FakeBackend second = new();
        _driver.Restore(() => Console(second), _driver.Save());
        _driver.Device.Resume();
        second.Frontend!.Receive(" more"u8);
        _driver.Run();
        ulong at = _driver.Allocate(64);
        _driver.Queues[4].Add(new DriverBuffer(at, 64, true));
        _driver.Queues[4].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[4].TryTake(out _, out uint written));
        Assert.Equal("typed more"u8.ToArray(), _driver.Ram(at, (int)written).ToArray());
    }

    /// <summary>Who was there when the machine was saved has gone, or somebody has come: the guest is told that alone.</summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void AnotherPeerIsTold(bool before, bool after)
    {
        _driver = new MmioDriver(Console(new FakeBackend { HasPeer = before }));
        StartPort();
        List<ulong> buffers = [];
        for (int i = 0; i < 4; i++)
        {
            buffers.Add(_driver.Allocate(64));
            _driver.Queues[2].Add(new DriverBuffer(buffers[i], 64, true));
        }

        _driver.Queues[2].Kick();
        _driver.Restore(() => Console(new FakeBackend { HasPeer = after }), _driver.Save());
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(before != after, _driver.Queues[2].TryTake(out _, out _));
        if (before != after)
        {
            Assert.Equal([1, 0, 0, 0, (byte)ConsoleEvent.PortOpen, 0, after ? (byte)1 : (byte)0, 0], _driver.Ram(buffers[0], 8).ToArray());
            Assert.False(_driver.Queues[2].TryTake(out _, out _));
        }
    }

    [Fact]
    public void APortThatIsMissingOrAnotherIsRefused()
    {
        _driver = new MmioDriver(Console(new FakeBackend()));
        StartPort();
        SnapshotSection saved = _driver.Save();
        Refused(() => new ConsoleDevice("c", [new VirtioPort(0, isConsole: true, null, new FakeBackend())], room: 2), saved, "it has no port 1, which the guest's driver knows");
        Refused(() => Console(new FakeBackend(), "other"), saved, "its port 1 is another than the one that the guest's driver knows as 'agent'");
        Refused(() => new ConsoleDevice("c", [new VirtioPort(0, isConsole: true, null, new FakeBackend())]), saved, "queues, and had");
    }

    [Fact]
    public void APortThatTheSnapshotHadntComesAsIfPluggedIn()
    {
        _driver = new MmioDriver(new ConsoleDevice("c", [new VirtioPort(0, isConsole: true, null, new FakeBackend())], room: 2));
        _driver.Start(32);
        Tell(0, ConsoleEvent.DeviceReady, 1);
        List<ulong> buffers = [];
        for (int i = 0; i < 4; i++)
        {
            buffers.Add(_driver.Allocate(64));
            _driver.Queues[2].Add(new DriverBuffer(buffers[i], 64, true));
        }

        _driver.Queues[2].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[2].TryTake(out _, out _));
        _driver.Restore(() => Console(new FakeBackend()), _driver.Save());
        _driver.Device.Resume();
        _driver.Run();
        Assert.True(_driver.Queues[2].TryTake(out _, out _));
        Assert.Equal([1, 0, 0, 0, (byte)ConsoleEvent.PortAdd, 0], _driver.Ram(buffers[1], 6).ToArray());
    }

    private static ConsoleDevice Console(FakeBackend backend, string name = "agent") =>
        new("c", [new VirtioPort(0, isConsole: true, null, new FakeBackend()), new VirtioPort(1, isConsole: false, name, backend)]);

    private void Refused(Func<VirtioDevice> make, SnapshotSection saved, string reason)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => _driver!.Restore(make, saved));
        Assert.Equal(("SnapshotMismatch", "-incoming"), (error.Id, error.Where));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    /// <summary>The driver as Linux starts it, up to port 1 open.</summary>
    private void StartPort()
    {
        _driver!.Start(32);
        Tell(0, ConsoleEvent.DeviceReady, 1);
        Tell(0, ConsoleEvent.PortReady, 0);
        Hear(2);
        Tell(1, ConsoleEvent.PortReady, 1);
        Hear(2);
        Tell(1, ConsoleEvent.PortOpen, 1);
    }

    /// <summary>Takes messages of the device, as many as it has.</summary>
    private void Hear(int most)
    {
        for (int i = 0; i < most; i++)
        {
            _driver!.Queues[2].Add(new DriverBuffer(_driver.Allocate(64), 64, true));
            _driver.Queues[2].Kick();
            _driver.Run();
            Assert.True(_driver.Queues[2].TryTake(out _, out _));
        }
    }

    private void Tell(byte port, ushort what, byte value)
    {
        ulong at = _driver!.Allocate(8);
        new byte[] { port, 0, 0, 0, (byte)what, 0, value, 0 }.CopyTo(_driver.Ram(at, 8));
        _driver.Queues[3].Add(new DriverBuffer(at, 8, false));
        _driver.Queues[3].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[3].TryTake(out _, out _));
    }

    private void Text(ulong at, string text) => Encoding.ASCII.GetBytes(text).CopyTo(_driver!.Ram(at, text.Length));
}
