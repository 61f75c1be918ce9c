using System;
using System.Buffers.Binary;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>What an interface has moved since it came, seen from the guest; bytes without virtio's header.</summary>
internal readonly record struct NetTraffic(long ReceivedBytes, long ReceivedPackets, long SentBytes, long SentPackets);

/// <summary>What every virtio-net has (VIRTIO 1.2, 5.1): address, link state, queue pairs and the control queue. How frames move is its kinds' own.</summary>
/// <remarks>
/// Queues 2n and 2n+1 receive and transmit. Behind them is the control queue, by which the driver tells how many pairs it uses;
/// with one pair there is none. The link is up while the host's side is there and the user hasn't taken it down.
/// </remarks>
internal abstract class NetInterface : VirtioDevice
{
    internal const int MaximumPairs = 16;
    internal const int QueueSize = 256;
    internal const int ControlQueueSize = 64;

    internal const ulong FeatureChecksum = 1UL << 0;
    internal const ulong FeatureGuestChecksum = 1UL << 1;
    internal const ulong FeatureMac = 1UL << 5;
    internal const ulong FeatureGuestTso4 = 1UL << 7;
    internal const ulong FeatureGuestTso6 = 1UL << 8;
    internal const ulong FeatureHostTso4 = 1UL << 11;
    internal const ulong FeatureHostTso6 = 1UL << 12;
    internal const ulong FeatureMergeableBuffers = 1UL << 15;
    internal const ulong FeatureStatus = 1UL << 16;
    internal const ulong FeatureControlQueue = 1UL << 17;
    internal const ulong FeatureMultiqueue = 1UL << 22;

    /// <summary>struct virtio_net_config up to its status, and up to max_virtqueue_pairs.</summary>
    internal const int ConfigurationBytes = 8;
    internal const int MultiqueueConfigurationBytes = 10;
    internal const int MacOffset = 0;
    internal const int StatusOffset = 6;
    internal const int PairsOffset = 8;

    internal const byte ControlMultiqueue = 4;
    internal const byte ControlSetPairs = 0;
    internal const byte ControlOk = 0;
    internal const byte ControlError = 1;

    private const int MacBytes = 6;
    private const ushort StatusLinkUp = 1;
    private const string Room = "virtio-net";

    private readonly INetBackend[] _backends;
    private readonly DescriptorChain _command = new();
    private EventLoop? _loop;
    private volatile bool _present;
    private bool _lost;
    private bool _toldUp;
    private volatile bool _linkUp = true;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="backends">Where the frames of each queue pair go; owned from now on.</param>
    /// <param name="mac">The interface's address, 6 bytes.</param>
    /// <param name="missing">Features of what the backends can do that aren't offered all the same.</param>
    protected NetInterface(string id, INetBackend[] backends, ReadOnlySpan<byte> mac, ulong missing = 0)
        : base(id, VirtioType.Network, Offer(backends) & ~missing, QueueSizes(backends.Length), backends.Length > 1 ? MultiqueueConfigurationBytes : ConfigurationBytes)
    {
        _backends = backends;
        _present = backends[0].Descriptor >= 0;
        Span<byte> number = stackalloc byte[sizeof(ushort)];
        if (backends.Length > 1)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(number, (ushort)backends.Length);
            SetConfiguration(PairsOffset, number);
        }

        Mac = mac[..MacBytes].ToArray();
        SetConfiguration(MacOffset, Mac);
        TellLink();
    }

    /// <summary>The interface's address, 6 bytes.</summary>
    public byte[] Mac { get; }

    /// <summary>Queue pairs that the driver is offered.</summary>
    public int Pairs => _backends.Length;

    /// <summary>Called once, when the host's side has gone. On the loop's thread.</summary>
    public Action Lost { get; set; } = () => { };

    /// <summary>Where the frames of each queue pair go.</summary>
    protected ReadOnlySpan<INetBackend> Backends => _backends;

    /// <summary>Queue pairs that the driver uses, from the first on.</summary>
    protected int ActivePairs { get; private set; } = 1;

    /// <summary>Whether frames go anywhere.</summary>
    protected bool Connected => _present && _linkUp;

    /// <summary>What <see cref="SetLink"/> said last; true before.</summary>
    public bool LinkUp => _linkUp;

    /// <summary>What it has moved; null where the host's kernel moves the frames, and counts them at the tap. From any thread: each figure is whole.</summary>
    public virtual NetTraffic? Traffic => null;

    /// <summary>The host's name of where its frames go, such as <c>tap0</c>.</summary>
    public string HostName => _backends[0].Name;

    /// <summary>Takes the link up or down, as a plug does. From any thread.</summary>
    public void SetLink(bool up)
    {
        lock (Gate)
        {
            if (up != _linkUp)
            {
                _linkUp = up;
                if (_loop is not null)
                {
                    OnLink();
                }

                TellLink();
            }
        }
    }

    protected override void OnPlug(Memory.GuestMemory memory, EventLoop loop)
    {
        _loop = loop;
        _present = !_lost && _backends[0].Descriptor >= 0;
        for (int pair = 0; _present && pair < _backends.Length; pair++)
        {
            int index = pair;
            loop.Add(_backends[pair].Descriptor, EpollEvents.None, events => OnBackend(index, events));
        }
    }

    /// <remarks>5.1.3.1: who takes segments has to take unfinished checksums, and pairs are told by the control queue.</remarks>
    protected override bool Fits(ulong features) =>
        ((features & (FeatureGuestTso4 | FeatureGuestTso6)) == 0 || (features & FeatureGuestChecksum) != 0)
        && ((features & (FeatureHostTso4 | FeatureHostTso6)) == 0 || (features & FeatureChecksum) != 0)
        && ((features & FeatureMultiqueue) == 0 || (features & FeatureControlQueue) != 0);

    protected override void OnStart() => _backends[0].SetOffload(
        ((Features & FeatureGuestChecksum) != 0 ? Libc.TUN_F_CSUM : 0)
        | ((Features & FeatureGuestTso4) != 0 ? Libc.TUN_F_TSO4 : 0)
        | ((Features & FeatureGuestTso6) != 0 ? Libc.TUN_F_TSO6 : 0));

    protected override void OnReset()
    {
        _ = TrySetPairs(1);
        _backends[0].SetOffload(0);
    }

    /// <remarks>The driver told how many pairs it uses when it started. They are served when the device is.</remarks>
    protected override void OnTakeOver(VirtioDevice previous)
    {
        int count = ((NetInterface)previous).ActivePairs;
        ActivePairs = TryUse(count) ? count : 1;
    }

    protected override void OnSave(StateWriter state)
    {
        state.Bool(_linkUp);
        state.U16((ushort)ActivePairs);
    }

    protected override void OnRestore(StateReader state)
    {
        _linkUp = state.Bool();
        int pairs = state.U16();
        if (pairs < 1 || pairs > _backends.Length)
        {
            throw state.Damaged($"{pairs} queue pairs are in use of {_backends.Length}");
        }

        if (!TryUse(pairs))
        {
            throw Mismatch($"the host doesn't serve {pairs} queue pairs");
        }

        ActivePairs = pairs;
        if (_toldUp != Connected)
        {
            TellLink();
        }
    }

    /// <remarks>The link may be another's, which the driver is told; the address is what it has read.</remarks>
    protected override void MergeConfiguration(ReadOnlySpan<byte> saved, Span<byte> now)
    {
        if (!saved[..MacBytes].SequenceEqual(now[..MacBytes]))
        {
            throw Mismatch($"it has the address {MacAddress.Format(now[..MacBytes].ToArray())}, and had {MacAddress.Format(saved[..MacBytes].ToArray())}");
        }

        _toldUp = BinaryPrimitives.ReadUInt16LittleEndian(saved[StatusOffset..]) == StatusLinkUp;
        saved[StatusOffset..PairsOffset].CopyTo(now[StatusOffset..PairsOffset]);
        base.MergeConfiguration(saved, now);
    }

    /// <summary>5.1.2: the control queue is behind all pairs that are offered, or behind the first for a driver that takes but one.</summary>
    protected bool IsControlQueue(int index) =>
        (Features & FeatureControlQueue) != 0 && index == 2 * ((Features & FeatureMultiqueue) != 0 ? _backends.Length : 1);

    protected void ServeControl(int index) => ServeRequests(index, _command);

    /// <summary>5.1.6.5: class, command, and what it says; the answer is one byte.</summary>
    protected override uint Serve(int index, DescriptorChain chain)
    {
        if (chain.Writable.Length < 1)
        {
            Fail($"queue {index}: a command has no room for its answer");
            return 0;
        }

        bool done = chain.Readable.TryRead(out byte kind) && kind == ControlMultiqueue
            && chain.Readable.TryRead(out byte command) && command == ControlSetPairs
            && chain.Readable.TryRead(out ushort pairs) && pairs >= 1 && pairs <= _backends.Length
            && TrySetPairs(pairs);
        byte answer = done ? ControlOk : ControlError;
        return (uint)chain.Writable.Write(new ReadOnlySpan<byte>(ref answer));
    }

    /// <summary>A backend is ready, or has gone. On the loop's thread, not under the gate.</summary>
    protected abstract void OnReady(int pair, EpollEvents events);

    /// <summary>The driver uses pairs that it didn't, or no longer. Under the gate; at a reset not on the loop's thread.</summary>
    protected abstract void OnPairs(int before);

    /// <summary>The link was taken up or down. Under the gate.</summary>
    protected abstract void OnLink();

    /// <summary>Changes what a backend is watched for. On the loop's thread.</summary>
    protected void Watch(int pair, EpollEvents events)
    {
        if (_present)
        {
            _loop!.Modify(_backends[pair].Descriptor, events);
        }
    }

    /// <summary>The host's side has gone: the link goes down for good. On the loop's thread.</summary>
    /// <param name="pair">Whose backend tells.</param>
    /// <param name="errno">Why; 0 for an end in order.</param>
    protected void Lose(int pair, int errno)
    {
        if (!_present)
        {
            return;
        }

        Log.Warning(Room, $"{Id}: '{_backends[pair].Name}' has gone{(errno == 0 ? "" : $": {Errno.Text(errno)}")}; the link is down");
        _lost = true;
        Leave();
        lock (Gate)
        {
            OnLink();
            TellLink();
        }

        Lost();
    }

    protected override void OnUnplug(EventLoop loop) => Leave();

    protected override void OnDispose()
    {
        foreach (INetBackend backend in _backends)
        {
            backend.Dispose();
        }
    }

    private bool TrySetPairs(int count)
    {
        if (!TryUse(count))
        {
            return false;
        }

        int before = ActivePairs;
        ActivePairs = count;
        OnPairs(before);
        return true;
    }

    private bool TryUse(int pairs)
    {
        for (int pair = 1; pair < _backends.Length; pair++)
        {
            bool used = pair < pairs;
            if (used != pair < ActivePairs && !_backends[pair].TryUse(used))
            {
                return false;
            }
        }

        return true;
    }

    private void OnBackend(int pair, EpollEvents events)
    {
        // Reported whether it was asked for or not, and for ever: a tap that was deleted.
        if ((events & (EpollEvents.Error | EpollEvents.HangUp)) != 0)
        {
            Lose(pair, errno: 0);
            return;
        }

        OnReady(pair, events);
    }

    private void Leave()
    {
        if (_present)
        {
            _present = false;
            foreach (INetBackend backend in _backends)
            {
                _loop?.Remove(backend.Descriptor);
            }
        }
    }

    private void TellLink()
    {
        Span<byte> status = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(status, Connected ? StatusLinkUp : (ushort)0);
        SetConfiguration(StatusOffset, status);
    }

    private static int[] QueueSizes(int pairs)
    {
        int[] sizes = new int[(2 * pairs) + (pairs > 1 ? 1 : 0)];
        Array.Fill(sizes, QueueSize);
        if (pairs > 1)
        {
            sizes[^1] = ControlQueueSize;
        }

        return sizes;
    }

    /// <summary>The features of an interface whose frames go there, beside those of all devices.</summary>
    internal static ulong Offer(INetBackend[] backends) =>
        FeatureMac | FeatureStatus | FeatureMergeableBuffers
        | (backends.Length > 1 ? FeatureControlQueue | FeatureMultiqueue : 0)
        | (backends[0].Offloads
            ? FeatureChecksum | FeatureGuestChecksum | FeatureHostTso4 | FeatureHostTso6 | FeatureGuestTso4 | FeatureGuestTso6
            : 0);
}
