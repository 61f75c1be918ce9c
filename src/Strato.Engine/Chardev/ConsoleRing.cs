using System;
using System.Numerics;
using System.Threading;

namespace Strato.Engine.Chardev;

/// <summary>The last bytes of a stream that never waits: one writer, any number of readers, each at its own offset.</summary>
/// <remarks>
/// Offsets are absolute: they count bytes from the ring's creation and never restart. No lock is held, so that a reader
/// that loses its processor in the middle of a copy can't hold up the writer, which runs on a vCPU thread.
/// The protocol:
///   writer  (1) moves <c>_start</c> past the bytes that it is going to overwrite,
///           (2) copies the new bytes into their slots,
///           (3) moves <c>_end</c> past them;
///   reader  (4) reads <c>_end</c>, (5) copies bytes below it, (6) reads <c>_start</c>, and gives up the part of its copy
///           below that.
/// If the copy (5) saw any byte that (2) wrote over an older one, (6) sees the start that (1) had set before: so a byte
/// that a reader keeps is the byte of its offset. Between (1) and (2), and between (5) and (6), stands a full
/// barrier, for Volatile orders a store only with what came before it, and a load only with what comes after.
/// </remarks>
internal sealed class ConsoleRing
{
    private readonly byte[] _bytes;
    private long _start;
    private long _end;
    private long _boot;

    /// <param name="capacity">Bytes it holds; a power of two.</param>
    public ConsoleRing(int capacity)
    {
        if (capacity <= 0 || !BitOperations.IsPow2(capacity))
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "a power of two is needed");
        }

        // Bytes that were never written are never read either.
        _bytes = GC.AllocateUninitializedArray<byte>(capacity);
    }

    /// <summary>Bytes it holds at most.</summary>
    public int Capacity => _bytes.Length;

    /// <summary>Offset of the oldest byte that is still there.</summary>
    public long Start => Volatile.Read(ref _start);

    /// <summary>Offset of the next byte that will be written: how many were written so far.</summary>
    public long End => Volatile.Read(ref _end);

    /// <summary>Offset of the first byte of the guest's present boot.</summary>
    public long Boot => Volatile.Read(ref _boot);

    /// <summary>What is written from here on is a new boot's. With the writer at rest.</summary>
    public void BeginBoot() => Volatile.Write(ref _boot, End);

    /// <summary>Appends, in place of the oldest bytes where it is full. One writer at a time.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            int count = Math.Min(data.Length, _bytes.Length);
            Append(data[..count]);
            data = data[count..];
        }
    }

    /// <summary>Copies bytes from <paramref name="position"/> on, without moving past them. From any thread.</summary>
    /// <param name="position">Offset of the first byte wanted, at most <see cref="End"/>; moved forward to the oldest byte left when that one was dropped.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <param name="lost">How many bytes <paramref name="position"/> was moved over.</param>
    /// <returns>How many bytes were copied; 0 when the reader has caught up.</returns>
    public int Peek(ref long position, Span<byte> buffer, out long lost)
    {
        lost = 0;
        while (true)
        {
            long start = Volatile.Read(ref _start);
            if (position < start)
            {
                lost += start - position;
                position = start;
            }

            int count = (int)Math.Min(Volatile.Read(ref _end) - position, buffer.Length);
            if (count <= 0)
            {
                return 0;
            }

            int slot = (int)(position & (_bytes.Length - 1));
            int first = Math.Min(count, _bytes.Length - slot);
            _bytes.AsSpan(slot, first).CopyTo(buffer);
            _bytes.AsSpan(0, count - first).CopyTo(buffer[first..]);

            Interlocked.MemoryBarrier();
            long overwritten = Volatile.Read(ref _start) - position;
            if (overwritten <= 0)
            {
                return count;
            }

            if (overwritten < count)
            {
                buffer[(int)overwritten..count].CopyTo(buffer);
                position += overwritten;
                lost += overwritten;
                return count - (int)overwritten;
            }
        }
    }

    private void Append(ReadOnlySpan<byte> data)
    {
        long end = _end;
        long start = end + data.Length - _bytes.Length;
        if (start > _start)
        {
            Volatile.Write(ref _start, start);
            Interlocked.MemoryBarrier();
        }

        int slot = (int)(end & (_bytes.Length - 1));
        int first = Math.Min(data.Length, _bytes.Length - slot);
        data[..first].CopyTo(_bytes.AsSpan(slot));
        data[first..].CopyTo(_bytes);
        Volatile.Write(ref _end, end + data.Length);
    }
}
