using System;
using System.Runtime.CompilerServices;
using System.Threading;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>The guest's RAM. The only way to it: every address and length is checked here, without arithmetic that can wrap.</summary>
/// <remarks>
/// Addresses come from the guest and may be anything; a failed check is a false result, never an exception.
/// The guest's CPUs change this memory at any time: read what you check once, into your own copy. Ring fields that
/// carry ordering go through the Load and Store methods (acquire and release).
/// </remarks>
internal sealed unsafe class GuestMemory : IDisposable
{
    /// <summary>Size of a page on every machine the engine knows.</summary>
    public const ulong PageSize = 4096;

    private const ulong HugePageSize = 2 << 20;

    private readonly MemoryRegion[] _regions;
    private readonly FileDescriptor? _file;
    private bool _disposed;

    private GuestMemory(MemoryRegion[] regions, FileDescriptor? file)
    {
        _regions = regions;
        _file = file;
    }

    /// <summary>All RAM, by rising address.</summary>
    public ReadOnlySpan<MemoryRegion> Regions => _regions;

    /// <summary>Bytes of RAM in all.</summary>
    public ulong Size
    {
        get
        {
            ulong size = 0;
            foreach (MemoryRegion region in _regions)
            {
                size += region.Length;
            }

            return size;
        }
    }

    /// <summary>Maps memory for ranges given by rising address; pages appear as they are touched.</summary>
    /// <param name="ranges">Start and length of each.</param>
    /// <param name="shared">Whether other processes can map it: it is then a file without a name.</param>
    /// <exception cref="LinuxException">The host refuses the map.</exception>
    public static GuestMemory Allocate(ReadOnlySpan<(ulong Start, ulong Length)> ranges, bool shared = false)
    {
        FileDescriptor? file = shared ? CreateFile(ranges) : null;
        MemoryRegion[] regions = new MemoryRegion[ranges.Length];
        ulong offset = 0;
        for (int i = 0; i < ranges.Length; i++)
        {
            (ulong start, ulong length) = ranges[i];
            int fd = file?.Value ?? -1;
            regions[i] = new MemoryRegion(start, length, (nint)MapAligned(length, fd, (long)offset), fd, file is null ? 0 : offset);
            offset += length;
        }

        return new GuestMemory(regions, file);
    }

    /// <summary>Whether the whole range is RAM inside one region. A length of zero is in RAM if its address is.</summary>
    public bool Contains(ulong address, ulong length) => Find(address, length) is not null;

    /// <summary>The range as a span, if it lies inside one region.</summary>
    /// <remarks>The guest can change it under the reader; see the remarks of the class.</remarks>
    public bool TryGetSpan(ulong address, int length, out Span<byte> span)
    {
        byte* pointer = length < 0 ? null : Find(address, (ulong)length);
        span = pointer is null ? default : new Span<byte>(pointer, length);
        return pointer is not null;
    }

    /// <summary>The range's address in this process, for system calls that take one (readv, ioctl), if it lies inside one region.</summary>
    public bool TryGetHostAddress(ulong address, ulong length, out nint hostAddress)
    {
        hostAddress = (nint)Find(address, length);
        return hostAddress != 0;
    }

    /// <summary>Copies out of the guest.</summary>
    public bool TryRead(ulong address, Span<byte> destination)
    {
        if (!TryGetSpan(address, destination.Length, out Span<byte> source))
        {
            return false;
        }

        source.CopyTo(destination);
        return true;
    }

    /// <summary>Copies into the guest.</summary>
    public bool TryWrite(ulong address, ReadOnlySpan<byte> source)
    {
        if (!TryGetSpan(address, source.Length, out Span<byte> destination))
        {
            return false;
        }

        source.CopyTo(destination);
        return true;
    }

    /// <summary>Copies one little-endian value or structure out of the guest.</summary>
    public bool TryRead<T>(ulong address, out T value)
        where T : unmanaged
    {
        byte* pointer = Find(address, (ulong)sizeof(T));
        value = pointer is null ? default : Unsafe.ReadUnaligned<T>(pointer);
        return pointer is not null;
    }

    /// <summary>Copies one little-endian value or structure into the guest.</summary>
    public bool TryWrite<T>(ulong address, T value)
        where T : unmanaged
    {
        byte* pointer = Find(address, (ulong)sizeof(T));
        if (pointer is null)
        {
            return false;
        }

        Unsafe.WriteUnaligned(pointer, value);
        return true;
    }

    /// <summary>Reads a 16-bit ring field, aligned, with acquire ordering.</summary>
    public bool TryLoad16(ulong address, out ushort value)
    {
        byte* pointer = (address & 1) != 0 ? null : Find(address, 2);
        value = pointer is null ? (ushort)0 : Volatile.Read(ref *(ushort*)pointer);
        return pointer is not null;
    }

    /// <summary>Writes a 16-bit ring field, aligned, with release ordering.</summary>
    public bool TryStore16(ulong address, ushort value)
    {
        byte* pointer = (address & 1) != 0 ? null : Find(address, 2);
        if (pointer is null)
        {
            return false;
        }

        Volatile.Write(ref *(ushort*)pointer, value);
        return true;
    }

    /// <summary>Gives all pages back to the host; they read as zeros when they are touched again.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Discard()
    {
        foreach (MemoryRegion region in _regions)
        {
            if (!GiveBack((void*)region.HostAddress, region.Length))
            {
                throw LinuxException.Last("madvise of guest memory");
            }
        }
    }

    /// <summary>Gives a range of whole pages back to the host; false when it isn't whole pages of one region.</summary>
    public bool TryDiscard(ulong address, ulong length) =>
        ((address | length) & (PageSize - 1)) == 0 && length > 0 && Find(address, length) is var pointer && pointer is not null
        && GiveBack(pointer, length);

    /// <summary>As <see cref="TryDiscard"/>, by an address of this process that <see cref="TryGetHostAddress"/> gave.</summary>
    public bool TryDiscardHost(nint hostAddress, ulong length)
    {
        foreach (ref readonly MemoryRegion region in _regions.AsSpan())
        {
            ulong offset = (ulong)(hostAddress - region.HostAddress);
            if (hostAddress >= region.HostAddress && offset < region.Length && length <= region.Length - offset)
            {
                return TryDiscard(region.Start + offset, length);
            }
        }

        return false;
    }

    /// <summary>Asks the host to back a range with huge pages: for what is about to be filled as a whole. Where it can't, nothing changes.</summary>
    /// <remarks>
    /// Not for all RAM: a guest that touches little would hold up to 512 times as much. Filling a kernel's 14 MB takes a
    /// tenth of the time, and the nested page tables of the guest get huge entries there as well.
    /// </remarks>
    public void PreferHugePages(ulong address, ulong length)
    {
        foreach (MemoryRegion region in _regions)
        {
            ulong offset = address - region.Start;
            if (address >= region.Start && offset < region.Length && length <= region.Length - offset && length >= HugePageSize)
            {
                ulong start = offset & ~(HugePageSize - 1);
                ulong end = Math.Min(region.Length, (offset + length + HugePageSize - 1) & ~(HugePageSize - 1));
                _ = Libc.madvise((byte*)region.HostAddress + start, (nuint)(end - start), Libc.MADV_HUGEPAGE);
            }
        }
    }

    /// <summary>Leaves guest memory out of a core dump of this process.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void ExcludeFromCoreDump()
    {
        foreach (MemoryRegion region in _regions)
        {
            if (Libc.madvise((void*)region.HostAddress, (nuint)region.Length, Libc.MADV_DONTDUMP) < 0)
            {
                throw LinuxException.Last("madvise(MADV_DONTDUMP)");
            }
        }
    }

    /// <summary>May be called again: a second munmap would take away whatever the process has mapped there since.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (MemoryRegion region in _regions)
        {
            _ = Libc.munmap((void*)region.HostAddress, (nuint)region.Length);
        }

        _file?.Dispose();
    }

    /// <summary>A file for all ranges, whose size stays: whoever maps it can't have this process touch what is gone.</summary>
    private static FileDescriptor CreateFile(ReadOnlySpan<(ulong Start, ulong Length)> ranges)
    {
        ulong size = 0;
        foreach ((_, ulong length) in ranges)
        {
            size += length;
        }

        FileDescriptor file = Libc.CreateMemoryFile("strato-guest-memory\0"u8, Libc.MFD_ALLOW_SEALING);
        if (Libc.ftruncate(file.Value, (long)size) < 0 || Libc.fcntl(file.Value, Libc.F_ADD_SEALS, Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL) < 0)
        {
            throw LinuxException.Last($"a file of {size} bytes for shared guest memory");
        }

        return file;
    }

    /// <summary>Maps memory at a multiple of the huge page size: guest and host addresses must agree in those bits, or no page of it can be huge.</summary>
    private static byte* MapAligned(ulong length, int file, long offset)
    {
        // NORESERVE: a guest may be larger than what the host has free now; it is told so when it is started.
        const int Flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
        byte* map = (byte*)Libc.mmap(null, (nuint)(length + HugePageSize), Libc.PROT_READ | Libc.PROT_WRITE, Flags, -1, 0);
        if (map == Libc.MAP_FAILED)
        {
            throw LinuxException.Last($"mmap of {length} bytes of guest memory");
        }

        ulong before = (ulong)-(long)map & (HugePageSize - 1);
        if (before != 0)
        {
            _ = Libc.munmap(map, (nuint)before);
        }

        _ = Libc.munmap(map + before + length, (nuint)(HugePageSize - before));
        map += before;
        if (file >= 0 && Libc.mmap(map, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_FIXED | Libc.MAP_NORESERVE, file, offset) == Libc.MAP_FAILED)
        {
            throw LinuxException.Last($"mmap of {length} bytes of shared guest memory");
        }

        return map;
    }

    /// <summary>Whole pages go back to the host. Of a file they have to be taken out: others hold them as well.</summary>
    private bool GiveBack(void* address, ulong length) =>
        Libc.madvise(address, (nuint)length, _file is null ? Libc.MADV_DONTNEED : Libc.MADV_REMOVE) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* Find(ulong address, ulong length)
    {
        foreach (ref readonly MemoryRegion region in _regions.AsSpan())
        {
            // Offsets, not ends: no sum of guest values is made, so nothing wraps.
            ulong offset = address - region.Start;
            if (address >= region.Start && offset < region.Length && length <= region.Length - offset)
            {
                return (byte*)region.HostAddress + offset;
            }
        }

        return null;
    }
}
