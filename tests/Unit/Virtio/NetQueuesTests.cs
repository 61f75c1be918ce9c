using System;
using System.Buffers.Binary;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>A network device of several queue pairs, and the link that is taken up and down.</summary>
public sealed class NetQueuesTests : IDisposable
{
    private const int Pairs = 4;
    private const ulong Control = NetInterface.FeatureControlQueue;
    private const ulong Multiqueue = NetInterface.FeatureMultiqueue;
    private const int ControlQueue = 2 * Pairs;

    private readonly FakeNet[] _nets = [new(), new(), new(), new()];
    private readonly MmioDriver _driver;

    public NetQueuesTests() => _driver = new MmioDriver(new NetDevice("net", _nets, [2, 0, 0, 0, 0, 1]));

    private NetInterface Device => (NetInterface)_driver.Device;

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void TheConfigurationHasThePairs()
    {
        Assert.Equal(Pairs, BinaryPrimitives.ReadUInt16LittleEndian(_driver.ReadConfiguration(10).AsSpan(8)));
        Assert.Equal(Control | Multiqueue, _driver.ReadOffer() & (Control | Multiqueue));
        _driver.Negotiate(VirtioFeature.Version1 | Multiqueue);
        Assert.False(_driver.Status.HasFlag(VirtioStatus.FeaturesOk));
    }

    [Fact]
    public void APairCarriesFramesWhenTheDriverTakesIt()
    {
        _driver.Start();
        for (int pair = 0; pair < Pairs; pair++)
        {
            GiveBuffers(pair);
            Assert.True(_nets[pair].Put(new byte[72]));
        }

        _driver.Run();
        Assert.Equal([1, 0, 0, 0], Received());
        Assert.Equal(NetInterface.ControlOk, Command(ControlQueue, 4, 0, 3, 0));
        Assert.Equal([false, true, true, false], Array.ConvertAll(_nets, net => net.Used));
        _driver.Run();
        Assert.Equal([1, 1, 1, 0], Received());
        Send(2);
        Assert.Equal(64, _nets[2].Take(new byte[100]));

        // What a pair that isn't used sends goes nowhere.
        Send(3);
        Assert.Equal(-1, _nets[3].Take(new byte[100]));
        Assert.Equal(1, _driver.Queues[7].UsedIndex);
        Assert.Equal(NetInterface.ControlOk, Command(ControlQueue, 4, 0, 1, 0));
        Assert.Equal([false, false, false, false], Array.ConvertAll(_nets, net => net.Used));
        Assert.True(_nets[2].Put(new byte[72]));
        _driver.Run();
        Assert.Equal([1, 1, 1, 0], Received());
        Assert.False(_driver.Loop.RunOnce(0), "the loop spins");
    }

    [Fact]
    public void AResetGoesBackToOnePair()
    {
        _driver.Start();
        Assert.Equal(NetInterface.ControlOk, Command(ControlQueue, 4, 0, 4, 0));
        _driver.Write(MmioRegister.Status, 0);
        Assert.All(_nets, net => Assert.False(net.Used));
    }

    [Theory]
    [InlineData(4, 0, 0, 0)]
    [InlineData(4, 0, 5, 0)]
    [InlineData(4, 0, 1, 1)]
    [InlineData(4, 1, 1, 0)]
    [InlineData(0, 0, 1)]
    [InlineData(4, 0, 1)]
    [InlineData(4)]
    public void WhatIsNoCommandIsRefused(params int[] command)
    {
        _driver.Start();
        Assert.Equal(NetInterface.ControlError, Command(ControlQueue, command));
        Assert.False(_driver.NeedsReset);
    }

    [Fact]
    public void ACommandWithoutRoomForItsAnswerIsMisuse()
    {
        _driver.Start();
        _driver.Queues[ControlQueue].Add(new DriverBuffer(_driver.Allocate(4), 4, false));
        _driver.Queues[ControlQueue].Kick();
        _driver.Run();
        Assert.True(_driver.NeedsReset);
    }

    /// <summary>5.1.2: it stands behind the first pair for who doesn't know of others.</summary>
    [Fact]
    public void ADriverWithoutPairsHasItsControlQueueElsewhere()
    {
        _driver.Start(wanted: ~Multiqueue);
        Assert.Equal(NetInterface.ControlError, Command(2, 1, 0));
        Assert.False(_driver.NeedsReset);
    }

    [Fact]
    public void ALinkThatIsDownCarriesNothing()
    {
        _driver.Start();
        GiveBuffers(0);
        _driver.Run();
        Device.SetLink(false);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.NotEqual(0u, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
        Assert.True(_nets[0].Put(new byte[72]));
        Send(0);
        Assert.Equal([0, 0, 0, 0], Received());
        Assert.Equal(1, _driver.Queues[1].UsedIndex);
        Assert.Equal(-1, _nets[0].Take(new byte[100]));
        Assert.False(_driver.Loop.RunOnce(0), "the loop spins");
        _driver.Write(MmioRegister.InterruptAcknowledge, MmioRegister.InterruptConfiguration);

        Device.SetLink(true);
        Assert.Equal(1, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.NotEqual(0u, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
        _driver.Run();
        Assert.Equal([1, 0, 0, 0], Received());
        Send(0);
        Assert.Equal(64, _nets[0].Take(new byte[100]));
    }

    [Fact]
    public void ALinkWithoutItsOtherSideStaysDown()
    {
        int lost = 0;
        Device.Lost = () => lost++;
        _driver.Start();
        _nets[0].HangUp();
        _nets[1].HangUp();
        _driver.Run();
        Assert.Equal(1, lost);
        Device.SetLink(false);
        Device.SetLink(true);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
    }

    private void GiveBuffers(int pair)
    {
        for (int i = 0; i < 60; i++)
        {
            _driver.Queues[2 * pair].Add(new DriverBuffer(_driver.Allocate(2048), 2048, true));
        }

        _driver.Queues[2 * pair].Kick();
    }

    private int[] Received() => Array.ConvertAll([0, 2, 4, 6], queue => (int)_driver.Queues[queue].UsedIndex);

    private void Send(int pair)
    {
        _driver.Queues[(2 * pair) + 1].Add(new DriverBuffer(_driver.Allocate(64), 64, false));
        _driver.Queues[(2 * pair) + 1].Kick();
        _driver.Run();
    }

    private byte Command(int queue, params int[] command)
    {
        ulong at = _driver.Allocate(command.Length + 1);
        Array.ConvertAll(command, value => (byte)value).CopyTo(_driver.Ram(at, command.Length));
        _driver.Ram(at + (ulong)command.Length, 1)[0] = 0xee;
        _driver.Queues[queue].Add(new DriverBuffer(at, (uint)command.Length, false), new DriverBuffer(at + (ulong)command.Length, 1, true));
        _driver.Queues[queue].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[queue].TryTake(out _, out uint written));
        Assert.Equal(1u, written);
        return _driver.Ram(at + (ulong)command.Length, 1)[0];
    }
}
