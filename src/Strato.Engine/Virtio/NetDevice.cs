using System;
using System.Buffers.Binary;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Net;

namespace Strato.Engine.Virtio;

/// <summary>virtio-net: a network interface of the guest (VIRTIO 1.2, 5.1).</summary>
/// <remarks>
/// Queue 0 receives, queue 1 transmits. The backend is watched only for what can be served: for frames while the driver has
/// buffers, for room while a packet waits for it; so neither side can make the loop spin. When the backend goes, the link
/// goes down and packets go nowhere.
/// </remarks>
internal sealed class NetDevice : VirtioDevice
{
    internal const int QueueSize = 256;
    internal const int ReceiveQueue = 0;
    internal const int TransmitQueue = 1;

    internal const ulong FeatureChecksum = 1UL << 0;
    internal const ulong FeatureGuestChecksum = 1UL << 1;
    internal const ulong FeatureMac = 1UL << 5;
    internal const ulong FeatureGuestTso4 = 1UL << 7;
    internal const ulong FeatureGuestTso6 = 1UL << 8;
    internal const ulong FeatureHostTso4 = 1UL << 11;
    internal const ulong FeatureHostTso6 = 1UL << 12;
    internal const ulong FeatureMergeableBuffers = 1UL << 15;
    internal const ulong FeatureStatus = 1UL << 16;

    /// <summary>Bytes of the configuration space: struct virtio_net_config up to its status.</summary>
    internal const int ConfigurationBytes = 8;
    internal const int MacOffset = 0;
    internal const int StatusOffset = 6;

    private const int MacBytes = 6;
    private const ushort StatusLinkUp = 1;
    private const string Room = "virtio-net";

    private readonly INetBackend _backend;
    private EventLoop? _loop;
    private NetReceiver? _receiver;
    private NetTransmitter? _transmitter;
    private EpollEvents _watched;
    private bool _connected = true;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="backend">Where frames go; the device owns it from now on.</param>
    /// <param name="mac">The interface's address, 6 bytes.</param>
    public NetDevice(string id, INetBackend backend, ReadOnlySpan<byte> mac)
        : base(id, VirtioType.Network, Offer(backend), [QueueSize, QueueSize], ConfigurationBytes)
    {
        _backend = backend;
        SetConfiguration(MacOffset, mac[..MacBytes]);
        SetLink(up: true);
    }

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        _loop = loop;
        _receiver = new NetReceiver(Queues[ReceiveQueue], _backend);
        _transmitter = new NetTransmitter(Queues[TransmitQueue], _backend);
        loop.Add(_backend.Descriptor, EpollEvents.None, OnBackend);
    }

    /// <remarks>5.1.3.1: who takes segments has to take unfinished checksums.</remarks>
    protected override bool Fits(ulong features) =>
        ((features & (FeatureGuestTso4 | FeatureGuestTso6)) == 0 || (features & FeatureGuestChecksum) != 0)
        && ((features & (FeatureHostTso4 | FeatureHostTso6)) == 0 || (features & FeatureChecksum) != 0);

    protected override void OnStart()
    {
        _receiver!.Mergeable = (Features & FeatureMergeableBuffers) != 0;
        _receiver.LongFrames = _backend.HasLongFrames || (Features & (FeatureGuestTso4 | FeatureGuestTso6)) != 0;
        _backend.SetOffload(
            ((Features & FeatureGuestChecksum) != 0 ? Libc.TUN_F_CSUM : 0)
            | ((Features & FeatureGuestTso4) != 0 ? Libc.TUN_F_TSO4 : 0)
            | ((Features & FeatureGuestTso6) != 0 ? Libc.TUN_F_TSO6 : 0));
    }

    protected override void OnReset() => _backend.SetOffload(0);

    /// <summary>Buffers that wait for frames are no requests: they go back into the queue.</summary>
    protected override void DrainRequests() => _receiver?.GiveBack();

    protected override void ProcessQueue(int index)
    {
        if (index == ReceiveQueue)
        {
            Receive();
        }
        else
        {
            Transmit();
        }
    }

    protected override void OnDispose()
    {
        Disconnect();
        _backend.Dispose();
    }

    private void Receive()
    {
        NetStop stop = _receiver!.Receive(_connected, out int errno);
        SignalIfWanted(ReceiveQueue);
        Watch(EpollEvents.In, stop is NetStop.Idle or NetStop.Budget);
        Finish(ReceiveQueue, stop, errno);
        if (stop == NetStop.Budget && _backend.HasFrames)
        {
            Ring(ReceiveQueue);
        }
    }

    private void Transmit()
    {
        NetStop stop = _transmitter!.Transmit(_connected, out int errno);
        SignalIfWanted(TransmitQueue);
        Watch(EpollEvents.Out, !_backend.TryFlush() || stop == NetStop.Blocked);
        Finish(TransmitQueue, stop, errno);
        if (stop is NetStop.Budget or NetStop.BackendGone)
        {
            // What waits goes out at the next turn, or nowhere.
            Ring(TransmitQueue);
        }
    }

    private void Finish(int queue, NetStop stop, int errno)
    {
        switch (stop)
        {
            case NetStop.QueueFault:
                FailQueue(queue);
                break;
            case NetStop.NoHeader:
                Fail($"queue {queue}: a buffer is too small for a header");
                break;
            case NetStop.BackendGone:
                Lose(errno);
                break;
        }
    }

    private void OnBackend(EpollEvents events)
    {
        // Reported whether it was asked for or not, and for ever: a tap that was deleted.
        if ((events & (EpollEvents.Error | EpollEvents.HangUp)) != 0)
        {
            Lose(errno: 0);
            return;
        }

        if ((events & EpollEvents.In) != 0 && !TryServe(ReceiveQueue))
        {
            Watch(EpollEvents.In, wanted: false);
        }

        if ((events & EpollEvents.Out) != 0 && !TryServe(TransmitQueue))
        {
            Watch(EpollEvents.Out, !_backend.TryFlush());
        }
    }

    private void Watch(EpollEvents events, bool wanted)
    {
        EpollEvents all = wanted ? _watched | events : _watched & ~events;
        if (all != _watched && _connected)
        {
            _watched = all;
            _loop!.Modify(_backend.Descriptor, all);
        }
    }

    private void Lose(int errno)
    {
        if (_connected)
        {
            Log.Warning(Room, $"{Id}: '{_backend.Name}' has gone{(errno == 0 ? "" : $": {Errno.Text(errno)}")}; the link is down");
            Disconnect();
            SetLink(up: false);
        }
    }

    private void Disconnect()
    {
        if (_connected)
        {
            _connected = false;
            _loop?.Remove(_backend.Descriptor);
        }
    }

    private void SetLink(bool up)
    {
        Span<byte> status = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(status, up ? StatusLinkUp : (ushort)0);
        SetConfiguration(StatusOffset, status);
    }

    private static ulong Offer(INetBackend backend) =>
        FeatureMac | FeatureStatus | FeatureMergeableBuffers | (backend.Offloads
            ? FeatureChecksum | FeatureGuestChecksum | FeatureHostTso4 | FeatureHostTso6 | FeatureGuestTso4 | FeatureGuestTso6
            : 0);
}
