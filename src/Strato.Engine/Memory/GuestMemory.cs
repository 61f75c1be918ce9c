using System;
using System.Collections.Generic;
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

    /// <summary>From here on a piece that is given back is worth a map of its own, where the memory is that of an image.</summary>
    private const ulong WorthMapping = 64 * 1024;

    /// <summary>Pieces that get maps of their own: each costs two maps, of which a process has 65,530, and without one more it can't go on.</summary>
    private const int MostPieces = 16 * 1024;

    private readonly MemoryRegion[] _regions;
    private readonly MemoryFile? _file;
    private readonly List<int> _advice = [];
    private bool _isImage;
    private int _pieces;
    private bool _isKept;
    private bool _disposed;

    private GuestMemory(int regions, MemoryFile? file)
    {
        _regions = new MemoryRegion[regions];
        _file = file;
        _isKept = file?.IsHuge ?? false;
    }

    /// <summary>The file that it is mapped from: what the guest didn't change is read there still. Null for none.</summary>
    public FileIdentity? Image { get; private set; }

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

    /// <summary>Bytes of the host's pages that hold it: 4096, or those of huge pages.</summary>
    public ulong HostPageSize => _file?.PageSize ?? PageSize;

    /// <summary>Maps memory for ranges given by rising address; pages appear as they are touched.</summary>
    /// <param name="ranges">Start and length of each.</param>
    /// <param name="file">What holds it, as long as all ranges, and this object's from here on; null for memory that is this process's alone.</param>
    /// <remarks>Huge pages are reserved here, so that the guest finds one wherever it touches its memory.</remarks>
    /// <exception cref="LinuxException">The host refuses the map: ENOMEM where there are too few huge pages.</exception>
    public static GuestMemory Allocate(ReadOnlySpan<(ulong Start, ulong Length)> ranges, MemoryFile? file = null)
    {
        GuestMemory memory = new(ranges.Length, file);
        try
        {
            ulong offset = 0;
            for (int i = 0; i < ranges.Length; i++)
            {
                (ulong start, ulong length) = ranges[i];
                nint address = (nint)Map(length, file, (long)offset);
                memory._regions[i] = new MemoryRegion(start, length, address, file?.Descriptor ?? -1, file is null ? 0 : offset);
                offset += length;
            }

            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Maps memory that begins as a file's contents, which stay as they are: what the guest changes is this process's alone.</summary>
    /// <param name="ranges">Start and length of each; they lie in the file one behind the other.</param>
    /// <param name="image">May be closed afterwards; nobody may write to it or make it shorter.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static GuestMemory MapImage(ReadOnlySpan<(ulong Start, ulong Length)> ranges, FileDescriptor image)
    {
        GuestMemory memory = Allocate(ranges);
        memory._isImage = true;
        memory.Image = FileIdentity.Of(image.Value);
        ulong offset = 0;
        foreach (MemoryRegion region in memory._regions)
        {
            const int Flags = Libc.MAP_PRIVATE | Libc.MAP_FIXED | Libc.MAP_NORESERVE;
            if (Libc.mmap((void*)region.HostAddress, (nuint)region.Length, Libc.PROT_READ | Libc.PROT_WRITE, Flags, image.Value, (long)offset) == Libc.MAP_FAILED)
            {
                LinuxException error = LinuxException.Last($"mmap of {region.Length} bytes of a snapshot's memory");
                memory.Dispose();
                throw error;
            }

            offset += region.Length;
        }

        return memory;
    }

    /// <summary>Copies a file's contents in, but for its holes: the memory is all zeros.</summary>
    /// <param name="image">The ranges lie in it one behind the other.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Fill(FileDescriptor image)
    {
        ulong offset = 0;
        foreach (MemoryRegion region in _regions)
        {
            MemoryWorkers.Fill((byte*)region.HostAddress, region.Length, HostPageSize, image.Value, offset);
            offset += region.Length;
        }
    }

    /// <summary>Gives all of it memory of the host now, and for as long as this lives.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Populate()
    {
        _isKept = true;
        foreach (MemoryRegion region in _regions)
        {
            MemoryWorkers.Populate((byte*)region.HostAddress, region.Length, HostPageSize);
        }
    }

    /// <summary>Lets the kernel keep one copy of pages that are equal, of all processes that allow it (KSM).</summary>
    /// <exception cref="LinuxException">The host refuses: EINVAL where it has no KSM.</exception>
    public void AllowMerging() => Advise(Libc.MADV_MERGEABLE, "madvise(MADV_MERGEABLE)");

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

    /// <summary>Copies out of the guest, as <see cref="TryRead(ulong, Span{byte})"/>, and leaves pages that nobody has touched without memory of the host; false with errno where that fails.</summary>
    /// <remarks>To read a page of a file that is mapped makes the page; to read the file doesn't.</remarks>
    public bool TryReadAsIs(ulong address, Span<byte> destination)
    {
        foreach (ref readonly MemoryRegion region in _regions.AsSpan())
        {
            ulong offset = address - region.Start;
            if (region.File >= 0 && address >= region.Start && offset < region.Length && (ulong)destination.Length <= region.Length - offset)
            {
                return Libc.PRead(region.File, destination, (long)(region.FileOffset + offset)) == destination.Length;
            }
        }

        return TryRead(address, destination);
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

    /// <summary>Makes all of it zeros. Pages go back to the host, but for those that were reserved or allocated beforehand, which another could take.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Discard()
    {
        _pieces = 0;
        foreach (MemoryRegion region in _regions)
        {
            if (_isImage && !_isKept)
            {
                // What a piece of the file's map is given back to is the file's contents.
                if (!MapZeros((void*)region.HostAddress, region.Length))
                {
                    throw LinuxException.Last("mmap of guest memory");
                }
            }
            else if (_isKept)
            {
                MemoryWorkers.Clear((byte*)region.HostAddress, region.Length, HostPageSize);
            }
            else if (!GiveBack((void*)region.HostAddress, region.Length))
            {
                // Not every file system can take pages out of a file: NFS of version 3, 9p, vfat, ramfs.
                LinuxException error = LinuxException.Last("madvise of guest memory");
                if (error.Errno != Errno.EOPNOTSUPP)
                {
                    throw error;
                }

                MemoryWorkers.Clear((byte*)region.HostAddress, region.Length, HostPageSize);
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
        if (_isKept)
        {
            return;
        }

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
    public void ExcludeFromCoreDump() => Advise(Libc.MADV_DONTDUMP, "madvise(MADV_DONTDUMP)");

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

    /// <summary>Maps memory at a multiple of the huge page size: guest and host addresses must agree in those bits, or no page of it can be huge.</summary>
    private static byte* Map(ulong length, MemoryFile? file, long offset)
    {
        // NORESERVE: a guest may be larger than what the host has free now; it is told so when it is started.
        const int Flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
        // What a file is put over is no memory that may be written to, which a host that doesn't overcommit would count as well.
        int access = file is null ? Libc.PROT_READ | Libc.PROT_WRITE : Libc.PROT_NONE;
        ulong alignment = file is { IsHuge: true } ? Math.Max(file.PageSize, HugePageSize) : HugePageSize;
        byte* map = (byte*)Libc.mmap(null, (nuint)(length + alignment), access, Flags, -1, 0);
        if (map == Libc.MAP_FAILED)
        {
            throw LinuxException.Last($"mmap of {length} bytes of guest memory");
        }

        ulong before = (ulong)-(long)map & (alignment - 1);
        if (before != 0)
        {
            _ = Libc.munmap(map, (nuint)before);
        }

        _ = Libc.munmap(map + before + length, (nuint)(alignment - before));
        map += before;
        if (file is not null)
        {
            // Without NORESERVE the kernel promises as many huge pages, or refuses; a page that isn't there later would end this process by SIGBUS.
            int kind = Libc.MAP_SHARED | Libc.MAP_FIXED | (file.IsHuge ? 0 : Libc.MAP_NORESERVE);
            if (Libc.mmap(map, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, kind, file.Descriptor, offset) == Libc.MAP_FAILED)
            {
                LinuxException error = LinuxException.Last($"mmap of {length} bytes of a file for guest memory");
                _ = Libc.munmap(map, (nuint)length);
                throw error;
            }
        }

        return map;
    }

    private void Advise(int advice, string call)
    {
        _advice.Add(advice);
        foreach (MemoryRegion region in _regions)
        {
            if (Libc.madvise((void*)region.HostAddress, (nuint)region.Length, advice) < 0)
            {
                throw LinuxException.Last(call);
            }
        }
    }

    /// <summary>Whole pages go back to the host. Of a file they have to be taken out: others hold them as well.</summary>
    /// <remarks>
    /// Of an image a large piece becomes zeros, so that it takes no room in the next snapshot; of a small one the host gets back the copy, and
    /// the guest finds the image's contents again: what it gives away it takes back as anything. So it is with large ones when there were
    /// many: a process can't have maps without number.
    /// </remarks>
    private bool GiveBack(void* address, ulong length) =>
        (_isImage && length >= WorthMapping && _pieces++ < MostPieces && MapZeros(address, length))
        || Libc.madvise(address, (nuint)length, _file is null ? Libc.MADV_DONTNEED : Libc.MADV_REMOVE) == 0;

    /// <summary>Puts zeros in the place of a part of the image. A map that is new has to be told what the others were.</summary>
    private bool MapZeros(void* address, ulong length)
    {
        const int Flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_FIXED | Libc.MAP_NORESERVE;
        if (Libc.mmap(address, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Flags, -1, 0) == Libc.MAP_FAILED)
        {
            return false;
        }

        foreach (int advice in _advice)
        {
            _ = Libc.madvise(address, (nuint)length, advice);
        }

        return true;
    }

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
