using System.Runtime.CompilerServices;
using System.Threading;
using Strato.Engine.Memory;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio.Queue;

/// <summary>What <see cref="VirtQueue.Pop"/> found.</summary>
internal enum PopResult
{
    /// <summary>Nothing is available.</summary>
    Empty,

    /// <summary>The chain is filled; it has to be given back by <see cref="VirtQueue.Push"/>.</summary>
    Chain,

    /// <summary>The driver broke the rules; <see cref="VirtQueue.Fault"/> says which. No more comes until a reset.</summary>
    Fault,
}

/// <summary>The device's side of a split virtqueue (VIRTIO 1.2, 2.7).</summary>
/// <remarks>
/// Set up by the transport while it is not enabled; then used by one thread at a time. Ring addresses are checked
/// when the queue is enabled and kept as pointers; guest RAM stays mapped for the machine's life. All that lies in the
/// rings may change at any time: each field is read once, checked, and used from the copy.
/// <para>
/// Notification, told for the device's sleep (the interrupt is the mirror image):
/// (1) the device stores avail_event = the index it waits for; (2) full barrier; (3) it loads the available index.
/// The driver stores the available index; full barrier; loads avail_event and rings the doorbell if it passed it.
/// A store followed by a load of another place is the one order that neither x86 nor acquire and release keep
/// (StoreLoad): without (2) both sides may read old values, the driver thinks the device is awake, and the device
/// sleeps with work waiting. With it at least one of them sees the other's store.
/// </para>
/// </remarks>
internal sealed unsafe class VirtQueue(GuestMemory memory, int maximumSize)
{
    private byte* _descriptors;
    private byte* _available;
    private byte* _used;
    private int _mask;
    private bool _eventIndex;
    private bool _indirect;

    private ushort _next;
    private ushort _seenAvailable;
    private ushort _pushed;
    private ushort _signalled;
    private bool _signalledByOther;

    /// <summary>Entries the queue can have at most, a power of two.</summary>
    public int MaximumSize { get; } = maximumSize;

    /// <summary>Entries as the driver chose; not checked before <see cref="TryEnable"/>.</summary>
    public uint Size { get; set; } = (uint)maximumSize;

    /// <summary>Guest address of the descriptor table; not checked before <see cref="TryEnable"/>.</summary>
    public ulong DescriptorTable { get; set; }

    /// <summary>Guest address of the available ring ("driver area").</summary>
    public ulong AvailableRing { get; set; }

    /// <summary>Guest address of the used ring ("device area").</summary>
    public ulong UsedRing { get; set; }

    /// <summary>Whether the driver made the queue ready and nothing has stopped it since.</summary>
    public bool Enabled { get; private set; }

    /// <summary>What the driver did wrong, if it did.</summary>
    public QueueFault Fault { get; private set; }

    /// <summary>The index, size or address that belongs to <see cref="Fault"/>.</summary>
    public ulong FaultValue { get; private set; }

    /// <summary>Chains that were popped and not yet pushed; never more than <see cref="Size"/>.</summary>
    public int InFlight => (ushort)(_next - _pushed);

    /// <summary>Index of the next request, for who serves the queue in turn with another (vhost). Only while nothing is in flight.</summary>
    /// <remarks>For what the other answered it gave the interrupts, and only it knows which: the first answer after it has one in any case, as the kernel's vhost holds it.</remarks>
    public ushort Position
    {
        get => _next;
        set
        {
            _next = _seenAvailable = _pushed = _signalled = value;
            _signalledByOther = true;
        }
    }

    /// <summary>Checks what the driver set up and starts the queue at index 0; else <see cref="Fault"/> says why not.</summary>
    public bool TryEnable(bool eventIndex, bool indirect)
    {
        Fault = QueueFault.None;
        int size = (int)Size;
        if (Size < RingLayout.MinimumSize || Size > (uint)MaximumSize || (Size & (Size - 1)) != 0)
        {
            return Fail(QueueFault.Size, Size);
        }

        if (!TryMap(DescriptorTable, RingLayout.DescriptorTableBytes(size), RingLayout.DescriptorAlignment, out _descriptors))
        {
            return Fail(QueueFault.DescriptorTable, DescriptorTable);
        }

        if (!TryMap(AvailableRing, RingLayout.AvailableBytes(size), RingLayout.AvailableAlignment, out _available))
        {
            return Fail(QueueFault.AvailableRing, AvailableRing);
        }

        if (!TryMap(UsedRing, RingLayout.UsedBytes(size), RingLayout.UsedAlignment, out _used))
        {
            return Fail(QueueFault.UsedRing, UsedRing);
        }

        _mask = size - 1;
        _eventIndex = eventIndex;
        _indirect = indirect;
        _next = _seenAvailable = _pushed = _signalled = 0;
        _signalledByOther = false;
        Enabled = true;
        return true;
    }

    /// <summary>Stops the queue; guest memory isn't touched any more. What the driver set up stays readable.</summary>
    public void Disable()
    {
        Enabled = false;
        _descriptors = _available = _used = null;
    }

    /// <summary>Back to the state of power-on.</summary>
    public void Reset()
    {
        Disable();
        Fault = QueueFault.None;
        Size = (uint)MaximumSize;
        DescriptorTable = AvailableRing = UsedRing = 0;
        _next = _seenAvailable = _pushed = _signalled = 0;
        _signalledByOther = false;
    }

    /// <summary>Writes what the driver set up, and how far the queue is. With nobody serving it.</summary>
    /// <param name="state">Where to.</param>
    /// <param name="keepsRequests">As for <see cref="Restore"/>.</param>
    public void Save(StateWriter state, bool keepsRequests)
    {
        state.U32(Size);
        state.U64(DescriptorTable);
        state.U64(AvailableRing);
        state.U64(UsedRing);
        state.Bool(Enabled);
        state.U16(keepsRequests ? _next : _pushed);
        state.U16(_pushed);
        state.U16(_signalled);
        state.Bool(_signalledByOther);
    }

    /// <summary>Takes what <see cref="Save"/> wrote; a queue that was enabled goes on where it was.</summary>
    /// <param name="state">Of a queue of the same device.</param>
    /// <param name="eventIndex">As <see cref="TryEnable"/>.</param>
    /// <param name="indirect">As there.</param>
    /// <param name="keepsRequests">Whether requests that were popped and not pushed are the device's still; else they are taken anew.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public void Restore(StateReader state, bool eventIndex, bool indirect, bool keepsRequests)
    {
        Size = state.U32();
        DescriptorTable = state.U64();
        AvailableRing = state.U64();
        UsedRing = state.U64();
        bool enabled = state.Bool();
        (ushort next, ushort pushed, ushort signalled, bool byOther) = (state.U16(), state.U16(), state.U16(), state.Bool());
        if (enabled && !TryEnable(eventIndex, indirect))
        {
            throw state.Damaged($"a queue {Fault.Describe(FaultValue)}");
        }

        if (enabled && (ushort)(next - pushed) > Size)
        {
            throw state.Damaged($"a queue of {Size} has {(ushort)(next - pushed)} requests under way");
        }

        _next = keepsRequests ? next : pushed;
        _seenAvailable = _next;
        (_pushed, _signalled, _signalledByOther) = (pushed, signalled, byOther);
    }

    /// <summary>Takes a request again that was popped before a <see cref="Save"/>, by its head; false when it isn't one any more.</summary>
    public bool TryPopAgain(ushort head, DescriptorChain chain)
    {
        chain.Clear();
        ChainWalker walker = new(memory, chain, _mask + 1, _indirect);
        chain.Head = head;
        return Enabled && walker.TryWalk(_descriptors, head);
    }

    /// <summary>Takes the next request into <paramref name="chain"/>, all its addresses checked.</summary>
    public PopResult Pop(DescriptorChain chain)
    {
        if (!Enabled || Fault != QueueFault.None)
        {
            return Fault == QueueFault.None ? PopResult.Empty : PopResult.Fault;
        }

        if (_next == _seenAvailable && !TryLookForMore())
        {
            return Fault == QueueFault.None ? PopResult.Empty : PopResult.Fault;
        }

        ushort head = Load16(_available + RingLayout.EntriesOffset + (RingLayout.AvailableEntryBytes * (_next & _mask)));
        chain.Clear();
        ChainWalker walker = new(memory, chain, _mask + 1, _indirect);
        if (!walker.TryWalk(_descriptors, head))
        {
            Fail(walker.Fault, walker.FaultValue);
            return PopResult.Fault;
        }

        chain.Head = head;
        _next++;
        return PopResult.Chain;
    }

    /// <summary>Puts the chain that was popped last back, as if it never had been taken: for a device that finds that it can't serve it yet.</summary>
    public void Unpop() => _next--;

    /// <summary>Gives a chain back with the number of bytes the device wrote from the front of its writable buffers. The driver sees it after <see cref="Publish"/>.</summary>
    public void Push(ushort head, uint written)
    {
        // One 8-byte store: id in the low half, len in the high half (little-endian, aligned to 4).
        byte* entry = _used + RingLayout.EntriesOffset + (RingLayout.UsedEntryBytes * (_pushed & _mask));
        Unsafe.WriteUnaligned(entry, head | ((ulong)written << 32));
        _pushed++;
    }

    /// <summary>Shows the driver all that was pushed.</summary>
    public void Publish() => Store16(_used + RingLayout.IndexOffset, _pushed);

    /// <summary>Whether the driver wants an interrupt for what was published since this was asked last.</summary>
    public bool TakeInterrupt()
    {
        ushort before = _signalled;
        if (before == _pushed)
        {
            return false;
        }

        bool unsure = _signalledByOther;
        _signalled = _pushed;
        _signalledByOther = false;

        // StoreLoad: the used index is visible before the driver's wish is read; see the class.
        Interlocked.MemoryBarrier();
        return _eventIndex
            ? unsure || RingLayout.Passed(Load16(_available + RingLayout.UsedEventOffset(_mask + 1)), _pushed, before)
            : (Load16(_available + RingLayout.FlagsOffset) & RingLayout.AvailableNoInterrupt) == 0;
    }

    /// <summary>Asks the driver for a doorbell at its next request. True when requests came before it could know: serve them now.</summary>
    public bool EnableDoorbell()
    {
        if (_eventIndex)
        {
            Store16(_used + RingLayout.AvailableEventOffset(_mask + 1), _next);
        }
        else
        {
            Store16(_used + RingLayout.FlagsOffset, 0);
        }

        // StoreLoad: the wish is visible before the available index is read; see the class.
        Interlocked.MemoryBarrier();
        return Load16(_available + RingLayout.IndexOffset) != _next;
    }

    /// <summary>Tells the driver that the device is awake and needs no doorbells. Only advice: they may come all the same.</summary>
    public void DisableDoorbell()
    {
        // With EVENT_IDX nothing is to be done: an event that was passed stays passed for the next 65,535 requests.
        if (!_eventIndex)
        {
            Store16(_used + RingLayout.FlagsOffset, RingLayout.UsedNoNotify);
        }
    }

    /// <summary>Reads the available index again; false when there is nothing new, or when the index is impossible.</summary>
    private bool TryLookForMore()
    {
        ushort available = Load16(_available + RingLayout.IndexOffset);

        // Each chain the driver has out takes at least one descriptor until the device gives it back. So more than the
        // queue holds between the last given back and the newest is impossible; this also bounds what is in flight.
        if ((ushort)(available - _pushed) > _mask + 1 || (ushort)(available - _pushed) < (ushort)(_next - _pushed))
        {
            return Fail(QueueFault.AvailableIndex, available);
        }

        _seenAvailable = available;
        return available != _next;
    }

    private bool TryMap(ulong address, int length, int alignment, out byte* pointer)
    {
        bool mapped = memory.TryGetHostAddress(address, (ulong)length, out nint host) && address % (ulong)alignment == 0;
        pointer = mapped ? (byte*)host : null;
        return mapped;
    }

    private bool Fail(QueueFault fault, ulong value)
    {
        Fault = fault;
        FaultValue = value;
        return false;
    }

    private static ushort Load16(byte* field) => Volatile.Read(ref *(ushort*)field);

    private static void Store16(byte* field, ushort value) => Volatile.Write(ref *(ushort*)field, value);
}
