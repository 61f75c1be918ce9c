using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>unistd.h</c>, <c>linux/fs.h</c> and <c>linux/falloc.h</c>: the content of files.</summary>
internal static unsafe partial class Libc
{
    internal const int SEEK_SET = 0;
    internal const int SEEK_END = 2;
    internal const int SEEK_DATA = 3;
    internal const int SEEK_HOLE = 4;

    /// <summary>_IOW(0x94, 9, int): one file gets the other's blocks, which both have until one writes.</summary>
    internal const nuint FICLONE = 0x40049409;

    internal const short F_RDLCK = 0;

    internal const int LOCK_EX = 2;
    internal const int LOCK_NB = 4;
    internal const uint SYNC_FILE_RANGE_WAIT_BEFORE = 1;
    internal const uint SYNC_FILE_RANGE_WRITE = 2;
    internal const uint SYNC_FILE_RANGE_WAIT_AFTER = 4;

    /// <summary>flock(2); its name is a struct's here.</summary>
    [LibraryImport("libc", EntryPoint = "flock")]
    internal static partial int LockWhole(int fd, int operation);

    [LibraryImport("libc")]
    internal static partial int sync_file_range(int fd, long offset, long length, uint flags);

    [LibraryImport("libc")]
    internal static partial long lseek(int fd, long offset, int whence);

    [LibraryImport("libc")]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport("libc")]
    internal static partial int fallocate(int fd, int mode, long offset, long length);

    [LibraryImport("libc")]
    internal static partial int fchmod(int fd, uint mode);

    [LibraryImport("libc")]
    internal static partial nint copy_file_range(int from, long* fromOffset, int to, long* toOffset, nuint length, uint flags);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    internal static partial int ioctl(int fd, nuint request, nint argument);
}
