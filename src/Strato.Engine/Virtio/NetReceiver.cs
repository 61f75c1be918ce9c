using System;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Net;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>Why a <see cref="NetReceiver"/> or <see cref="NetTransmitter"/> stopped.</summary>
internal enum NetStop
{
    /// <summary>Nothing more to do: no frame waits at the backend, or no packet in the queue.</summary>
    Idle,

    /// <summary>The other side has no room: the driver no buffers, or the backend no place.</summary>
    Blocked,

    /// <summary>There may be more, but other work has its turn.</summary>
    Budget,

    /// <summary>The queue is broken.</summary>
    QueueFault,

    /// <summary>A buffer is too small for a header.</summary>
    NoHeader,

    /// <summary>The backend has gone; errno says why, 0 for an end in order.</summary>
    BackendGone,
}

/// <summary>Brings frames from a backend straight into the driver's buffers (VIRTIO 1.2, 5.1.6.3 and 5.1.6.4).</summary>
/// <remarks>
/// A frame is read into as many chains as it takes, whose number stands in its header (MRG_RXBUF), or else into one. How long
/// it is shows only when it is read, so chains for the largest frame are taken ahead, and what a frame leaves waits for the
/// next; <see cref="GiveBack"/> undoes that. A frame that is too long for all the driver gave is dropped, which one byte of
/// ours behind the driver's buffers tells.
/// </remarks>
internal sealed class NetReceiver(VirtQueue queue, INetBackend backend)
{
    private const int FramesPerTurn = 64;

    private readonly DescriptorChain _chain = new();
    private readonly BufferList _room = new();
    private readonly (ushort Head, ulong Length)[] _chains = new (ushort, ulong)[queue.MaximumSize];
    private readonly byte[] _spill = GC.AllocateArray<byte>(1, pinned: true);
    private int _first;
    private int _count;

    /// <summary>Whether a frame may be cut into several chains.</summary>
    public bool Mergeable { get; set; }

    /// <summary>Whether the backend gives frames longer than a buffer of the driver's.</summary>
    public bool LongFrames { get; set; }

    /// <summary>Frames that the driver was given.</summary>
    public long Frames { get; private set; }

    /// <summary>Their bytes, without the header before each.</summary>
    public long Bytes { get; private set; }

    /// <summary>Receives until something is in the way. The driver isn't interrupted yet.</summary>
    /// <param name="connected">False where no frames come.</param>
    /// <param name="errno">With BackendGone, why.</param>
    public NetStop Receive(bool connected, out int errno)
    {
        errno = 0;
        for (int budget = FramesPerTurn; budget > 0; budget--)
        {
            NetStop? stop = SeeToRoom();
            if (stop is not null || !connected)
            {
                return stop ?? NetStop.Blocked;
            }

            nint length = backend.Receive(_room.PartsAnd(Spill()));
            if (length <= 0)
            {
                errno = length < 0 ? Errno.Last : 0;
                return errno == Errno.EAGAIN ? NetStop.Idle : NetStop.BackendGone;
            }

            // A tap gives no frame without its header.
            if (length >= VirtioNetHeader.Bytes && (ulong)length <= _room.Length)
            {
                Deliver((ulong)length);
            }
        }

        return NetStop.Budget;
    }

    /// <summary>Puts the chains that wait for frames back into the queue.</summary>
    public void GiveBack()
    {
        for (; _count > 0; _count--)
        {
            queue.Unpop();
        }

        _room.Clear();
        _first = 0;
    }

    /// <summary>Null when there is room for a frame, else what is in the way.</summary>
    private NetStop? SeeToRoom()
    {
        while (true)
        {
            queue.DisableDoorbell();
            NetStop? fault = Fill();
            if (fault is not null)
            {
                return fault;
            }

            // A driver whose whole ring is smaller than the largest frame gets those that fit.
            bool enough = Mergeable && LongFrames
                ? _room.Length >= VirtioNetHeader.LargestFrame || queue.InFlight == queue.Size || IsFull
                : _count > 0;
            if (enough)
            {
                return null;
            }

            if (!queue.EnableDoorbell())
            {
                return NetStop.Blocked;
            }
        }
    }

    /// <summary>As many pieces as one system call takes, less those of one more chain.</summary>
    private bool IsFull => _room.Parts.Length + 1 + queue.MaximumSize > Libc.UIO_MAXIOV;

    private NetStop? Fill()
    {
        while (!IsFull && (Mergeable ? _room.Length < VirtioNetHeader.LargestFrame : _count == 0))
        {
            PopResult result = queue.Pop(_chain);
            if (result != PopResult.Chain)
            {
                return result == PopResult.Fault ? NetStop.QueueFault : null;
            }

            BufferList room = _chain.Writable;
            if (room.Length < VirtioNetHeader.Bytes)
            {
                return NetStop.NoHeader;
            }

            _chains[(_first + _count++) % _chains.Length] = (_chain.Head, room.Length);
            _room.Append(room);
        }

        return null;
    }

    /// <summary>Gives the driver the chains that the frame lies in.</summary>
    private void Deliver(ulong length)
    {
        Frames++;
        Bytes += (long)length - VirtioNetHeader.Bytes;
        ushort count = 0;
        ulong capacity = 0;
        while (capacity < length)
        {
            capacity += _chains[(_first + count++) % _chains.Length].Length;
        }

        _room.WriteAt(VirtioNetHeader.BufferCountOffset, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(ref count)));
        _room.Advance(capacity);
        for (int i = 0; i < count; i++)
        {
            (ushort head, ulong room) = _chains[_first];
            uint written = (uint)ulong.Min(room, length);
            length -= written;
            queue.Push(head, written);
            _first = (_first + 1) % _chains.Length;
        }

        _count -= count;
        queue.Publish();
    }

    private Libc.iovec Spill() => new() { iov_base = Marshal.UnsafeAddrOfPinnedArrayElement(_spill, 0), iov_len = 1 };
}
