using System;
using System.Buffers.Binary;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>virtio-vsock: sockets between host and guest (VIRTIO 1.2, 5.10), whose packets the kernel moves (vhost-vsock).</summary>
/// <remarks>
/// Queues 0 (to the guest) and 1 (from it) are the kernel's from DRIVER_OK on. Queue 2 is for events, of which there is one: after a
/// restore the driver is told that its connections are gone. What the kernel finds wrong in a ring it tells by an eventfd.
/// </remarks>
internal sealed class VsockDevice : VirtioDevice
{
    /// <summary>VIRTIO_VSOCK_F_SEQPACKET: sockets that keep the bounds of messages.</summary>
    internal const ulong FeatureSequencedPackets = 1UL << 1;

    internal const int QueueSize = 128;

    /// <summary>Queues that the kernel serves.</summary>
    internal const int KernelQueues = 2;

    /// <summary>struct virtio_vsock_config: the guest's CID, 64 bits.</summary>
    internal const int ConfigurationBytes = 8;

    internal const int EventQueue = 2;

    /// <summary>VIRTIO_VSOCK_EVENT_TRANSPORT_RESET.</summary>
    internal const uint EventTransportReset = 0;

    private const string Room = "virtio-vsock";

    private readonly IVhostVsock _vhost;
    private readonly VhostQueues _queues;
    private readonly FileDescriptor _error = Libc.CreateEventFd();
    private EventLoop? _loop;
    private readonly DescriptorChain _event = new();
    private bool _resetToTell;
    private bool _going;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="guestCid">The guest's address.</param>
    /// <param name="vhost">What serves the queues; the device owns it from now on.</param>
    public VsockDevice(string id, ulong guestCid, IVhostVsock vhost)
        : base(id, VirtioType.Socket, vhost.Features & FeatureSequencedPackets, [QueueSize, QueueSize, QueueSize], ConfigurationBytes)
    {
        _vhost = vhost;
        _queues = new VhostQueues(vhost, 0, KernelQueues);
        Span<byte> configuration = stackalloc byte[ConfigurationBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(configuration, guestCid);
        SetConfiguration(0, configuration);
    }

    public override bool KernelSignalsQueues => true;

    /// <summary>The driver asks for the address again when it is told of the reset.</summary>
    protected override void MergeConfiguration(ReadOnlySpan<byte> saved, Span<byte> now)
    {
    }

    /// <remarks>What was connected has lost its other end, which was this host's kernel or another's (5.10.6.7).</remarks>
    protected override void OnRestore(StateReader state) => _resetToTell = (Features & VirtioFeature.Version1) != 0;

    protected override void OnReset() => _resetToTell = false;

    protected override bool IsKernels(int queue) => queue < KernelQueues;

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        _queues.Plug(memory);
        _loop = loop;
        loop.Add(_error.Value, EpollEvents.In, _ => OnError());
    }

    /// <summary>Events alone are the engine's: that all connections are gone, once there is a buffer to tell it in.</summary>
    protected override void ProcessQueue(int index)
    {
        if (index != EventQueue || !_resetToTell || !TryPopOrWait(EventQueue, _event))
        {
            return;
        }

        _resetToTell = false;
        Span<byte> id = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(id, EventTransportReset);
        Queues[EventQueue].Push(_event.Head, (uint)_event.Writable.Write(id));
        Queues[EventQueue].Publish();
        SignalIfWanted(EventQueue);
    }

    protected override void OnStart() => Go();

    protected override void OnResume() => Go();

    protected override void DrainRequests() => Halt();

    protected override void OnFail() => Halt();

    protected override void OnDispose()
    {
        _loop?.Remove(_error.Value);
        _error.Dispose();
        _vhost.Dispose();
    }

    private void Go()
    {
        if (_going || IsPaused || !_queues.AreEnabled(this))
        {
            return;
        }

        try
        {
            _queues.SetUp(this, InterruptEvent, _error.Value);
            _vhost.SetRunning(true);
            _going = true;
        }
        catch (LinuxException e)
        {
            Fail($"the kernel doesn't take its queues ({e.Message})");
        }
    }

    private void Halt()
    {
        if (!_going)
        {
            return;
        }

        _going = false;
        try
        {
            _vhost.SetRunning(false);
            _queues.Save(this);
        }
        catch (LinuxException e)
        {
            Log.Error(Room, $"{Id}: the kernel doesn't give its queues back: {e.Message}");
        }
    }

    private void OnError()
    {
        // A signal from before a reset tells of queues that are gone.
        if (Libc.DrainEventFd(_error.Value) && _going)
        {
            Fail("the kernel can't serve a queue");
        }
    }
}
