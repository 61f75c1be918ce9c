using System.Numerics;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Block;

/// <summary>Opens what drives stand on: by path or by a descriptor that was passed; checks it, and locks it.</summary>
/// <remarks>
/// The lock is an OFD lock over the whole file, shared for read-only and exclusive else: it belongs to the open file
/// description, so it ends with the last descriptor, however the engine ends. It stands against all who ask for OFD or
/// POSIX locks on the same inode, other engines and QEMU among them; it doesn't stand against a writer that asks for no
/// lock, nor against a block device that is opened under another node.
/// </remarks>
internal static class DiskOpener
{
    /// <summary>Bytes of the physical block that the guest is told at least.</summary>
    public const uint LeastPhysicalBlock = 4096;

    private const string ReadOnlyAdvice = "readonly=on opens it for reading";

    /// <summary>Opens a drive's image.</summary>
    /// <exception cref="UserErrorException">
    /// DriveNotFound, DrivePermission, DriveReadOnly, DriveNotAFile, DriveSize, DriveLocked, DriveFailed: which drive
    /// and file, what is wrong, what is allowed.
    /// </exception>
    public static DiskImage Open(DriveOptions options)
    {
        // The guest may write to a disk whose changes are thrown away, but nobody writes to the image.
        return options.Snapshot && !options.ReadOnly ? OpenSnapshot(options) : OpenImage(options);
    }

    private static SnapshotImage OpenSnapshot(DriveOptions options)
    {
        if (options.ChangesPath is null)
        {
            FileSets.CheckPaths(NamelessFile.TemporaryFolder, "pass a descriptor of an empty file by add-fd, and give 'snapshot-file' /dev/fdset/ and its set's number");
        }

        DiskImage image = OpenImage(options with { ReadOnly = true });
        FileDescriptor? changes = null;
        SnapshotImage? made = null;
        try
        {
            changes = options.ChangesPath is { } path ? OpenChanges(path, options with { Path = image.Path }) : NamelessFile.Create(NamelessFile.TemporaryFolder);
            return made = new SnapshotImage(image, changes, options with { Path = image.Path });
        }
        catch (LinuxException error)
        {
            string place = options.ChangesPath is { } given ? $"they were to go to '{FileSets.NameOf(given)}'" : $"the changes need a file in $TMPDIR, now {NamelessFile.TemporaryFolder}";
            throw Error(options with { Path = image.Path }, "DriveSnapshot", $"can't have snapshot=on: {error.Message}; {place}");
        }
        finally
        {
            if (made is null)
            {
                changes?.Dispose();
                image.Dispose();
            }
        }
    }

    /// <summary>A file that somebody else made; it must have nothing to lose.</summary>
    private static FileDescriptor OpenChanges(string path, DriveOptions options)
    {
        string name = FileSets.NameOf(path);
        int fd = FileSets.Open(path, Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        if (fd < 0)
        {
            throw Refused($"can't be opened for both: {Errno.Text(Errno.Last)}");
        }

        FileDescriptor file = new(fd);
        if (FaultOfChanges(fd) is not { } fault)
        {
            return file;
        }

        file.Dispose();
        throw Refused(fault);

        UserErrorException Refused(string problem) => Error(options, "DriveSnapshot", $"can't have its changes in '{name}': it {problem}");
    }

    /// <summary>What keeps a file from taking changes, or null: then O_DIRECT, which allows only aligned pieces, is off.</summary>
    internal static string? FaultOfChanges(int fd)
    {
        if (Libc.Stat(fd, out Libc.statx_t status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG || status.stx_size != 0)
        {
            return "isn't an empty regular file";
        }

        int flags = Libc.fcntl(fd, Libc.F_GETFL, 0);
        if ((flags & Libc.O_APPEND) != 0)
        {
            return "appends all that is written; allowed is a file without O_APPEND";
        }

        return (flags & Libc.O_DIRECT) != 0 && Libc.fcntl(fd, Libc.F_SETFL, flags & ~Libc.O_DIRECT) < 0
            ? $"can't be used without O_DIRECT: {Errno.Text(Errno.Last)}"
            : null;
    }

    private static DiskImage OpenImage(DriveOptions options)
    {
        string path = options.Path;
        options = options with { Path = FileSets.NameOf(path) };
        FileDescriptor file = options.Descriptor >= 0 ? Duplicate(options) : OpenPath(path, options);
        try
        {
            DiskGeometry geometry = Measure(file.Value, options);
            Lock(file.Value, options);
            return new DiskImage(file, geometry, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static FileDescriptor OpenPath(string path, DriveOptions options)
    {
        // O_NONBLOCK: opening a FIFO must not wait for its other end; it is refused below. It means nothing to files and disks.
        int fd = FileSets.Open(path, (options.ReadOnly ? Libc.O_RDONLY : Libc.O_RDWR) | (options.Direct ? Libc.O_DIRECT : 0) | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        return fd >= 0 ? new FileDescriptor(fd) : throw OpenError(options, Errno.Last);
    }

    private static UserErrorException OpenError(DriveOptions options, int errno) => errno switch
    {
        Errno.ENOENT or Errno.ENOTDIR => Error(options, "DriveNotFound", "doesn't exist; give the path of an image or block device"),
        Errno.EISDIR => NotAFile(options, "a directory"),
        Errno.ENXIO => NotAFile(options, "a socket, or a device that isn't there"),
        Errno.EROFS => Error(options, "DriveReadOnly", "can't be opened for writing: it is read-only, or lies on a read-only file system; reading is allowed", ReadOnlyAdvice),
        Errno.EACCES or Errno.EPERM when options.ReadOnly => Error(options, "DrivePermission", "can't be read: permission denied"),
        Errno.EACCES or Errno.EPERM => Error(options, "DrivePermission", "can't be opened for writing: permission denied", ReadOnlyAdvice),
        Errno.EINVAL when options.Direct => NotDirect(options),
        _ => Error(options, "DriveFailed", $"can't be opened: {Errno.Text(errno)}"),
    };

    private static FileDescriptor Duplicate(DriveOptions options)
    {
        int fd = Libc.fcntl(options.Descriptor, Libc.F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
        {
            throw Error(options, "DriveNotFound", $"was passed as descriptor {options.Descriptor}, which isn't open");
        }

        FileDescriptor file = new(fd);
        int mode = Libc.fcntl(fd, Libc.F_GETFL, 0) & Libc.O_ACCMODE;
        if (mode == Libc.O_RDWR || (mode == Libc.O_RDONLY && options.ReadOnly))
        {
            if (options.Direct && Libc.fcntl(fd, Libc.F_SETFL, Libc.fcntl(fd, Libc.F_GETFL, 0) | Libc.O_DIRECT) < 0)
            {
                file.Dispose();
                throw NotDirect(options);
            }

            return file;
        }

        file.Dispose();
        throw Error(
            options,
            "DriveReadOnly",
            mode == Libc.O_RDONLY
                ? "was passed as a descriptor that is open for reading only; allowed is a descriptor open for both, or a read-only drive"
                : "was passed as a descriptor that is open for writing only; it has to be open for reading too",
            mode == Libc.O_RDONLY ? ReadOnlyAdvice : null);
    }

    private static DiskGeometry Measure(int fd, DriveOptions options)
    {
        if (Libc.Stat(fd, out Libc.statx_t status) < 0)
        {
            throw Error(options, "DriveFailed", $"can't be looked at: {Errno.Text(Errno.Last)}");
        }

        DiskGeometry geometry = (status.stx_mode & Libc.S_IFMT) switch
        {
            // Images on today's disks: telling the guest of 4 KiB keeps its partitions and file systems aligned.
            Libc.S_IFREG => MeasureFile(status, options),
            Libc.S_IFBLK => MeasureDevice(fd, options),
            Libc.S_IFDIR => throw NotAFile(options, "a directory"),
            Libc.S_IFCHR => throw NotAFile(options, "a character device"),
            Libc.S_IFIFO => throw NotAFile(options, "a named pipe"),
            _ => throw NotAFile(options, "neither file nor block device"),
        };
        return geometry.Length is > 0 and <= long.MaxValue && geometry.Length % DiskGeometry.SectorBytes == 0
            ? geometry
            : throw Error(
                options,
                "DriveSize",
                $"has {geometry.Length} bytes; allowed are multiples of {DiskGeometry.SectorBytes}, at least {DiskGeometry.SectorBytes}");
    }

    /// <summary>With O_DIRECT the file system may ask for blocks of more than 512 bytes; then those are the disk's.</summary>
    private static DiskGeometry MeasureFile(in Libc.statx_t status, DriveOptions options)
    {
        bool told = options.Direct && (status.stx_mask & Libc.STATX_DIOALIGN) != 0;
        if (told && status.stx_dio_offset_align == 0)
        {
            throw NotDirect(options);
        }

        uint block = told ? uint.Max(status.stx_dio_offset_align, DiskGeometry.SectorBytes) : DiskGeometry.SectorBytes;
        if (block > DiskGeometry.SectorBytes)
        {
            Log.Warning("block", $"drive '{options.Id}': direct=on makes '{options.Path}' a disk of {block}-byte sectors; an image partitioned for 512 needs direct=off");
        }

        return new DiskGeometry(
            status.stx_size, block, uint.Max(block, LeastPhysicalBlock), MemoryAlignment: told ? status.stx_dio_mem_align : DiskGeometry.SectorBytes);
    }

    private static DiskGeometry MeasureDevice(int fd, DriveOptions options)
    {
        // Some drivers refuse to open a read-only device for writing; for the others each write would fail.
        if (!options.ReadOnly && Libc.GetBlockDeviceNumber(fd, Libc.BLKROGET, 0) != 0)
        {
            throw Error(options, "DriveReadOnly", "can't be opened for writing: the block device is read-only; reading is allowed", ReadOnlyAdvice);
        }

        try
        {
            uint logical = Libc.GetBlockDeviceNumber(fd, Libc.BLKSSZGET, DiskGeometry.SectorBytes);
            uint physical = Libc.GetBlockDeviceNumber(fd, Libc.BLKPBSZGET, logical);
            bool sane = BitOperations.IsPow2(logical) && BitOperations.IsPow2(physical)
                && logical >= DiskGeometry.SectorBytes && physical >= logical;
            return new DiskGeometry(
                Libc.GetBlockDeviceSize(fd), sane ? logical : DiskGeometry.SectorBytes, sane ? physical : DiskGeometry.SectorBytes, IsBlockDevice: true, MemoryAlignment: sane ? logical : DiskGeometry.SectorBytes);
        }
        catch (LinuxException error)
        {
            throw Error(options, "DriveFailed", $"is a block device whose size can't be found: {error.Message}");
        }
    }

    private static void Lock(int fd, DriveOptions options)
    {
        short type = options.ReadOnly ? Libc.F_RDLCK : Libc.F_WRLCK;
        if (Libc.SetFileLock(fd, type) == 0)
        {
            return;
        }

        int errno = Errno.Last;
        if (errno is not (Errno.EAGAIN or Errno.EACCES))
        {
            // A file system without locks: the user may know what they do, so it is said and not refused.
            Log.Warning("block", $"drive '{options.Id}': '{options.Path}' can't be locked ({Errno.Text(errno)}); nothing keeps others from writing to it");
            return;
        }

        string holder = Libc.FindFileLock(fd, type) == Libc.F_RDLCK ? "open read-only elsewhere" : "open for writing elsewhere";
        throw Error(
            options,
            "DriveLocked",
            options.ReadOnly
                ? $"is {holder}, so it can't be opened read-only; allowed are many readers, or one writer and nobody else"
                : $"is {holder}, so it can't be opened for writing; allowed are one writer and nobody else, or many readers",
            options.ReadOnly ? null : ReadOnlyAdvice);
    }

    private static UserErrorException NotDirect(DriveOptions options) =>
        Error(options, "DriveDirect", "can't be opened with direct=on: its file system has no O_DIRECT; allowed there: direct=off");

    private static UserErrorException NotAFile(DriveOptions options, string what) =>
        Error(options, "DriveNotAFile", $"is {what}; allowed are regular files and block devices");

    private static UserErrorException Error(DriveOptions options, string id, string problem, string? advice = null) =>
        new(id, $"drive '{options.Id}': '{options.Path}' {problem}", options.Place) { Advice = advice };
}
