using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Protocol.Snapshots;

namespace Strato.Tests.Unit.Driver;

/// <summary>A guest's driver, without a guest: it has RAM, talks to a device by its MMIO registers, and builds queues as drivers do.</summary>
/// <remarks>
/// RAM is in three regions: two that adjoin, a hole, and a third. <see cref="Allocate"/> hands out the first.
/// Nothing runs by itself: <see cref="Run"/> serves what the device has to do, on the caller's thread.
/// </remarks>
internal sealed class MmioDriver : IDisposable
{
    public const ulong RegionBytes = 4 << 20;

    /// <summary>Where the second region follows the first without a gap.</summary>
    public const ulong Seam = RegionBytes;

    /// <summary>First address that isn't RAM.</summary>
    public const ulong Hole = 2 * RegionBytes;

    /// <summary>The third region, beyond the hole.</summary>
    public const ulong HighRam = 16 << 20;

    private static readonly TimeSpan TooLong = TimeSpan.FromSeconds(60);

    private readonly List<DriverQueue> _queues = [];
    private ulong _allocated = 0x1000;
    private Thread? _loopThread;

    /// <param name="device">The device, which the driver's transport owns from now on.</param>
    /// <param name="loop">The loop that serves it, where its host's side needs one before; else one is made.</param>
    /// <param name="sharedMemory">Whether other processes can be given the RAM.</param>
    /// <param name="isSpare">Whether the slot waits for a device.</param>
    public MmioDriver(VirtioDevice device, EventLoop? loop = null, bool sharedMemory = false, bool isSpare = false)
    {
        Loop = loop ?? new EventLoop();
        Memory = GuestMemory.Allocate([(0, RegionBytes), (Seam, RegionBytes), (HighRam, RegionBytes)], sharedMemory ? MemoryFile.Create(3 * RegionBytes) : null);
        Transport = new MmioTransport(device, Memory, Interrupt, Doorbells, Loop, isSpare);
    }

    public GuestMemory Memory { get; }

    public EventLoop Loop { get; }

    public FakeInterruptLine Interrupt { get; } = new();

    public FakeDoorbells Doorbells { get; } = new();

    public MmioTransport Transport { get; private set; }

    public VirtioDevice Device => Transport.Device;

    /// <summary>What a snapshot keeps of the device, which is quiesced from here on.</summary>
    public SnapshotSection Save()
    {
        Device.Quiesce();
        return WriteState();
    }

    /// <summary>What a snapshot keeps of the device, which is quiesced.</summary>
    public SnapshotSection WriteState()
    {
        StateWriter state = new();
        Transport.Save(state);
        return state.ToSection("slot 0");
    }

    /// <summary>The device goes, and another comes that is what was saved; the driver and its memory are as they were. It is quiesced.</summary>
    public void Restore(Func<VirtioDevice> make, SnapshotSection saved)
    {
        Transport.Dispose();
        Transport = new MmioTransport(make(), Memory, Interrupt, Doorbells, Loop);
        Transport.Restore(saved.Read());
    }

    public IReadOnlyList<DriverQueue> Queues => _queues;

    /// <summary>Index of the queue that the device looks at as soon as it is kicked; attacks go there.</summary>
    public int Target { get; init; }

    /// <summary>The queue to attack: the target, or the only one there is yet.</summary>
    public DriverQueue TargetQueue => _queues[Math.Min(Target, _queues.Count - 1)];

    public VirtioStatus Status => (VirtioStatus)Read(MmioRegister.Status);

    public bool NeedsReset => Status.HasFlag(VirtioStatus.NeedsReset);

    public uint Read(uint register)
    {
        Span<byte> data = stackalloc byte[4];
        Transport.Read(register, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    public void Write(uint register, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        Transport.Write(register, data);
    }

    public byte[] ReadConfiguration(int length)
    {
        byte[] data = new byte[length];
        Transport.Read(MmioRegister.Configuration, data);
        return data;
    }

    public ulong ReadOffer()
    {
        Write(MmioRegister.DeviceFeaturesSelect, 0);
        ulong low = Read(MmioRegister.DeviceFeatures);
        Write(MmioRegister.DeviceFeaturesSelect, 1);
        return low | ((ulong)Read(MmioRegister.DeviceFeatures) << 32);
    }

    public void WriteFeatures(ulong features)
    {
        Write(MmioRegister.DriverFeaturesSelect, 0);
        Write(MmioRegister.DriverFeatures, (uint)features);
        Write(MmioRegister.DriverFeaturesSelect, 1);
        Write(MmioRegister.DriverFeatures, (uint)(features >> 32));
    }

    /// <summary>Reset, and the handshake up to FEATURES_OK, as Linux writes it.</summary>
    public void Negotiate(ulong wanted = ulong.MaxValue)
    {
        Write(MmioRegister.Status, 0);
        _queues.Clear();
        _allocated = 0x1000;
        Write(MmioRegister.Status, (uint)VirtioStatus.Acknowledge);
        Write(MmioRegister.Status, (uint)(VirtioStatus.Acknowledge | VirtioStatus.Driver));
        Features = ReadOffer() & wanted;
        WriteFeatures(Features);
        Write(MmioRegister.Status, (uint)(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk));
    }

    /// <summary>What the last <see cref="Negotiate"/> took.</summary>
    public ulong Features { get; private set; }

    public bool Has(ulong feature) => (Features & feature) == feature;

    /// <summary>Sets up the next queue and makes it ready.</summary>
    public DriverQueue AddQueue(int size)
    {
        DriverQueue queue = PlaceQueue(size);
        Write(MmioRegister.QueueReady, 1);
        return queue;
    }

    /// <summary>Allocates the next queue and writes its registers, all but the ready bit.</summary>
    public DriverQueue PlaceQueue(int size)
    {
        DriverQueue queue = new(this, _queues.Count, size);
        _queues.Add(queue);
        Write(MmioRegister.QueueSelect, (uint)queue.Index);
        Write(MmioRegister.QueueSize, (uint)size);
        WriteQueueAddresses(queue.DescriptorTable, queue.AvailableRing, queue.UsedRing);
        return queue;
    }

    public void WriteQueueAddresses(ulong table, ulong available, ulong used)
    {
        Write(MmioRegister.DescriptorLow, (uint)table);
        Write(MmioRegister.DescriptorHigh, (uint)(table >> 32));
        Write(MmioRegister.AvailableLow, (uint)available);
        Write(MmioRegister.AvailableHigh, (uint)(available >> 32));
        Write(MmioRegister.UsedLow, (uint)used);
        Write(MmioRegister.UsedHigh, (uint)(used >> 32));
    }

    public void DriverOk() => Write(
        MmioRegister.Status,
        (uint)(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk));

    /// <summary>The whole start: handshake, all queues at <paramref name="queueSize"/> (or the largest they take), DRIVER_OK.</summary>
    public void Start(int queueSize = 64, ulong wanted = ulong.MaxValue)
    {
        Negotiate(wanted);
        for (int i = 0; i < Device.Queues.Length; i++)
        {
            AddQueue(Math.Min(queueSize, Device.Queues[i].MaximumSize));
        }

        DriverOk();
        Run();
    }

    /// <summary>Writes a doorbell as a guest does: KVM takes it if an ioeventfd is there, else it comes to the bus.</summary>
    public void Notify(uint queue)
    {
        if (!Doorbells.Ring(MmioRegister.QueueNotify, queue))
        {
            Write(MmioRegister.QueueNotify, queue);
        }
    }

    /// <summary>Lets the device do all it has to do, and waits for what its host side has to do. Of no effect while the loop has its own thread.</summary>
    public void Run()
    {
        // A wait may end early and for nothing (EINTR), as with completions of an io_uring.
        long start = Stopwatch.GetTimestamp();
        bool busy = Device is BlockDevice { UnderWay: > 0 };
        while (_loopThread is null && (Loop.RunOnce(busy ? 100 : 0) || busy))
        {
            busy = Device is BlockDevice { UnderWay: > 0 };
            if (Stopwatch.GetElapsedTime(start) > TooLong)
            {
                throw new TimeoutException("the device's host side is still at work");
            }
        }
    }

    /// <summary>From now on, until <see cref="Dispose"/>, the device is served on a thread of its own, as in the engine.</summary>
    public void StartLoopThread()
    {
        using ManualResetEventSlim runs = new();
        Loop.Post(runs.Set);
        _loopThread = new Thread(Loop.Run);
        _loopThread.Start();
        runs.Wait();
    }

    /// <summary>Some zeroed RAM of the first region.</summary>
    public ulong Allocate(int bytes, int alignment = 16)
    {
        ulong address = (_allocated + (ulong)alignment - 1) / (ulong)alignment * (ulong)alignment;
        if (!Memory.TryGetSpan(address, bytes, out Span<byte> span))
        {
            throw new InvalidOperationException("the simulated guest is out of memory");
        }

        span.Clear();
        _allocated = address + (ulong)bytes;
        return address;
    }

    /// <summary>Takes back all that was allocated from <paramref name="address"/> on.</summary>
    public void ReleaseFrom(ulong address) => _allocated = address;

    public Span<byte> Ram(ulong address, int length) =>
        Memory.TryGetSpan(address, length, out Span<byte> span) ? span : throw new ArgumentOutOfRangeException(nameof(address));

    /// <summary>Ends that thread; the loop runs no more.</summary>
    public void StopLoopThread()
    {
        if (_loopThread is not null)
        {
            Loop.Post(Loop.Stop);
            _loopThread.Join();
            _loopThread = null;
        }
    }

    public void Dispose()
    {
        StopLoopThread();
        Transport.Dispose();
        Interrupt.Dispose();
        Loop.Dispose();
        Memory.Dispose();
    }
}
