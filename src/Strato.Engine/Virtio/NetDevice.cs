using System;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Net;

namespace Strato.Engine.Virtio;

/// <summary>virtio-net whose frames the engine moves.</summary>
/// <remarks>
/// A backend is watched only for what can be served: for frames while the driver has buffers, for room while a packet waits
/// for it; so neither side can make the loop spin. While the link is down packets go nowhere.
/// </remarks>
internal sealed class NetDevice : NetInterface
{
    private readonly Pair[] _pairs;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="backends">Where the frames of each queue pair go; the device owns them from now on.</param>
    /// <param name="mac">The interface's address, 6 bytes.</param>
    public NetDevice(string id, INetBackend[] backends, ReadOnlySpan<byte> mac)
        : base(id, backends, mac)
    {
        _pairs = new Pair[backends.Length];
    }

    public override NetTraffic? Traffic
    {
        get
        {
            NetTraffic sum = default;
            foreach (Pair pair in _pairs)
            {
                sum = new NetTraffic(
                    sum.ReceivedBytes + pair.Receiver.Bytes,
                    sum.ReceivedPackets + pair.Receiver.Frames,
                    sum.SentBytes + pair.Transmitter.Bytes,
                    sum.SentPackets + pair.Transmitter.Packets);
            }

            return sum;
        }
    }

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        for (int i = 0; i < _pairs.Length; i++)
        {
            _pairs[i] = new Pair(new NetReceiver(Queues[2 * i], Backends[i]), new NetTransmitter(Queues[(2 * i) + 1], Backends[i]));
        }

        base.OnPlug(memory, loop);
    }

    protected override void OnStart()
    {
        base.OnStart();
        for (int i = 0; i < _pairs.Length; i++)
        {
            _pairs[i].Receiver.Mergeable = (Features & FeatureMergeableBuffers) != 0;
            _pairs[i].Receiver.LongFrames = Backends[i].HasLongFrames || (Features & (FeatureGuestTso4 | FeatureGuestTso6)) != 0;
        }
    }

    /// <summary>Buffers that wait for frames are no requests: they go back into the queue.</summary>
    protected override void DrainRequests()
    {
        foreach (Pair pair in _pairs)
        {
            pair?.Receiver.GiveBack();
        }
    }

    protected override void ProcessQueue(int index)
    {
        if (IsControlQueue(index))
        {
            ServeControl(index);
        }
        else if (index / 2 < _pairs.Length && index % 2 == 0)
        {
            Receive(index / 2);
        }
        else if (index / 2 < _pairs.Length)
        {
            Transmit(index / 2);
        }
    }

    protected override void OnReady(int pair, EpollEvents events)
    {
        if ((events & EpollEvents.In) != 0 && !TryServe(2 * pair))
        {
            Watch(pair, EpollEvents.In, wanted: false);
        }

        if ((events & EpollEvents.Out) != 0 && !TryServe((2 * pair) + 1))
        {
            Watch(pair, EpollEvents.Out, !Backends[pair].TryFlush());
        }
    }

    /// <summary>Buffers of a pair that comes into use may have been there before.</summary>
    protected override void OnPairs(int before)
    {
        for (int pair = before; pair < ActivePairs; pair++)
        {
            Ring(2 * pair);
        }
    }

    protected override void OnLink()
    {
        for (int pair = 0; pair < ActivePairs; pair++)
        {
            Ring(2 * pair);
        }
    }

    private bool IsConnected(int pair) => Connected && pair < ActivePairs;

    private void Receive(int pair)
    {
        int queue = 2 * pair;
        NetStop stop = _pairs[pair].Receiver.Receive(IsConnected(pair), out int errno);
        SignalIfWanted(queue);
        Watch(pair, EpollEvents.In, stop is NetStop.Idle or NetStop.Budget);
        Finish(pair, queue, stop, errno);
        if (stop == NetStop.Budget && Backends[pair].HasFrames)
        {
            Ring(queue);
        }
    }

    private void Transmit(int pair)
    {
        int queue = (2 * pair) + 1;
        NetStop stop = _pairs[pair].Transmitter.Transmit(IsConnected(pair), out int errno);
        SignalIfWanted(queue);
        Watch(pair, EpollEvents.Out, !Backends[pair].TryFlush() || stop == NetStop.Blocked);
        Finish(pair, queue, stop, errno);
        if (stop is NetStop.Budget or NetStop.BackendGone)
        {
            // What waits goes out at the next turn, or nowhere.
            Ring(queue);
        }
    }

    private void Finish(int pair, int queue, NetStop stop, int errno)
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
                Lose(pair, errno);
                break;
        }
    }

    private void Watch(int pair, EpollEvents events, bool wanted)
    {
        ref EpollEvents watched = ref _pairs[pair].Watched;
        EpollEvents all = wanted ? watched | events : watched & ~events;
        if (all != watched)
        {
            watched = all;
            Watch(pair, all);
        }
    }

    private sealed class Pair(NetReceiver receiver, NetTransmitter transmitter)
    {
        public EpollEvents Watched;

        public NetReceiver Receiver => receiver;

        public NetTransmitter Transmitter => transmitter;
    }
}
