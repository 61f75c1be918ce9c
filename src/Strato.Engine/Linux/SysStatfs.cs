using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/vfs.h</c>: what a file lies on.</summary>
internal static unsafe partial class Libc
{
    /// <summary>Of <c>linux/magic.h</c>: a file system of huge pages.</summary>
    internal const long HUGETLBFS_MAGIC = 0x958458f6;

    /// <summary>struct statfs on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct statfs_t
    {
        public long f_type;
        public long f_bsize;
        public ulong f_blocks;
        public ulong f_bfree;
        public ulong f_bavail;
        public ulong f_files;
        public ulong f_ffree;
        public fixed int f_fsid[2];
        public long f_namelen;
        public long f_frsize;
        public long f_flags;
        public fixed long f_spare[4];
    }

    [LibraryImport("libc")]
    internal static partial int fstatfs(int fd, statfs_t* buffer);

    /// <summary>The file system of an open file; -1 with errno on failure.</summary>
    internal static int FileSystem(int fd, out statfs_t status)
    {
        statfs_t result;
        int outcome = fstatfs(fd, &result);
        status = outcome == 0 ? result : default;
        return outcome;
    }
}
