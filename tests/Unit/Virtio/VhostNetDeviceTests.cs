using System;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Net;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

/// <summary>A network device whose frames the kernel moves.</summary>
[Collection(TapCollection.Name)]
public sealed class VhostNetDeviceTests : IDisposable
{
    private const ulong Kernels = VirtioFeature.Common | NetInterface.FeatureMergeableBuffers;

    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1];

    private readonly FakeNet[] _taps = [new(), new()];
    private readonly FakeVhost[] _vhosts = [new() { First = 0 }, new() { First = 2 }];
    private readonly MmioDriver _driver;

    public VhostNetDeviceTests()
    {
        _driver = new MmioDriver(new VhostNetDevice("net", _taps, _vhosts, [2, 0, 0, 0, 0, 1]));
        Array.ForEach(_vhosts, vhost => vhost.Join(_driver));
    }

    public void Dispose()
    {
        _driver.Dispose();
        Assert.All(_vhosts, vhost => Assert.True(vhost.IsDisposed));
    }

    [Fact]
    public void TheKernelGetsThePairsThatAreUsed()
    {
        _driver.Start(64);
        Assert.Equal([$"set up 0x{_driver.Features:x}", "ring 0 of 64 from 0", "ring 1 of 64 from 0", "run"], _vhosts[0].Calls);
        Assert.Equal(Kernels, _driver.Features & Kernels);
        Assert.Empty(_vhosts[1].Calls);
        Send(0);
        SetPairs(2);
        Assert.True(_taps[1].Used && _vhosts[1].IsRunning);
        Assert.Equal(4, _vhosts[0].Calls.Count);
        Send(1);
        SetPairs(1);
        Assert.False(_taps[1].Used || _vhosts[1].IsRunning);
        Assert.True(_vhosts[0].IsRunning);
        Send(0);
        SetPairs(2);
        Assert.Contains("ring 1 of 64 from 1", _vhosts[1].Calls);
        Send(1);
    }

    [Fact]
    public void APauseAndALinkThatIsDownStopTheKernel()
    {
        _driver.Start();
        Send(0);
        _driver.Device.Quiesce();
        Assert.False(_vhosts[0].IsRunning);
        ((NetInterface)_driver.Device).SetLink(false);
        _driver.Device.Resume();
        Assert.False(_vhosts[0].IsRunning);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        ((NetInterface)_driver.Device).SetLink(true);
        Assert.True(_vhosts[0].IsRunning);
        Send(0);
    }

    [Fact]
    public void AResetStopsTheKernelAndBeginsAnew()
    {
        _driver.Start();
        Send(0);
        SetPairs(2);
        _driver.Write(MmioRegister.Status, 0);
        Assert.False(_vhosts[0].IsRunning || _vhosts[1].IsRunning || _taps[1].Used);
        _vhosts[0].Calls.Clear();
        _driver.Start(32);
        Assert.Contains("ring 1 of 32 from 0", _vhosts[0].Calls);
        Send(0);
    }

    [Fact]
    public void ATapThatGoesStopsTheKernel()
    {
        _driver.Start();
        _taps[0].HangUp();
        _driver.Run();
        Assert.False(_vhosts[0].IsRunning);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Assert.False(_driver.NeedsReset);
        Assert.False(_driver.Loop.RunOnce(0), "the loop spins");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void TheKernelGoesOnWhereTheEngineStoppedAndBack(int pairs)
    {
        // The driver starts with an interface that has nothing behind it; then come the kernel's, the engine's, and nothing again.
        FakeVhost[] vhosts = [new() { First = 0 }, new() { First = 2 }];
        FakeNet[] taps = [new(), new()];
        FakeNet[] wires = [new(), new()];
        _driver.Start(64);
        SetPairs((byte)pairs);
        Replace(new NetDevice("none", [new NoBackend(true), new NoBackend(true)], Mac));
        Assert.False(_vhosts[0].IsRunning || _vhosts[1].IsRunning);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        SendNowhere();
        Array.ForEach(vhosts, vhost => vhost.Join(_driver));
        Replace(new VhostNetDevice("kernel", taps, vhosts, Mac));
        Assert.True(vhosts[0].IsRunning);
        Assert.Equal(pairs == 2, vhosts[1].IsRunning);
        Assert.Contains("ring 1 of 64 from 1", vhosts[0].Calls);
        Assert.Equal(1, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        Replace(new NetDevice("engine", wires, Mac));
        Assert.All(vhosts, vhost => Assert.True(vhost.IsDisposed));
        SendNowhere();
        Assert.True(wires[0].Take(new byte[2000]) > 0);
        Assert.False(_driver.NeedsReset);
    }

    [Fact]
    public void NoInterruptOfTheKernelsIsLostWhenItsDeviceGoes()
    {
        _driver.Start(64);
        Assert.False(_driver.Queues[1].EnableInterrupt());
        Send(0);
        Assert.True(_driver.Interrupt.TakeKernelEdge());

        // The guest hasn't come to its handler when the device goes. There it reads what the cause was.
        int before = _driver.Interrupt.Count;
        Replace(new NetDevice("none", [new NoBackend(true), new NoBackend(true)], Mac));
        Assert.True(_driver.Interrupt.Count > before);
        Assert.Equal(MmioRegister.InterruptQueue | MmioRegister.InterruptConfiguration, _driver.Read(MmioRegister.InterruptStatus));
        _driver.Write(MmioRegister.InterruptAcknowledge, uint.MaxValue);
        Assert.Equal(0u, _driver.Read(MmioRegister.InterruptStatus));

        // A wish that lies before the kernel's last answer may have had no interrupt, so the first answer after it is told in any case.
        before = _driver.Interrupt.Count;
        SendNowhere();
        Assert.Equal(before + 1, _driver.Interrupt.Count);
        Assert.Equal(MmioRegister.InterruptQueue, _driver.Read(MmioRegister.InterruptStatus));
        SendNowhere();
        Assert.Equal(before + 1, _driver.Interrupt.Count);
    }

    [Fact]
    public void WhatTheKernelRefusesOfADeviceThatComesIsToldAndTheFormerStays()
    {
        FakeVhost[] vhosts = [new() { First = 0 }, new() { First = 2 }];
        VirtioDevice none = new NetDevice("none", [new NoBackend(true), new NoBackend(true)], Mac);
        _driver.Start(64);
        SetPairs(2);
        Replace(none);
        Array.ForEach(vhosts, vhost => vhost.Join(_driver));
        vhosts[1].Refusal = Errno.EFAULT;
        VhostNetDevice kernel = new("kernel", [new FakeNet(), new FakeNet()], vhosts, Mac);
        Assert.Throws<LinuxException>(() => _driver.Transport.Replace(kernel, _driver.Loop));
        kernel.Dispose();
        Assert.Same(none, _driver.Device);
        Assert.All(vhosts, vhost => Assert.False(vhost.IsRunning));
        Assert.False(_driver.NeedsReset);
        Assert.Equal(0, _driver.ReadConfiguration(8)[NetInterface.StatusOffset]);
        SendNowhere();

        // And the place serves another.
        FakeNet wire = new();
        Replace(new NetDevice("engine", [wire, new FakeNet()], Mac));
        SendNowhere();
        Assert.True(wire.Take(new byte[2000]) > 0);
    }

    [Fact]
    public void WhatTheKernelRefusesIsMisuse()
    {
        _vhosts[0].Refusal = Errno.EFAULT;
        _driver.Start();
        Assert.True(_driver.NeedsReset);
        _vhosts[0].Refusal = 0;
        _driver.Start();
        Send(0);
    }

    [Fact]
    public void AFaultInARingStopsTheKernel()
    {
        _driver.Start();
        SetPairs(2);
        _driver.Queues[3].Publish(ushort.MaxValue);
        _driver.Queues[3].KickAlways();
        _driver.Run();
        Assert.True(_driver.NeedsReset);
        Assert.False(_vhosts[0].IsRunning || _vhosts[1].IsRunning);
    }

    [Fact]
    public void AControlQueueWithoutPairsIsRefused()
    {
        _driver.Negotiate(VirtioFeature.Version1 | NetInterface.FeatureControlQueue);
        Assert.False(_driver.Status.HasFlag(VirtioStatus.FeaturesOk));
    }

    /// <summary>The kernel's own vhost-net takes what the device tells it.</summary>
    [Fact]
    public void TheKernelItselfTakesTheRings()
    {
        using TemporaryTap tap = new();
        int fd = Libc.Open(VhostNetFile.Path, Libc.O_RDWR);
        Assert.SkipUnless(fd >= 0, "needs /dev/vhost-net");
        TapDevice queue = TapOpener.Open(new() { Interface = tap.Name, Where = "-netdev ifname" }, "n")[0];
        using MmioDriver driver = new(new VhostNetDevice("net", [queue], [new VhostNetFile(new FileDescriptor(fd))], [2, 0, 0, 0, 0, 1]));
        driver.Start();
        Assert.False(driver.NeedsReset);
        driver.Device.Quiesce();
        driver.Device.Resume();
        Assert.False(driver.NeedsReset);
    }

    private void Replace(VirtioDevice next)
    {
        VirtioDevice old = _driver.Device;
        _driver.Transport.Replace(next, _driver.Loop);
        old.Dispose();
    }

    private void SendNowhere()
    {
        ulong at = _driver.Allocate(100);
        _driver.Queues[1].Add(new DriverBuffer(at, 100, false));
        _driver.Queues[1].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[1].TryTake(out _, out _));
    }

    private void Send(int pair)
    {
        int before = _vhosts[pair].Served;
        _driver.Queues[(2 * pair) + 1].Add(new DriverBuffer(_driver.Allocate(64), 64, false));
        _driver.Queues[(2 * pair) + 1].Kick();
        _driver.Run();
        Assert.Equal(before + 1, _vhosts[pair].Served);
    }

    private void SetPairs(byte count)
    {
        ulong at = _driver.Allocate(5);
        new byte[] { NetInterface.ControlMultiqueue, NetInterface.ControlSetPairs, count, 0, 0xee }.CopyTo(_driver.Ram(at, 5));
        _driver.Queues[4].Add(new DriverBuffer(at, 4, false), new DriverBuffer(at + 4, 1, true));
        _driver.Queues[4].Kick();
        _driver.Run();
        Assert.Equal(NetInterface.ControlOk, _driver.Ram(at + 4, 1)[0]);
    }
}
