using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>fcntl.h</c>: opening files, descriptor flags, open-file-description locks.</summary>
internal static unsafe partial class Libc
{
    internal const int O_RDONLY = 0;
    internal const int O_WRONLY = 1;
    internal const int O_RDWR = 2;
    internal const int O_ACCMODE = 3;
    internal const int O_CREAT = 0x40;
    internal const int O_EXCL = 0x80;
    internal const int O_NOCTTY = 0x100;
    internal const int O_TRUNC = 0x200;
    internal const int O_APPEND = 0x400;
    internal const int O_NONBLOCK = 0x800;
    internal const int O_DIRECT = 0x4000;
    internal const int O_DIRECTORY = 0x10000;
    internal const int O_NOFOLLOW = 0x20000;
    internal const int O_CLOEXEC = 0x80000;

    internal const int O_TMPFILE = 0x410000;

    internal const int FALLOC_FL_KEEP_SIZE = 0x01;
    internal const int FALLOC_FL_PUNCH_HOLE = 0x02;
    internal const int FALLOC_FL_ZERO_RANGE = 0x10;

    internal const int F_GETFD = 1;
    internal const int F_SETFD = 2;
    internal const int F_GETFL = 3;
    internal const int F_SETFL = 4;
    internal const int F_DUPFD_CLOEXEC = 1030;
    internal const int F_ADD_SEALS = 1033;
    internal const int F_SEAL_SEAL = 1;
    internal const int F_SEAL_SHRINK = 2;
    internal const int F_SEAL_GROW = 4;
    internal const int F_OFD_GETLK = 36;
    internal const int F_OFD_SETLK = 37;
    internal const int FD_CLOEXEC = 1;
    internal const short F_RDLCK = 0;
    internal const short F_WRLCK = 1;
    internal const short F_UNLCK = 2;

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

    /// <summary>Of <c>stdio.h</c>.</summary>
    [LibraryImport("libc")]
    internal static partial int rename(byte* path, byte* newPath);

    // The C prototypes are variadic; on x86-64 and aarch64 Linux integer and pointer arguments pass the same way.
    [LibraryImport("libc")]
    internal static partial int open(byte* path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    internal static partial int fcntl(int fd, int command, flock* argument);

    [LibraryImport("libc")]
    internal static partial int fallocate(int fd, int mode, long offset, long length);

    /// <summary>fallocate(2), repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static int Allocate(int fd, int mode, ulong offset, ulong length)
    {
        int outcome;
        do
        {
            outcome = fallocate(fd, mode, (long)offset, (long)length);
        }
        while (outcome < 0 && Errno.Last == Errno.EINTR);
        return outcome;
    }

    /// <summary>open(2) of a path with O_CLOEXEC added; -1 with errno on failure.</summary>
    internal static int Open(string path, int flags, uint mode = 0)
    {
        // Paths are at most PATH_MAX (4096) bytes; a longer one is refused by the kernel with ENAMETOOLONG.
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        fixed (byte* pointer = bytes)
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

    internal static int Unlink(string path)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        fixed (byte* pointer = bytes)
        {
            return unlink(pointer);
        }
    }

    /// <summary>rename(2), over what stands at the new path; -1 with errno on failure.</summary>
    internal static int Rename(string path, string newPath)
    {
        byte[] from = Encoding.UTF8.GetBytes(path + '\0');
        byte[] to = Encoding.UTF8.GetBytes(newPath + '\0');
        fixed (byte* fromPointer = from)
        fixed (byte* toPointer = to)
        {
            return rename(fromPointer, toPointer);
        }
    }

    /// <summary>Sets O_NONBLOCK on a descriptor; throws <see cref="LinuxException"/> when that fails.</summary>
    internal static void SetNonBlocking(int fd)
    {
        int flags = fcntl(fd, F_GETFL, 0);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        {
            throw LinuxException.Last($"fcntl({fd}, O_NONBLOCK)");
        }
    }

    /// <summary>Asks for an OFD lock over the whole file, without waiting; -1 with EAGAIN when another holder is in the way.</summary>
    internal static int SetFileLock(int fd, short type)
    {
        flock request = new() { l_type = type };
        return fcntl(fd, F_OFD_SETLK, &request);
    }

    /// <summary>Which lock of another stands in the way of one over the whole file; F_UNLCK when none does, or when it can't be told.</summary>
    internal static short FindFileLock(int fd, short type)
    {
        flock request = new() { l_type = type };
        return fcntl(fd, F_OFD_GETLK, &request) == 0 ? request.l_type : F_UNLCK;
    }
}
