using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Net;

namespace Strato.Engine.Virtio;

/// <summary>virtio-net whose frames the kernel moves between tap and guest (vhost-net).</summary>
/// <remarks>
/// The queues of each pair that the driver uses are the kernel's while the machine runs and the link is up; the engine serves the
/// control queue alone, and watches the taps for their end. What the kernel finds wrong in a ring it tells by an eventfd.
/// </remarks>
internal sealed class VhostNetDevice : NetInterface
{
    private const string Room = "virtio-net";

    private readonly Pair[] _pairs;
    private readonly FileDescriptor _error = Libc.CreateEventFd();

    /// <param name="id">The user's name of the device.</param>
    /// <param name="taps">The tap's queues; the device owns them from now on.</param>
    /// <param name="vhosts">What serves each pair; the device owns them from now on.</param>
    /// <param name="mac">The interface's address, 6 bytes.</param>
    public VhostNetDevice(string id, INetBackend[] taps, IVhostNet[] vhosts, ReadOnlySpan<byte> mac)
        : base(id, taps, mac, MissingOf(vhosts[0]))
    {
        _pairs = new Pair[vhosts.Length];
        for (int i = 0; i < vhosts.Length; i++)
        {
            _pairs[i] = new Pair(vhosts[i], new VhostQueues(vhosts[i], 2 * i, 2));
        }
    }

    public override bool KernelSignalsQueues => true;

    /// <summary>Features that the kernel can't do.</summary>
    internal static ulong MissingOf(IVhostNet vhost) => FeatureMergeableBuffers & ~vhost.Features;

    protected override bool IsKernels(int queue) => queue < 2 * Backends.Length;

    /// <remarks>A control queue without pairs would stand where the kernel hears the doorbell of the second pair.</remarks>
    protected override bool Fits(ulong features) =>
        base.Fits(features) && ((features & FeatureControlQueue) == 0 || (features & FeatureMultiqueue) != 0);

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        base.OnPlug(memory, loop);
        loop.Add(_error.Value, EpollEvents.In, _ => OnError());
        foreach (Pair pair in _pairs)
        {
            pair.Queues.Plug(memory);
        }
    }

    protected override void ProcessQueue(int index)
    {
        if (IsControlQueue(index))
        {
            ServeControl(index);
        }
    }

    protected override void OnStart()
    {
        base.OnStart();
        Settle();
    }

    protected override void OnEnter()
    {
        base.OnStart();
        SettleOrThrow();
    }

    protected override void OnResume() => Settle();

    protected override void OnLink() => Settle();

    protected override void OnPairs(int before) => Settle();

    protected override void DrainRequests() => HaltAll();

    protected override void OnFail() => HaltAll();

    /// <summary>The tap is watched for its end alone.</summary>
    protected override void OnReady(int pair, EpollEvents events)
    {
    }

    protected override void OnUnplug(EventLoop loop)
    {
        loop.Remove(_error.Value);
        base.OnUnplug(loop);
    }

    protected override void OnDispose()
    {
        _error.Dispose();
        foreach (Pair pair in _pairs)
        {
            pair.Vhost.Dispose();
        }

        base.OnDispose();
    }

    /// <summary>Gives the kernel the pairs that it is to serve now, and takes the others back.</summary>
    private void Settle()
    {
        try
        {
            SettleOrThrow();
        }
        catch (LinuxException e)
        {
            Fail($"the kernel doesn't take its queues ({e.Message})");
        }
    }

    private void SettleOrThrow()
    {
        for (int i = 0; i < _pairs.Length; i++)
        {
            bool wanted = Running && !IsPaused && Connected && i < ActivePairs && _pairs[i].Queues.AreEnabled(this);
            if (!wanted)
            {
                Halt(_pairs[i]);
            }
            else if (!_pairs[i].Going)
            {
                Go(_pairs[i], Backends[i].Descriptor);
            }
        }
    }

    private void Go(Pair pair, int tap)
    {
        pair.Queues.SetUp(this, InterruptEvent, _error.Value);

        // Where the kernel takes one queue of a pair and refuses the other, both are taken back.
        pair.Going = true;
        pair.Vhost.SetBackend(tap);
    }

    private void HaltAll()
    {
        foreach (Pair pair in _pairs)
        {
            Halt(pair);
        }
    }

    private void Halt(Pair pair)
    {
        if (!pair.Going)
        {
            return;
        }

        pair.Going = false;
        try
        {
            pair.Vhost.SetBackend(-1);
            pair.Queues.Save(this);
        }
        catch (LinuxException e)
        {
            Log.Error(Room, $"{Id}: the kernel doesn't give its queues back: {e.Message}");
        }
    }

    private void OnError()
    {
        // A signal from before a reset tells of queues that are gone.
        if (Libc.DrainEventFd(_error.Value) && Array.Exists(_pairs, pair => pair.Going))
        {
            Fail("the kernel can't serve a queue");
        }
    }

    private sealed class Pair(IVhostNet vhost, VhostQueues queues)
    {
        public IVhostNet Vhost => vhost;

        public VhostQueues Queues => queues;

        /// <summary>Whether the kernel serves it now.</summary>
        public bool Going { get; set; }
    }
}
