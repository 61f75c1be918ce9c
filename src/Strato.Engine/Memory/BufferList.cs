using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>Pieces of guest memory, in order, that are consumed from the front (and the last bytes from the back).</summary>
/// <remarks>
/// Only a queue's walk through its descriptors fills it, with addresses that were checked. The pieces are ready for readv and
/// its kin: after a short transfer <see cref="Advance"/>, and go on with what is left. The guest can write the
/// memory meanwhile: copy what you check.
/// The array is pinned, so that the kernel may keep its address for the time of a request.
/// </remarks>
internal sealed unsafe class BufferList
{
    /// <summary>Pieces a list keeps room for. What longer ones need is given back, so that a driver with thousands of them doesn't fill the engine's memory.</summary>
    private const int MostKept = 256;

    private const int FewParts = 4;

    private Libc.iovec[] _parts = GC.AllocateUninitializedArray<Libc.iovec>(FewParts, pinned: true);
    private int _first;
    private int _end;

    /// <summary>Bytes that are left.</summary>
    public ulong Length { get; private set; }

    /// <summary>What is left, for system calls; no piece is empty.</summary>
    public ReadOnlySpan<Libc.iovec> Parts => _parts.AsSpan(_first, _end - _first);

    /// <summary>Address of the first of <see cref="Parts"/>, which holds until the list is changed or cleared.</summary>
    public nint PartsAddress => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_parts)) + (_first * sizeof(Libc.iovec));

    /// <summary>The piece at the front, empty when nothing is left; at most 2 GiB of it.</summary>
    public Span<byte> Front => _first == _end ? default : Memory(_parts[_first]);

    public void Clear()
    {
        _first = 0;
        _end = 0;
        Length = 0;
        if (_parts.Length > MostKept)
        {
            _parts = GC.AllocateUninitializedArray<Libc.iovec>(FewParts, pinned: true);
        }
    }

    /// <summary>Whether address and length of each piece are multiples of <paramref name="alignment"/>, a power of two.</summary>
    public bool IsAligned(uint alignment)
    {
        nuint mask = alignment - 1;
        nuint bits = 0;
        foreach (ref readonly Libc.iovec part in Parts)
        {
            bits |= ((nuint)part.iov_base | part.iov_len) & mask;
        }

        return bits == 0;
    }

    /// <summary>Whether all bytes are zero now.</summary>
    public bool IsZero()
    {
        foreach (ref readonly Libc.iovec part in Parts)
        {
            byte* start = (byte*)part.iov_base;
            for (nuint done = 0; done < part.iov_len;)
            {
                int count = (int)nuint.Min(part.iov_len - done, 1 << 20);
                if (new ReadOnlySpan<byte>(start + done, count).ContainsAnyExcept((byte)0))
                {
                    return false;
                }

                done += (nuint)count;
            }
        }

        return true;
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

    /// <summary>Copies from the front into <paramref name="destination"/> and drops nothing; how many bytes.</summary>
    public int CopyTo(Span<byte> destination)
    {
        int done = 0;
        for (int i = _first; i < _end && done < destination.Length; i++)
        {
            Span<byte> source = Memory(_parts[i]);
            int count = Math.Min(source.Length, destination.Length - done);
            source[..count].CopyTo(destination[done..]);
            done += count;
        }

        return done;
    }

    /// <summary>Copies <paramref name="source"/> to the front and drops nothing; how many bytes found a place.</summary>
    public int CopyFrom(ReadOnlySpan<byte> source)
    {
        int done = 0;
        for (int i = _first; i < _end && done < source.Length; i++)
        {
            Span<byte> destination = Memory(_parts[i]);
            int count = Math.Min(destination.Length, source.Length - done);
            source.Slice(done, count).CopyTo(destination);
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

    /// <summary>Copies <paramref name="source"/> to a place behind the front, and drops nothing; what lies beyond the end is left out.</summary>
    public void WriteAt(ulong offset, ReadOnlySpan<byte> source)
    {
        for (int i = _first; i < _end && source.Length > 0; i++)
        {
            if (offset >= _parts[i].iov_len)
            {
                offset -= _parts[i].iov_len;
                continue;
            }

            Span<byte> place = new((byte*)_parts[i].iov_base + offset, (int)Math.Min(_parts[i].iov_len - offset, (ulong)source.Length));
            source[..place.Length].CopyTo(place);
            source = source[place.Length..];
            offset = 0;
        }
    }

    /// <summary>As <see cref="Parts"/>, and one piece of the host's memory more at the end; good until the list changes.</summary>
    public ReadOnlySpan<Libc.iovec> PartsAnd(Libc.iovec last)
    {
        MakeRoom();
        _parts[_end] = last;
        return _parts.AsSpan(_first, _end - _first + 1);
    }

    /// <summary>Appends all that is left in another list.</summary>
    public void Append(BufferList other)
    {
        foreach (Libc.iovec part in other.Parts)
        {
            Add(part.iov_base, part.iov_len);
        }
    }

    /// <summary>Moves the last byte to <paramref name="place"/>, for a status that is written when all else is done; false when there is none.</summary>
    public bool TryMoveLast(BufferList place)
    {
        place.Clear();
        if (_first == _end)
        {
            return false;
        }

        ref Libc.iovec part = ref _parts[_end - 1];
        part.iov_len--;
        Length--;
        place.Add(part.iov_base + (nint)part.iov_len, 1);
        _end -= part.iov_len == 0 ? 1 : 0;
        return true;
    }

    /// <summary>Appends a piece that was checked to be guest memory and isn't empty.</summary>
    internal void Add(nint address, ulong length)
    {
        MakeRoom();
        _parts[_end++] = new Libc.iovec { iov_base = address, iov_len = (nuint)length };
        Length += length;
    }

    /// <summary>Sees to a free place at the end.</summary>
    private void MakeRoom()
    {
        if (_end < _parts.Length)
        {
            return;
        }

        // Grows to what this list ever held at a time, which is bounded by the queue's size, and stays so; where half of it
        // was consumed, what is left moves to the front instead.
        bool grow = _first < _parts.Length / 2;
        Libc.iovec[] target = grow ? GC.AllocateUninitializedArray<Libc.iovec>(_parts.Length * 2, pinned: true) : _parts;
        Array.Copy(_parts, _first, target, 0, _end - _first);
        (_parts, _end, _first) = (target, _end - _first, 0);
    }

    private static Span<byte> Memory(Libc.iovec part) => new((void*)part.iov_base, (int)Math.Min(part.iov_len, int.MaxValue));
}
