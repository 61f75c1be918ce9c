using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/mman.h</c>: memory maps.</summary>
internal static unsafe partial class Libc
{
    internal const int PROT_NONE = 0;
    internal const int PROT_READ = 1;
    internal const int PROT_WRITE = 2;
    internal const int PROT_EXEC = 4;
    internal const int MAP_SHARED = 0x01;
    internal const int MAP_PRIVATE = 0x02;
    internal const int MAP_FIXED = 0x10;
    internal const int MAP_ANONYMOUS = 0x20;
    internal const int MAP_NORESERVE = 0x4000;
    internal const uint MFD_CLOEXEC = 1;
    internal const uint MFD_ALLOW_SEALING = 2;
    internal const uint MFD_HUGETLB = 4;
    internal const int MFD_HUGE_SHIFT = 26;
    internal const int MADV_DONTNEED = 4;
    internal const int MADV_REMOVE = 9;
    internal const int MADV_MERGEABLE = 12;
    internal const int MADV_HUGEPAGE = 14;
    internal const int MADV_DONTDUMP = 16;
    internal const int MADV_POPULATE_WRITE = 23;

    /// <summary>What mmap returns on failure.</summary>
    internal static readonly void* MAP_FAILED = (void*)-1;

    [LibraryImport("libc")]
    internal static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc")]
    internal static partial int munmap(void* address, nuint length);

    [LibraryImport("libc")]
    internal static partial int mprotect(void* address, nuint length, int protection);

    [LibraryImport("libc")]
    internal static partial int madvise(void* address, nuint length, int advice);

    [LibraryImport("libc")]
    internal static partial int memfd_create(byte* name, uint flags);

    /// <summary>A file that is nowhere but in memory, empty; close-on-exec.</summary>
    /// <param name="name">For /proc, with a zero byte at its end.</param>
    /// <param name="flags">MFD_ALLOW_SEALING, MFD_HUGETLB with the logarithm of the page size, or 0.</param>
    internal static FileDescriptor CreateMemoryFile(ReadOnlySpan<byte> name, uint flags = 0)
    {
        fixed (byte* pointer = name)
        {
            int fd = memfd_create(pointer, MFD_CLOEXEC | flags);
            return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("memfd_create");
        }
    }
}
