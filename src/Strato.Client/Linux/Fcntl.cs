using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Client.Linux;

/// <summary><c>fcntl.h</c> and <c>sys/stat.h</c>: opening, open-file-description locks, owners and modes.</summary>
internal static unsafe partial class Libc
{
    internal const int O_RDONLY = 0;
    internal const int O_WRONLY = 1;
    internal const int O_RDWR = 2;
    internal const int O_CREAT = 0x40;
    internal const int O_NOCTTY = 0x100;
    internal const int O_DIRECT = 0x4000;
    internal const int O_EXCL = 0x80;
    internal const int O_APPEND = 0x400;
    internal const int O_NONBLOCK = 0x800;
    internal const int O_CLOEXEC = 0x80000;

    /// <summary>__O_TMPFILE | O_DIRECTORY, as on x86-64.</summary>
    internal const int O_TMPFILE = 0x410000;

    internal const int F_GETFD = 1;
    internal const int F_SETFL = 4;
    internal const int F_DUPFD_CLOEXEC = 1030;
    internal const int F_OFD_SETLK = 37;
    internal const int FD_CLOEXEC = 1;
    internal const short F_WRLCK = 1;

    internal const int AT_FDCWD = -100;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const int AT_SYMLINK_NOFOLLOW = 0x100;
    internal const int AT_SYMLINK_FOLLOW = 0x400;
    internal const uint STATX_BASIC_STATS = 0x7ff;
    internal const int S_IFMT = 0xf000;
    internal const int S_IFDIR = 0x4000;
    internal const int S_IFREG = 0x8000;
    internal const int S_IFBLK = 0x6000;
    internal const int S_IFSOCK = 0xc000;
    internal const int X_OK = 1;
    internal const int W_OK = 2;

    /// <summary>struct flock of <c>asm-generic/fcntl.h</c> on 64-bit Linux.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct flock
    {
        public short l_type;
        public short l_whence;
        public long l_start;
        public long l_len;
        public int l_pid;
    }

    /// <summary>struct statx of <c>linux/stat.h</c>: 256 bytes on every architecture; only the fields read here are named.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct statx_t
    {
        [FieldOffset(20)]
        public uint stx_uid;

        [FieldOffset(24)]
        public uint stx_gid;

        [FieldOffset(28)]
        public ushort stx_mode;

        [FieldOffset(32)]
        public ulong stx_ino;

        [FieldOffset(40)]
        public ulong stx_size;

        [FieldOffset(48)]
        public ulong stx_blocks;

        [FieldOffset(96)]
        public long stx_ctime_sec;

        [FieldOffset(104)]
        public uint stx_ctime_nsec;

        [FieldOffset(136)]
        public uint stx_dev_major;

        [FieldOffset(140)]
        public uint stx_dev_minor;
    }

    [LibraryImport("libc")]
    internal static partial int open(byte* path, int flags, uint mode);

    // The C prototype is variadic; on x86-64 and aarch64 Linux integer and pointer arguments pass the same way.
    [LibraryImport("libc", EntryPoint = "fcntl")]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    internal static partial int fcntl(int fd, int command, flock* argument);

    [LibraryImport("libc")]
    internal static partial int statx(int directory, byte* path, int flags, uint mask, statx_t* result);

    [LibraryImport("libc")]
    internal static partial int mkdir(byte* path, uint mode);

    [LibraryImport("libc")]
    internal static partial int rmdir(byte* path);

    [LibraryImport("libc")]
    private static partial int link(byte* path, byte* other);

    /// <summary>Gives a file another name, which nothing has.</summary>
    internal static bool TryLink(string path, string other)
    {
        fixed (byte* from = Bytes(path))
        fixed (byte* to = Bytes(other))
        {
            return link(from, to) == 0;
        }
    }

    [LibraryImport("libc")]
    private static partial int linkat(int directory, byte* path, int otherDirectory, byte* other, int flags);

    /// <summary>Gives an open file a name, which nothing has; also one that has none yet (O_TMPFILE).</summary>
    internal static bool TryLink(int file, string path)
    {
        fixed (byte* from = Bytes($"/proc/self/fd/{file}"))
        fixed (byte* to = Bytes(path))
        {
            return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0;
        }
    }

    [LibraryImport("libc")]
    internal static partial int access(byte* path, int mode);

    /// <summary>A path as the C library wants it.</summary>
    internal static byte[] Bytes(string path)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        return bytes;
    }

    /// <summary>open(2) with O_CLOEXEC added; -1 with errno on failure.</summary>
    internal static int Open(string path, int flags, uint mode = 0)
    {
        fixed (byte* pointer = Bytes(path))
        {
            int fd;
            do
            {
                fd = open(pointer, flags | O_CLOEXEC, mode);
            }
            while (fd < 0 && Errno.Last == Errno.EINTR);
            return fd;
        }
    }

    /// <summary>lstat(2); false with errno on failure.</summary>
    internal static bool TryStat(string path, out statx_t result) => TryStat(path, AT_SYMLINK_NOFOLLOW, out result);

    /// <summary>stat(2), which follows symbolic links; false with errno on failure.</summary>
    internal static bool TryStatTarget(string path, out statx_t result) => TryStat(path, 0, out result);

    private static bool TryStat(string path, int flags, out statx_t result)
    {
        fixed (byte* pointer = Bytes(path))
        fixed (statx_t* output = &result)
        {
            return statx(AT_FDCWD, pointer, flags, STATX_BASIC_STATS, output) == 0;
        }
    }

    /// <summary>fstat(2).</summary>
    internal static bool TryStat(int fd, out statx_t result)
    {
        byte empty = 0;
        fixed (statx_t* output = &result)
        {
            return statx(fd, &empty, AT_EMPTY_PATH, STATX_BASIC_STATS, output) == 0;
        }
    }

    internal static bool MakeDirectory(string path, uint mode)
    {
        fixed (byte* pointer = Bytes(path))
        {
            return mkdir(pointer, mode) == 0;
        }
    }

    /// <summary>False with errno on failure, also where something is in the folder.</summary>
    internal static bool RemoveDirectory(string path)
    {
        fixed (byte* pointer = Bytes(path))
        {
            return rmdir(pointer) == 0;
        }
    }

    internal static bool MayExecute(string path) => May(path, X_OK);

    /// <summary>Whether files can be made in a folder.</summary>
    internal static bool MayFill(string path) => May(path, W_OK | X_OK);

    internal static bool MayWrite(string path) => May(path, W_OK);

    private static bool May(string path, int mode)
    {
        fixed (byte* pointer = Bytes(path))
        {
            return access(pointer, mode) == 0;
        }
    }
}
