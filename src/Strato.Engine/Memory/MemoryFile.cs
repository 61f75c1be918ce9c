using System;
using System.Numerics;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>The file that holds guest memory where it isn't this process's alone, or has huge pages.</summary>
internal sealed class MemoryFile : IDisposable
{
    private readonly FileDescriptor _descriptor;
    private readonly bool _sealable;

    private MemoryFile(FileDescriptor descriptor, bool isHuge, bool sealable)
    {
        _descriptor = descriptor;
        _sealable = sealable;
        PageSize = GuestMemory.PageSize;
        if (isHuge)
        {
            if (Libc.FileSystem(descriptor.Value, out Libc.statfs_t system) < 0)
            {
                LinuxException error = LinuxException.Last("fstatfs of a file for guest memory");
                descriptor.Dispose();
                throw error;
            }

            // On a hugetlbfs a block is a page.
            PageSize = (ulong)system.f_bsize;
        }
    }

    public int Descriptor => _descriptor.Value;

    /// <summary>Bytes; of huge pages where it lies on a hugetlbfs.</summary>
    public ulong PageSize { get; }

    public bool IsHuge => PageSize > GuestMemory.PageSize;

    /// <summary>Makes one that is nowhere but in memory, and whose size stays: whoever maps it can't have this process touch what is gone.</summary>
    /// <param name="size">Bytes, a multiple of the page size.</param>
    /// <param name="hugePageSize">As for <see cref="Open"/>.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static MemoryFile Create(ulong size, long? hugePageSize = null)
    {
        MemoryFile file = Open(hugePageSize);
        file.SetSize(size);
        return file;
    }

    /// <summary>Makes one that is nowhere but in memory; empty yet.</summary>
    /// <param name="hugePageSize">Bytes of a huge page, 0 for those of the kernel's choice; null for plain pages.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static MemoryFile Open(long? hugePageSize)
    {
        uint huge = hugePageSize is { } pages ? Libc.MFD_HUGETLB | (pages == 0 ? 0 : (uint)BitOperations.Log2((ulong)pages) << Libc.MFD_HUGE_SHIFT) : 0;
        return new MemoryFile(Libc.CreateMemoryFile("strato-guest-memory\0"u8, Libc.MFD_ALLOW_SEALING | huge), isHuge: hugePageSize is not null, sealable: true);
    }

    /// <summary>Makes one in a folder, without a name there: it ends with this process. Empty yet.</summary>
    /// <param name="folder">Of a hugetlbfs, for huge pages, or of another file system.</param>
    /// <param name="isHuge">Whether the folder is of a hugetlbfs.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static MemoryFile OpenIn(string folder, bool isHuge) => new(NamelessFile.Create(folder), isHuge, sealable: false);

    /// <summary>Gives it its size; once.</summary>
    /// <param name="size">Bytes, a multiple of the page size.</param>
    /// <exception cref="LinuxException">The host refuses; the file is closed then.</exception>
    public void SetSize(ulong size)
    {
        const int Seals = Libc.F_SEAL_SHRINK | Libc.F_SEAL_GROW | Libc.F_SEAL_SEAL;
        if (Libc.ftruncate(Descriptor, (long)size) < 0 || (_sealable && Libc.fcntl(Descriptor, Libc.F_ADD_SEALS, Seals) < 0))
        {
            LinuxException error = LinuxException.Last($"a file of {size} bytes for guest memory");
            Dispose();
            throw error;
        }
    }

    public void Dispose() => _descriptor.Dispose();
}
