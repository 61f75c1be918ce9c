using System;
using System.Buffers.Binary;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>One virtio device behind the registers of virtio over MMIO (VIRTIO 1.2, 4.2).</summary>
/// <remarks>
/// Registers are served on vCPU threads, one at a time, but for the three that a running driver uses: the interrupt's
/// two and the doorbell take no lock. The doorbell is an ioeventfd per queue; a write that reaches the engine all the
/// same signals the same eventfd, so queues are served on the loop and nowhere else.
/// A write out of turn (a queue's registers after it is ready, a status that goes back, a queue that isn't there) has
/// no effect and is logged; a queue that can't work puts the device into NEEDS_RESET.
/// </remarks>
internal sealed class MmioTransport : IBusDevice, IVirtioInterrupts, IDisposable
{
    /// <summary>Bytes of the range: registers, and 256 bytes of configuration space.</summary>
    public const ulong Length = 0x200;

    private const string Room = "virtio-mmio";

    private readonly Lock _registers = new();
    private readonly RateLimit _log = new();
    private readonly IEventInterruptLine _interruptLine;
    private readonly IDoorbells _doorbells;
    private readonly StatusMachine _status;
    private volatile VirtioDevice _device;
    private int _doorbellCount;
    private uint _interruptStatus;
    private uint _deviceFeaturesSelect;
    private uint _driverFeaturesSelect;
    private uint _queueSelect;

    /// <summary>Plugs <paramref name="device"/>, which the transport then owns, into the loop that serves its queues.</summary>
    /// <remarks>Before the loop runs, or on its thread.</remarks>
    /// <param name="device">The device.</param>
    /// <param name="memory">The guest's.</param>
    /// <param name="interruptLine">The slot's line.</param>
    /// <param name="doorbells">Where the queues' doorbells are attached.</param>
    /// <param name="loop">What serves the device.</param>
    /// <param name="isSpare">Whether nothing is there yet: doorbells, which cost the kernel some time each, are attached when a device comes, and go through the engine before.</param>
    public MmioTransport(VirtioDevice device, GuestMemory memory, IEventInterruptLine interruptLine, IDoorbells doorbells, EventLoop loop, bool isSpare = false)
    {
        _device = device;
        _interruptLine = interruptLine;
        _doorbells = doorbells;
        Loop = loop;
        _status = new StatusMachine(_log) { Device = device };
        device.Plug(memory, loop, this);
        if (!isSpare)
        {
            AttachDoorbells();
        }
    }

    /// <summary>What is behind the registers now; the transport owns it.</summary>
    public VirtioDevice Device => _device;

    public int QueueEvent => _interruptLine.EventFd;

    /// <summary>What serves the device.</summary>
    public EventLoop Loop { get; private set; }

    /// <summary>Puts another device, which the transport then owns, behind the registers; the driver is told that the configuration changed, and sees no other difference.</summary>
    /// <remarks>
    /// Nothing of the driver's requests to the former device is under way when this returns; that one is the caller's to dispose.
    /// Doorbells that no ioeventfd takes yet come on vCPU threads meanwhile, which may know the former device still: both have the same.
    /// </remarks>
    /// <param name="next">Offers the same queues.</param>
    /// <param name="loop">What serves it.</param>
    /// <exception cref="LinuxException">The host refuses to serve it: the former device has its place still, and <paramref name="next"/> is the caller's to dispose.</exception>
    public void Replace(VirtioDevice next, EventLoop loop)
    {
        lock (_registers)
        {
            AttachDoorbells();
            VirtioDevice former = _device;
            EventLoop formerLoop = Loop;
            Swap(next, loop);
            try
            {
                loop.Invoke(() => next.Enter(loop));
            }
            catch (LinuxException)
            {
                Swap(former, formerLoop);
                Restore();
                throw;
            }
        }
    }

    /// <summary>Power-on state, for a reset of the machine. With the vCPUs stopped; doorbells and loop stay.</summary>
    public void Reset()
    {
        lock (_registers)
        {
            ResetDevice();
            _deviceFeaturesSelect = _driverFeaturesSelect = _queueSelect = 0;
        }
    }

    /// <summary>Writes registers and device. With the vCPUs stopped and the device quiesced.</summary>
    public void Save(StateWriter state)
    {
        lock (_registers)
        {
            // The kernel's interrupts leave no cause. Of one that the driver hasn't answered yet it would find none where the engine serves the queues.
            state.U32(Volatile.Read(ref _interruptStatus) | (Device.KernelSignalsQueues ? MmioRegister.InterruptQueue : 0));
            state.U32(_deviceFeaturesSelect);
            state.U32(_driverFeaturesSelect);
            state.U32(_queueSelect);
            _status.Save(state);
            Device.Save(state);
        }
    }

    /// <summary>Takes what <see cref="Save"/> wrote. Before anything runs, when the interrupt controllers are as they were; the device stays quiesced.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotMismatch, SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        _interruptStatus = state.U32();
        _deviceFeaturesSelect = state.U32();
        _driverFeaturesSelect = state.U32();
        _queueSelect = state.U32();
        _status.Restore(state);
        Device.Restore(state);
        state.End();
        if ((_interruptStatus & ~(MmioRegister.InterruptQueue | MmioRegister.InterruptConfiguration)) != 0)
        {
            throw state.Damaged($"the interrupts 0x{_interruptStatus:x} can't be");
        }

        // KVM brings an eventfd's edge to the interrupt controllers by a work queue: the last one may not have been there when they were
        // saved. One too many finds nothing to do; one too few stops the device.
        if (_interruptStatus != 0)
        {
            _interruptLine.Trigger();
        }
    }

    public void Read(ulong offset, Span<byte> data)
    {
        if (offset >= MmioRegister.Configuration)
        {
            Device.ReadConfiguration(offset - MmioRegister.Configuration, data);
            return;
        }

        data.Clear();
        if (!IsRegister(offset, data.Length))
        {
            Complain("read", offset, data.Length);
            return;
        }

        uint value;
        if (offset == MmioRegister.InterruptStatus)
        {
            value = Volatile.Read(ref _interruptStatus) | (Device.KernelSignalsQueues ? MmioRegister.InterruptQueue : 0);
        }
        else
        {
            lock (_registers)
            {
                value = ReadRegister((uint)offset);
            }
        }

        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset >= MmioRegister.Configuration)
        {
            if (!Device.WriteConfiguration(offset - MmioRegister.Configuration, data))
            {
                Complain("write", offset, data.Length);
            }

            return;
        }

        if (!IsRegister(offset, data.Length))
        {
            Complain("write", offset, data.Length);
            return;
        }

        uint value = BinaryPrimitives.ReadUInt32LittleEndian(data);
        switch ((uint)offset)
        {
            case MmioRegister.QueueNotify:
                Notify(value);
                break;
            case MmioRegister.InterruptAcknowledge:
                Interlocked.And(ref _interruptStatus, ~value);
                break;
            default:
                lock (_registers)
                {
                    WriteRegister((uint)offset, value);
                }

                break;
        }
    }

    public void SignalQueue(int queue) => Interrupt(MmioRegister.InterruptQueue);

    public void SignalConfiguration() => Interrupt(MmioRegister.InterruptConfiguration);

    public void Dispose()
    {
        while (_doorbellCount > 0)
        {
            _doorbellCount--;
            _doorbells.Detach(MmioRegister.QueueNotify, (uint)_doorbellCount, Device.DoorbellEvent(_doorbellCount));
        }

        Device.Dispose();
    }

    /// <summary>Attaches those that aren't yet; what the host refuses is asked for again the next time.</summary>
    private void AttachDoorbells()
    {
        for (; _doorbellCount < Device.Queues.Length; _doorbellCount++)
        {
            _doorbells.Attach(MmioRegister.QueueNotify, (uint)_doorbellCount, Device.DoorbellEvent(_doorbellCount));
        }
    }

    private void Swap(VirtioDevice next, EventLoop loop)
    {
        VirtioDevice former = _device;
        former.HandOver(next);
        _device = next;
        _status.Device = next;
        Loop = loop;
        if (former.KernelSignalsQueues)
        {
            // The kernel's interrupts leave no cause. Of one that the driver hasn't answered yet it would find none, and skip its queues.
            Interrupt(MmioRegister.InterruptQueue);
        }
    }

    /// <summary>The device that has its place back is served again, or asks the driver for a reset where the host refuses that, too.</summary>
    private void Restore()
    {
        try
        {
            Loop.Invoke(() => _device.Enter(Loop));
        }
        catch (LinuxException e)
        {
            _device.Fail($"the host doesn't serve it any more ({e.Message})");
        }
    }

    // 4.2.2.2: registers are 32 bits wide, and accessed so.
    private static bool IsRegister(ulong offset, int length) => length == sizeof(uint) && offset % sizeof(uint) == 0;

    private void Interrupt(uint cause)
    {
        // The cause is visible before the edge, so the driver that the edge wakes finds it.
        Interlocked.Or(ref _interruptStatus, cause);
        _interruptLine.Trigger();
    }

    private void Notify(uint queue)
    {
        VirtioDevice device = Device;
        if (queue < (uint)device.Queues.Length)
        {
            Libc.SignalEventFd(device.DoorbellEvent((int)queue));
            return;
        }

        Complain("notification of queue", queue, sizeof(uint));
    }

    private uint ReadRegister(uint register) => register switch
    {
        MmioRegister.MagicValue => MmioRegister.Magic,
        MmioRegister.Version => MmioRegister.CurrentVersion,
        MmioRegister.DeviceId => Device.Type,
        MmioRegister.VendorId => MmioRegister.Vendor,
        MmioRegister.DeviceFeatures => _deviceFeaturesSelect < 2 ? (uint)(Device.OfferedFeatures >> (32 * (int)_deviceFeaturesSelect)) : 0,
        MmioRegister.QueueSizeMaximum => (uint)(SelectedQueue?.MaximumSize ?? 0),
        MmioRegister.QueueReady => SelectedQueue is { Enabled: true } ? 1u : 0,
        MmioRegister.Status => (uint)_status.Value,
        MmioRegister.ConfigurationGeneration => Device.ConfigurationGeneration,

        // 4.2.2: a region of shared memory that isn't there has length and base -1.
        MmioRegister.SharedMemoryLengthLow or MmioRegister.SharedMemoryLengthHigh => uint.MaxValue,
        MmioRegister.SharedMemoryBaseLow or MmioRegister.SharedMemoryBaseHigh => uint.MaxValue,
        _ => 0,
    };

    private void WriteRegister(uint register, uint value)
    {
        switch (register)
        {
            case MmioRegister.DeviceFeaturesSelect:
                _deviceFeaturesSelect = value;
                break;
            case MmioRegister.DriverFeaturesSelect:
                _driverFeaturesSelect = value;
                break;
            case MmioRegister.DriverFeatures:
                _status.WriteFeatures(_driverFeaturesSelect, value);
                break;
            case MmioRegister.QueueSelect:
                _queueSelect = value;
                break;
            case MmioRegister.Status:
                if (value == 0)
                {
                    ResetDevice();
                }
                else
                {
                    _status.Write(value);
                }

                break;
            case MmioRegister.SharedMemorySelect:
                break;
            default:
                WriteQueueRegister(register, value);
                break;
        }
    }

    private void WriteQueueRegister(uint register, uint value)
    {
        VirtQueue? queue = SelectedQueue;
        if (queue is { Enabled: true } && register == MmioRegister.QueueReady && value == 0)
        {
            // 4.2.2.2: how a driver stops a queue, at any time.
            Device.DisableQueue((int)_queueSelect);
            return;
        }

        if (queue is null || queue.Enabled || !_status.QueuesOpen)
        {
            Complain("write out of turn", register, sizeof(uint));
            return;
        }

        switch (register)
        {
            case MmioRegister.QueueSize:
                queue.Size = value;
                break;
            case MmioRegister.DescriptorLow or MmioRegister.DescriptorHigh:
                queue.DescriptorTable = WithHalf(queue.DescriptorTable, register, value);
                break;
            case MmioRegister.AvailableLow or MmioRegister.AvailableHigh:
                queue.AvailableRing = WithHalf(queue.AvailableRing, register, value);
                break;
            case MmioRegister.UsedLow or MmioRegister.UsedHigh:
                queue.UsedRing = WithHalf(queue.UsedRing, register, value);
                break;
            case MmioRegister.QueueReady:
                if (value == 1)
                {
                    Device.EnableQueue((int)_queueSelect);
                }

                break;
            default:
                Complain("write", register, sizeof(uint));
                break;
        }
    }

    private void ResetDevice()
    {
        _status.Reset();
        Volatile.Write(ref _interruptStatus, 0);
    }

    private VirtQueue? SelectedQueue => _queueSelect < (uint)Device.Queues.Length ? Device.Queues[(int)_queueSelect] : null;

    /// <summary>An address with one half written: its low half's register lies at a multiple of 8, its high half's 4 behind.</summary>
    private static ulong WithHalf(ulong address, uint register, uint value) =>
        register % 8 == 0 ? (address & ~(ulong)uint.MaxValue) | value : (address & uint.MaxValue) | ((ulong)value << 32);

    private void Complain(string what, ulong offset, int length)
    {
        lock (_registers)
        {
            _log.Warn(Room, () => $"{Device.Id}: {what} at 0x{offset:x}, {length} bytes, has no effect; status 0x{(uint)_status.Value:x}");
        }
    }
}
