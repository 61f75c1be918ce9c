using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>sys/stat.h</c>: what a file is, and its mode.</summary>
internal static unsafe partial class Libc
{
    internal const int AT_FDCWD = -100;
    internal const int AT_SYMLINK_NOFOLLOW = 0x100;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const uint STATX_BASIC_STATS = 0x7ff;
    internal const uint STATX_DIOALIGN = 0x2000;
    internal const ushort S_IFMT = 0xf000;
    internal const ushort S_IFSOCK = 0xc000;
    internal const ushort S_IFREG = 0x8000;
    internal const ushort S_IFBLK = 0x6000;
    internal const ushort S_IFDIR = 0x4000;
    internal const ushort S_IFCHR = 0x2000;
    internal const ushort S_IFIFO = 0x1000;

    /// <summary>struct statx_timestamp of <c>linux/stat.h</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct statx_timestamp
    {
        public long tv_sec;
        public uint tv_nsec;
        public int __reserved;
    }

    /// <summary>struct statx of <c>linux/stat.h</c>: the one stat with the same layout on every architecture.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct statx_t
    {
        public uint stx_mask;
        public uint stx_blksize;
        public ulong stx_attributes;
        public uint stx_nlink;
        public uint stx_uid;
        public uint stx_gid;
        public ushort stx_mode;
        public ushort __spare0;
        public ulong stx_ino;
        public ulong stx_size;
        public ulong stx_blocks;
        public ulong stx_attributes_mask;
        public statx_timestamp stx_atime;
        public statx_timestamp stx_btime;
        public statx_timestamp stx_ctime;
        public statx_timestamp stx_mtime;
        public uint stx_rdev_major;
        public uint stx_rdev_minor;
        public uint stx_dev_major;
        public uint stx_dev_minor;
        public ulong stx_mnt_id;
        public uint stx_dio_mem_align;
        public uint stx_dio_offset_align;
        public fixed ulong __spare3[12];
    }

    [LibraryImport("libc")]
    internal static partial int statx(int directory, byte* path, int flags, uint mask, statx_t* buffer);

    [LibraryImport("libc")]
    private static partial int mkdir(byte* path, uint mode);

    /// <summary>mkdir(2); -1 with errno on failure.</summary>
    internal static int MakeDirectory(string path, uint mode)
    {
        fixed (byte* pointer = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return mkdir(pointer, mode);
        }
    }

    [LibraryImport("libc")]
    internal static partial uint umask(uint mask);

    [LibraryImport("libc")]
    internal static partial int fchmod(int fd, uint mode);

    /// <summary>What an open file is; -1 with errno on failure.</summary>
    internal static int Stat(int fd, out statx_t status)
    {
        byte empty = 0;
        statx_t result;
        int outcome = statx(fd, &empty, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &result);
        status = outcome == 0 ? result : default;
        return outcome;
    }

    /// <summary>What stands at a path, a symbolic link itself included; -1 with errno on failure.</summary>
    internal static int LinkStat(string path, out statx_t status) => Stat(path, AT_SYMLINK_NOFOLLOW, out status);

    /// <summary>What stands at a path, where links lead; -1 with errno on failure.</summary>
    internal static int Stat(string path, out statx_t status) => Stat(path, 0, out status);

    private static int Stat(string path, int flags, out statx_t status)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        statx_t result;
        fixed (byte* pointer = bytes)
        {
            int outcome = statx(AT_FDCWD, pointer, flags, STATX_BASIC_STATS, &result);
            status = outcome == 0 ? result : default;
            return outcome;
        }
    }
}
