using System;
using System.Buffers.Binary;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class MmioTransportTests : IDisposable
{
    private readonly EchoDevice _device = new();
    private readonly MmioDriver _driver;

    public MmioTransportTests()
    {
        _driver = new MmioDriver(_device);
    }

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void TheDeviceSaysWhatItIs()
    {
        Assert.Equal("virt", System.Text.Encoding.ASCII.GetString(Register(MmioRegister.MagicValue)));
        Assert.Equal(2u, _driver.Read(MmioRegister.Version));
        Assert.Equal(VirtioType.Entropy, _driver.Read(MmioRegister.DeviceId));
        Assert.Equal("STRA", System.Text.Encoding.ASCII.GetString(Register(MmioRegister.VendorId)));
        Assert.Equal(256u, _driver.Read(MmioRegister.QueueSizeMaximum));
        Assert.Equal(EchoDevice.FeatureSpeaksUp | VirtioFeature.Common, _driver.ReadOffer());
        _driver.Write(MmioRegister.DeviceFeaturesSelect, 2);
        Assert.Equal(0u, _driver.Read(MmioRegister.DeviceFeatures));
    }

    [Fact]
    public void ADeviceThatTheHostDoesntServeGivesThePlaceBack()
    {
        _driver.Start();
        EchoDevice next = new() { Refusal = new LinuxException("epoll_ctl", Errno.ENOSPC) };
        Assert.Equal(Errno.ENOSPC, Assert.Throws<LinuxException>(() => _driver.Transport.Replace(next, _driver.Loop)).Errno);
        next.Dispose();
        Assert.Same(_device, _driver.Device);
        Echo();
        Assert.Equal(1, _device.Served);

        // Where the host refuses that, too, the driver is told.
        _device.Refusal = next.Refusal;
        next = new() { Refusal = next.Refusal };
        Assert.Throws<LinuxException>(() => _driver.Transport.Replace(next, _driver.Loop));
        next.Dispose();
        Assert.Same(_device, _driver.Device);
        Assert.True(_driver.NeedsReset);
    }

    [Fact]
    public void DoorbellsThatTheHostRefusesAreAskedForAgain()
    {
        using MmioDriver driver = new(new EchoDevice(), isSpare: true);
        driver.Start();
        driver.Doorbells.Allowed = 1;
        EchoDevice next = new();
        VirtioDevice former = driver.Device;
        Assert.Throws<LinuxException>(() => driver.Transport.Replace(next, driver.Loop));
        Assert.Same(former, driver.Device);
        driver.Doorbells.Allowed = 2;
        driver.Transport.Replace(next, driver.Loop);
        former.Dispose();
        Assert.Equal((next, 2), (driver.Device, driver.Doorbells.Attached));
        Echo(driver);
        Assert.Equal(1, next.Served);
        driver.Transport.Dispose();
        Assert.Equal(0, driver.Doorbells.Attached);
    }

    /// <summary>The first device of a spare slot comes while a vCPU's thread writes its doorbell: it may know the former device still.</summary>
    [Fact]
    public void ADoorbellThatIsWrittenWhileTheFirstDeviceComesIsHeard()
    {
        for (int round = 0; round < 300; round++)
        {
            EchoDevice former = new();
            using MmioDriver driver = new(former, isSpare: true);
            driver.Start();
            driver.StartLoopThread();
            int rings = 0;
            bool over = false;
            Thread vcpu = new(() =>
            {
                while (!Volatile.Read(ref over))
                {
                    driver.Write(MmioRegister.QueueNotify, 1);
                    Volatile.Write(ref rings, rings + 1);
                }
            });
            vcpu.Start();
            SpinWait.SpinUntil(() => Volatile.Read(ref rings) > 0);
            EchoDevice next = new();
            driver.Transport.Replace(next, driver.Loop);
            former.Dispose();
            int before = Volatile.Read(ref rings);
            SpinWait.SpinUntil(() => Volatile.Read(ref rings) > before + 1);
            Volatile.Write(ref over, true);
            vcpu.Join();
            Assert.True(former.DoorbellEvent(0) == next.DoorbellEvent(0) && next.DoorbellEvent(0) >= 0);
            driver.StopLoopThread();
            Echo(driver);
            Assert.Equal(1, next.Served);
        }
    }

    [Fact]
    public void SharedMemoryThatIsNotThereHasLengthMinusOne()
    {
        _driver.Write(MmioRegister.SharedMemorySelect, 0);
        Assert.Equal(uint.MaxValue, _driver.Read(MmioRegister.SharedMemoryLengthLow));
        Assert.Equal(uint.MaxValue, _driver.Read(MmioRegister.SharedMemoryLengthHigh));
        Assert.Equal(uint.MaxValue, _driver.Read(MmioRegister.SharedMemoryBaseLow));
    }

    [Fact]
    public void AChangeOfConfigurationIsSeenAndAnnounced()
    {
        _device.Announce([1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal(0, _driver.Interrupt.Count);
        _driver.Start();
        uint before = _driver.Read(MmioRegister.ConfigurationGeneration);
        _device.Announce([8, 7, 6, 5, 4, 3, 2, 1]);
        Assert.NotEqual(before, _driver.Read(MmioRegister.ConfigurationGeneration));
        Assert.Equal(MmioRegister.InterruptConfiguration, _driver.Read(MmioRegister.InterruptStatus));
        Assert.Equal(1, _driver.Interrupt.Count);
        byte[] two = new byte[2];
        _driver.Transport.Read(MmioRegister.Configuration + 3, two);
        Assert.Equal([5, 4], two);

        // An access over the end: what is there, and zeros.
        byte[] four = [9, 9, 9, 9];
        _driver.Transport.Read(MmioRegister.Configuration + 6, four);
        Assert.Equal([2, 1, 0, 0], four);
    }

    [Fact]
    public void CausesStandUntilEachIsAcknowledged()
    {
        _driver.Start();
        Ask();
        _device.Announce([1]);
        Assert.Equal(3u, _driver.Read(MmioRegister.InterruptStatus));
        _driver.Write(MmioRegister.InterruptAcknowledge, MmioRegister.InterruptQueue);
        Assert.Equal(MmioRegister.InterruptConfiguration, _driver.Read(MmioRegister.InterruptStatus));
        _driver.Write(MmioRegister.InterruptAcknowledge, uint.MaxValue);
        Assert.Equal(0u, _driver.Read(MmioRegister.InterruptStatus));
    }

    [Fact]
    public void AResetClearsCausesQueuesAndFeatures()
    {
        _driver.Start();
        Ask();
        _driver.Write(MmioRegister.Status, 0);
        Assert.Equal(VirtioStatus.None, _driver.Status);
        Assert.Equal(0u, _driver.Read(MmioRegister.InterruptStatus));
        Assert.Equal(0ul, _device.Features);
        for (uint i = 0; i < 2; i++)
        {
            _driver.Write(MmioRegister.QueueSelect, i);
            Assert.Equal(0u, _driver.Read(MmioRegister.QueueReady));
        }
    }

    [Fact]
    public void AResetOfTheMachineIsAResetOfTheDevice()
    {
        _driver.Start();
        _driver.Write(MmioRegister.QueueSelect, 77);
        _driver.Transport.Reset();
        Assert.Equal(VirtioStatus.None, _driver.Status);
        Assert.Equal(256u, _driver.Read(MmioRegister.QueueSizeMaximum));
        DeviceCatalogue.CheckWorks("echo", _driver);
    }

    [Fact]
    public void EachQueueHasADoorbellThatGoesWithTheDevice()
    {
        FakeDoorbells doorbells;
        using (MmioDriver driver = new(new EchoDevice(3)))
        {
            doorbells = driver.Doorbells;
            Assert.Equal(3, doorbells.Attached);
        }

        Assert.Equal(0, doorbells.Attached);
    }

    [Fact]
    public void ADoorbellThatComesToTheBusRingsTheSame()
    {
        _driver.Start();
        _driver.Queues[1].Add(new DriverBuffer(_driver.Allocate(16), 4, true));

        // As a guest's write does where KVM doesn't take it. The vCPU's thread moves no data.
        _driver.Write(MmioRegister.QueueNotify, 1);
        Assert.Equal(0, _driver.Queues[1].UsedIndex);
        _driver.Run();
        Assert.Equal(1, _driver.Queues[1].UsedIndex);
    }

    [Fact]
    public void WhileTheMachineIsPausedNothingIsServedAndNoDoorbellIsLost()
    {
        _driver.Start();
        _device.Quiesce();
        _driver.Queues[0].Add(new DriverBuffer(_driver.Allocate(16), 4, true));
        _driver.Queues[0].Kick();
        _driver.Run();
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        Assert.Equal(0, _driver.Interrupt.Count);
        _device.Resume();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[0].UsedIndex);
        Assert.Equal(1, _driver.Interrupt.Count);
    }

    [Fact]
    public void APauseSurvivesAReset()
    {
        _driver.Start();
        _device.Quiesce();
        _driver.Transport.Reset();
        _driver.Start();
        Ask();
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        _device.Resume();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[0].UsedIndex);
    }

    [Fact]
    public void AQueueThatIsStoppedIsNotServed()
    {
        _driver.Start();
        Ask();
        _driver.Write(MmioRegister.QueueSelect, 0);
        _driver.Write(MmioRegister.QueueReady, 0);
        Assert.Equal(0u, _driver.Read(MmioRegister.QueueReady));
        _driver.Queues[0].Add(new DriverBuffer(_driver.Allocate(16), 4, true));
        _driver.Queues[0].KickAlways();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[0].UsedIndex);

        // The other one goes on.
        _driver.Queues[1].Add(new DriverBuffer(_driver.Allocate(16), 4, true));
        _driver.Queues[1].Kick();
        _driver.Run();
        Assert.Equal(1, _driver.Queues[1].UsedIndex);
    }

    [Fact]
    public void RequestsFromBeforeDriverOkAreServedAtDriverOk()
    {
        _driver.Negotiate();
        DriverQueue queue = _driver.AddQueue(16);
        queue.Add(new DriverBuffer(_driver.Allocate(16), 4, true));
        queue.Kick();
        _driver.Run();
        Assert.Equal(0, queue.UsedIndex);
        _driver.DriverOk();
        _driver.Run();
        Assert.Equal(1, queue.UsedIndex);
    }

    [Fact]
    public void SeveralStepsInOneWriteAreTaken()
    {
        _driver.Write(MmioRegister.Status, 3);
        _driver.WriteFeatures(_driver.ReadOffer());
        _driver.Write(MmioRegister.Status, 15);
        Assert.Equal((VirtioStatus)15, _driver.Status);
    }

    private void Ask()
    {
        _driver.Queues[0].Add(new DriverBuffer(_driver.Allocate(16), 4, true));
        _driver.Queues[0].Kick();
        _driver.Run();
    }

    private byte[] Register(uint register)
    {
        byte[] data = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, _driver.Read(register));
        return data;
    }

    private void Echo() => Echo(_driver);

    private static void Echo(MmioDriver driver)
    {
        ulong at = driver.Allocate(16);
        driver.Queues[0].Add(new DriverBuffer(at, 8, false), new DriverBuffer(at + 8, 8, true));
        driver.Queues[0].KickAlways();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written));
        Assert.Equal(8u, written);
    }
}
