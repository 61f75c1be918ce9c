using System;
using System.Buffers.Binary;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class VsockDeviceTests : IDisposable
{
    private readonly FakeVhost _vhost = new();
    private readonly MmioDriver _driver;

    public VsockDeviceTests() => _driver = _vhost.Join(new MmioDriver(new VsockDevice("v", 0xfffffffe, _vhost)));

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void TheKernelIsToldOfRingsMemoryAndFeatures()
    {
        _driver.Start(64);
        Assert.Equal([$"set up 0x{_driver.Features:x}", "ring 0 of 64 from 0", "ring 1 of 64 from 0", "run"], _vhost.Calls);
        Assert.True(_driver.Has(VsockDevice.FeatureSequencedPackets));
        Assert.Equal(3, _vhost.Memory.Count);
        Assert.Equal((0ul, MmioDriver.RegionBytes), (_vhost.Memory[0].GuestAddress, _vhost.Memory[0].Length));
        Assert.Equal(0xfffffffe, BinaryPrimitives.ReadUInt64LittleEndian(_driver.ReadConfiguration(8)));
    }

    /// <summary>The kernel's interrupt doesn't pass through us: the driver must find the used-ring bit all the same, or it ignores it.</summary>
    [Fact]
    public void TheKernelsInterruptIsShown()
    {
        _driver.Start();
        _driver.Queues[0].Add(new DriverBuffer(_driver.Allocate(16), 16, true));
        _driver.Queues[0].EnableInterrupt();
        _driver.Queues[0].Kick();
        _driver.Run();
        Assert.True(_driver.Interrupt.TakeKernelEdge());
        Assert.Equal(MmioRegister.InterruptQueue, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptQueue);
        _driver.Write(MmioRegister.InterruptAcknowledge, MmioRegister.InterruptQueue);
        Assert.Equal(MmioRegister.InterruptQueue, _driver.Read(MmioRegister.InterruptStatus));
    }

    [Fact]
    public void APauseStopsTheKernelAndLosesNothing()
    {
        _driver.Start(64);
        Send();
        _driver.Device.Quiesce();
        Assert.False(_vhost.IsRunning);
        _driver.Queues[1].Add(new DriverBuffer(_driver.Allocate(16), 16, false));
        _driver.Queues[1].Kick();
        _driver.Run();
        Assert.Equal(1, _vhost.Served);

        _vhost.Calls.Clear();
        _driver.Device.Resume();
        _driver.Run();
        Assert.Equal(2, _vhost.Served);
        Assert.Equal(["ring 0 of 64 from 0", "ring 1 of 64 from 1", "run"], _vhost.Calls[1..]);
    }

    [Fact]
    public void ADriverThatComesWhileItIsPausedIsServedAfterwards()
    {
        _driver.Device.Quiesce();
        _driver.Start();
        Assert.False(_vhost.IsRunning);
        _driver.Device.Resume();
        Assert.True(_vhost.IsRunning);
        Send();
    }

    [Fact]
    public void AResetStopsTheKernelAndBeginsAnew()
    {
        _driver.Start();
        Send();
        _driver.Write(MmioRegister.Status, 0);
        Assert.False(_vhost.IsRunning);
        _vhost.Calls.Clear();
        _driver.Start(32);
        Assert.Contains("ring 1 of 32 from 0", _vhost.Calls);
        Send();
    }

    [Fact]
    public void AQueueThatTheDriverStopsStopsTheKernel()
    {
        _driver.Start();
        _driver.Write(MmioRegister.QueueSelect, 1);
        _driver.Write(MmioRegister.QueueReady, 0);
        Assert.False(_vhost.IsRunning);
        _driver.Device.Quiesce();
        _driver.Device.Resume();
        Assert.False(_vhost.IsRunning);
    }

    [Fact]
    public void WhatTheKernelRefusesIsMisuse()
    {
        _vhost.Refusal = Errno.EFAULT;
        _driver.Start();
        Assert.True(_driver.NeedsReset);
        _vhost.Refusal = 0;
        _driver.Start();
        Send();
    }

    [Fact]
    public void AFaultInARingStopsTheKernel()
    {
        _driver.Start();
        _driver.Queues[1].Publish(ushort.MaxValue);
        _driver.Queues[1].KickAlways();
        _driver.Run();
        Assert.True(_driver.NeedsReset);
        Assert.False(_vhost.IsRunning);
    }

    private void Send()
    {
        int before = _vhost.Served;
        _driver.Queues[1].Add(new DriverBuffer(_driver.Allocate(16), 16, false));
        _driver.Queues[1].Kick();
        _driver.Run();
        Assert.Equal(before + 1, _vhost.Served);
    }
}
