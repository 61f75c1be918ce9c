using System;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;

namespace Strato.Engine.Virtio.Queue;

/// <summary>Pieces of guest memory, in order, that are consumed from the front (and the last bytes from the back).</summary>
/// <remarks>
/// Only <see cref="DescriptorChain"/> fills it, with addresses that were checked. The pieces are ready for readv and
/// its kin: after a short transfer <see cref="Advance"/>, and go on with what is left. The guest can write the
/// memory meanwhile: copy what you check.
/// The array is pinned, so that the kernel may keep its address for the time of a request.
/// </remarks>
internal sealed unsafe class BufferList
{
    private Libc.iovec[] _parts = GC.AllocateUninitializedArray<Libc.iovec>(16, pinned: true);
    private int _first;
    private int _end;

    /// <summary>Bytes that are left.</summary>
    public ulong Length { get; private set; }

    /// <summary>What is left, for system calls; no piece is empty.</summary>
    public ReadOnlySpan<Libc.iovec> Parts => _parts.AsSpan(_first, _end - _first);

    /// <summary>The piece at the front, empty when nothing is left; at most 2 GiB of it.</summary>
    public Span<byte> Front => _first == _end ? default : Memory(_parts[_first]);

    public void Clear()
    {
        _first = 0;
        _end = 0;
        Length = 0;
    }

    /// <summary>Drops <paramref name="count"/> bytes, at most <see cref="Length"/>, from the front.</summary>
    public void Advance(ulong count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length);
        Length -= count;
        while (count > 0)
        {
            ref Libc.iovec part = ref _parts[_first];
            if (count < part.iov_len)
            {
                part.iov_base += (nint)count;
                part.iov_len -= (nuint)count;
                return;
            }

            count -= part.iov_len;
            _first++;
        }
    }

    /// <summary>Copies from the front into <paramref name="destination"/> and drops what it copied; how many bytes.</summary>
    public int Read(Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length && _first < _end)
        {
            Span<byte> source = Front;
            int count = Math.Min(source.Length, destination.Length - done);
            source[..count].CopyTo(destination[done..]);
            Advance((ulong)count);
            done += count;
        }

        return done;
    }

    /// <summary>Copies from the front into a structure; false, with nothing dropped, when fewer bytes are left.</summary>
    public bool TryRead<T>(out T value)
        where T : unmanaged
    {
        value = default;
        return Length >= (ulong)sizeof(T) && Read(MemoryMarshal.AsBytes(new Span<T>(ref value))) == sizeof(T);
    }

    /// <summary>Copies <paramref name="source"/> to the front and drops what it filled; how many bytes found a place.</summary>
    public int Write(ReadOnlySpan<byte> source)
    {
        int done = 0;
        while (done < source.Length && _first < _end)
        {
            Span<byte> destination = Front;
            int count = Math.Min(destination.Length, source.Length - done);
            source.Slice(done, count).CopyTo(destination);
            Advance((ulong)count);
            done += count;
        }

        return done;
    }

    /// <summary>Takes the last byte away from the list, for a status that is written when all else is done.</summary>
    public bool TryTakeLast(out Span<byte> place)
    {
        if (_first == _end)
        {
            place = default;
            return false;
        }

        ref Libc.iovec part = ref _parts[_end - 1];
        part.iov_len--;
        Length--;
        place = new Span<byte>((byte*)part.iov_base + part.iov_len, 1);
        _end -= part.iov_len == 0 ? 1 : 0;
        return true;
    }

    /// <summary>Appends a piece that was checked to be guest memory and isn't empty.</summary>
    internal void Add(nint address, ulong length)
    {
        if (_end == _parts.Length)
        {
            // Grows to the longest chain this list ever held, which is bounded by the queue's size, and stays so.
            Libc.iovec[] grown = GC.AllocateUninitializedArray<Libc.iovec>(_parts.Length * 2, pinned: true);
            _parts.CopyTo(grown, 0);
            _parts = grown;
        }

        _parts[_end++] = new Libc.iovec { iov_base = address, iov_len = (nuint)length };
        Length += length;
    }

    private static Span<byte> Memory(Libc.iovec part) => new((void*)part.iov_base, (int)Math.Min(part.iov_len, int.MaxValue));
}
