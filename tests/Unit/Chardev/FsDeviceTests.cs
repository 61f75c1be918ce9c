using System;
using System.Text;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

public sealed class FsDeviceTests : IDisposable
{
    private readonly VhostUserPeer _peer;
    private readonly MmioDriver _driver;

    public FsDeviceTests()
    {
        _peer = new VhostUserPeer(out FileDescriptor near) { Base = 9UL << 32 }.Start();
        _driver = new MmioDriver(
            new FsDevice("fs", "tag", new VhostUserSocket(near, VirtioFeature.Common, TimeSpan.FromSeconds(30))), sharedMemory: true);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _peer.Dispose();
    }

    [Theory]
    [InlineData("tag")]
    [InlineData("ünïcode")]
    [InlineData("123456789012345678901234567890123456")]
    public void TheConfigurationTellsTagAndQueues(string tag)
    {
        using MmioDriver driver = new(new FsDevice("fs", tag, new FakeVhost()));
        byte[] configuration = driver.ReadConfiguration(FsDevice.ConfigurationBytes + 4);
        Assert.Equal(tag, Encoding.UTF8.GetString(configuration.AsSpan(0, 36)).TrimEnd('\0'));
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 0], configuration[36..]);
        Assert.Equal(26u, driver.Read(MmioRegister.DeviceId));
    }

    [Fact]
    public void ThePeerGetsRingsDoorbellsInterruptsAndTheWholeMemory()
    {
        _driver.Start(64);
        Assert.False(_driver.NeedsReset);
        Assert.Contains("SetRingEnable 0", _peer.Requests);
        Assert.Equal("SetRingEnable 1", _peer.Requests[^1]);
        Assert.Equal(3, BitConverter.ToInt32(_peer.Payloads[VhostUserRequest.SetMemoryTable]));

        // The second region follows the first in the one file; what is written here is read there.
        _driver.Ram(MmioDriver.Seam, 4)[0] = 42;
        byte[] there = new byte[1];
        Assert.Equal(1, Libc.PRead(_peer.Files[VhostUserRequest.SetMemoryTable][1], there, (long)MmioDriver.RegionBytes));
        Assert.Equal(42, there[0]);

        _driver.Queues[1].Add(new DriverBuffer(_driver.Allocate(16), 16, false));
        Assert.True(Libc.DrainEventFd(_peer.Files[VhostUserRequest.SetRingKick][0]));
        _driver.Queues[1].KickAlways();
        Assert.True(Libc.DrainEventFd(_peer.Files[VhostUserRequest.SetRingKick][0]));
        Libc.SignalEventFd(_peer.Files[VhostUserRequest.SetRingCall][0]);
        Assert.True(_driver.Interrupt.TakeKernelEdge());
    }

    [Fact]
    public void AServerThatKeepsTheQueuesIsEndedBeforeTheMachineGoesOn()
    {
        FakeVhost vhost = new() { AtOnce = true };
        using MmioDriver driver = new(new FsDevice("fs", "tag", vhost));
        vhost.Join(driver);
        driver.Start(64);
        Assert.False(vhost.IsAbandoned);
        vhost.Silence = Errno.ETIMEDOUT;
        driver.Device.Reset();
        Assert.True(vhost.IsAbandoned);
    }

    [Fact]
    public void APauseTakesTheQueuesBackAndGivesThemAgainFromThere()
    {
        _driver.Start(64);
        _driver.Device.Quiesce();
        Assert.Equal(["GetRingBase 0", "GetRingBase 1"], _peer.Requests[^2..]);
        _driver.Device.Resume();
        Assert.Equal(1 | (9UL << 32), BitConverter.ToUInt64(_peer.Payloads[VhostUserRequest.SetRingBase]));
        Assert.Equal("SetRingEnable 1", _peer.Requests[^1]);

        // A reset begins anew.
        _driver.Start(32);
        Assert.Equal(1, BitConverter.ToInt64(_peer.Payloads[VhostUserRequest.SetRingBase]));
        Assert.False(_driver.NeedsReset);
    }

    [Fact]
    public void WithoutItsPeerTheDeviceWaitsForAResetForEver()
    {
        _driver.Start();
        _peer.End();
        Assert.True(_driver.Loop.RunOnce(30_000));
        Assert.True(_driver.NeedsReset);
        _driver.Run();
        Assert.False(_driver.Loop.RunOnce(0), "the loop has no rest");
        for (int i = 0; i < 2; i++)
        {
            _driver.Start();
            Assert.True(_driver.NeedsReset);
        }

        _driver.Device.Quiesce();
        _driver.Device.Resume();
    }

    [Fact]
    public void APeerThatTellsOfABrokenRingStopsTheDevice()
    {
        _driver.Start();
        Libc.SignalEventFd(_peer.Files[VhostUserRequest.SetRingError][0]);
        _driver.Run();
        Assert.True(_driver.NeedsReset);
        Assert.Equal("GetRingBase 1", _peer.Requests[^1]);
        _driver.Start();
        Assert.False(_driver.NeedsReset);
    }
}
