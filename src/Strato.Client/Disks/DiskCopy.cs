using System;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Disks;

/// <summary>Copies a disk's file: by a reflink where the file system can, else what of it isn't a hole.</summary>
internal static unsafe class DiskCopy
{
    /// <summary>Bytes between two looks at whether it is to go on: what a slow disk takes in a tenth of a second or so.</summary>
    private const long Piece = 4 << 20;

    /// <summary>Errors <c>DriveFileNotFound</c>, <c>DriveNotFile</c>, <c>DriveInUse</c>, <c>FileExists</c>, <c>DiskNotWritable</c>, <c>DiskCopyFailed</c>. One that fails or is cancelled leaves nothing.</summary>
    /// <param name="source">A file that nobody has open for writing; meanwhile no engine can.</param>
    /// <param name="target">Absolute; nothing is there.</param>
    /// <param name="progress">Told of bytes that are done, and all.</param>
    /// <param name="token">Ends it.</param>
    /// <param name="reflink">Whether blocks may be shared.</param>
    /// <param name="ranges">Whether the kernel may copy.</param>
    /// <returns>The copy, which has its name when it is kept.</returns>
    internal static NewFile Copy(string source, string target, Action<long, long>? progress, CancellationToken token, bool reflink = true, bool ranges = true)
    {
        NewFile.RefuseExisting(target);
        return Prepare(source, target, progress, token, reflink, ranges);
    }

    /// <summary>As <see cref="Copy"/>, but the copy has no name yet, and goes when it isn't kept.</summary>
    /// <param name="source">As of <see cref="Copy"/>.</param>
    /// <param name="target">Absolute; what is there stays until it is kept.</param>
    /// <param name="progress">As of <see cref="Copy"/>.</param>
    /// <param name="token">Ends it.</param>
    /// <param name="reflink">Whether blocks may be shared.</param>
    /// <param name="ranges">Whether the kernel may copy.</param>
    /// <param name="locked">Whether others are to be kept from writing; false where whoever has it open is known to stand still.</param>
    /// <param name="kind">What the copy is, as of <see cref="NewFile"/>.</param>
    internal static NewFile Prepare(string source, string target, Action<long, long>? progress, CancellationToken token, bool reflink = true, bool ranges = true, bool locked = true, string kind = "Disk")
    {
        using FileDescriptor from = Open(source, out Libc.statx_t stat, locked);
        NewFile to = new(target, 0x180, kind);
        try
        {
            if (!reflink || Libc.ioctl(to.Fd, Libc.FICLONE, from.Value) != 0)
            {
                CopyData(source, from.Value, to, (long)stat.stx_size, ranges, progress, token);
            }

            progress?.Invoke((long)stat.stx_size, (long)stat.stx_size);
            token.ThrowIfCancellationRequested();
            to.Check(Libc.fchmod(to.Fd, (uint)stat.stx_mode & 0x1ff) == 0);

            // Now, and not when others wait for a lock.
            to.Check(Libc.fsync(to.Fd) == 0);
            return to;
        }
        catch
        {
            to.Dispose();
            throw;
        }
    }

    /// <summary>Opens and locks what is copied. Errors <c>DriveFileNotFound</c>, <c>DriveNotFile</c>, <c>DriveInUse</c>, <c>DiskCopyFailed</c>.</summary>
    internal static FileDescriptor Open(string source, out Libc.statx_t stat, bool locked = true)
    {
        FileDescriptor from = new(Libc.Open(source, Libc.O_RDONLY | Libc.O_NONBLOCK));
        try
        {
            Check(source, from, locked, out stat);
            return from;
        }
        catch
        {
            from.Dispose();
            throw;
        }
    }

    private static void Check(string source, FileDescriptor from, bool locked, out Libc.statx_t stat)
    {
        if (from.IsInvalid)
        {
            int errno = Errno.Last;
            throw errno == Errno.ENOENT
                ? new StratoException(StratoErrorKind.NotFound, "DriveFileNotFound", $"The drive '{source}' does not exist.") { Where = source }
                : Failed(source, errno);
        }

        if (!Libc.TryStat(from.Value, out stat) || (stat.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "DriveNotFile", $"The drive '{source}' is no file; only files are copied.")
            {
                Where = source,
                RecommendedAction = "Copy a block device by dd or by the host's volume manager, and give the copy of the VM its path by Set-StratoDrive.",
            };
        }

        // As an engine locks a disk that it only reads: who writes to it keeps this out, and is kept out meanwhile.
        if (locked && !TryLock(from.Value, Libc.F_RDLCK))
        {
            throw new StratoException(StratoErrorKind.Busy, "DriveInUse", $"The drive '{source}' is open for writing elsewhere, in a running VM perhaps; a copy would be torn.")
            {
                Where = source,
                RecommendedAction = "Stop the VM first.",
            };
        }
    }

    /// <summary>False when another has it. A file system without locks, such as NFS without its daemon, refuses nobody, as with engines.</summary>
    internal static bool TryLock(int file, short kind)
    {
        Libc.flock wish = new() { l_type = kind };
        return Libc.fcntl(file, Libc.F_OFD_SETLK, &wish) == 0 || Errno.Last is not (Errno.EAGAIN or Errno.EACCES);
    }

    private static void CopyData(string source, int from, NewFile to, long size, bool ranges, Action<long, long>? progress, CancellationToken token)
    {
        to.Check(Libc.ftruncate(to.Fd, size) == 0);
        PacedSync sync = new(to.Fd, Piece);
        for (long at = 0; at < size;)
        {
            token.ThrowIfCancellationRequested();
            long data = Libc.lseek(from, at, Libc.SEEK_DATA);
            if (data < 0)
            {
                if (Errno.Last == Errno.ENXIO)
                {
                    // What is left is a hole.
                    return;
                }

                data = at;
            }

            long hole = Libc.lseek(from, data, Libc.SEEK_HOLE);
            long end = hole <= data ? size : Math.Min(hole, size);
            at = Math.Min(data, size);
            while (at < end)
            {
                token.ThrowIfCancellationRequested();
                long most = Math.Min(Piece, end - at);
                long count = ranges ? TryCopyRange(from, to, at, most) : CopyBytes(source, from, to, at, most);
                if (count < 0)
                {
                    ranges = false;
                    continue;
                }

                at += count;
                sync.Wrote(count, at);
                progress?.Invoke(at, size);
            }
        }
    }

    /// <summary>-1 where the kernel can't between these files.</summary>
    private static long TryCopyRange(int from, NewFile to, long at, long most)
    {
        long read = at, write = at;
        nint count = Libc.copy_file_range(from, &read, to.Fd, &write, (nuint)most, 0);
        if (count > 0)
        {
            return count;
        }

        if (count < 0 && Errno.Last == Errno.EINTR)
        {
            return 0;
        }

        to.Check(count == 0 || Errno.Last is Errno.ENOSYS or Errno.EINVAL or Errno.EXDEV or Errno.EOPNOTSUPP or Errno.EPERM);
        return -1;
    }

    private static long CopyBytes(string source, int from, NewFile to, long at, long most)
    {
        byte[] buffer = new byte[(int)Math.Min(most, 1 << 20)];
        if (Libc.lseek(from, at, Libc.SEEK_SET) < 0 || Libc.Read(from, buffer) is var count && count < 0)
        {
            throw Failed(source, Errno.Last);
        }

        if (count == 0)
        {
            throw new StratoException(StratoErrorKind.Failed, "DiskCopyFailed", $"The drive '{source}' became shorter while it was copied.") { Where = source };
        }

        to.Check(Libc.lseek(to.Fd, at, Libc.SEEK_SET) >= 0);
        for (int done = 0; done < count;)
        {
            int written = Libc.Write(to.Fd, buffer.AsSpan(done, count - done));
            to.Check(written > 0);
            done += written;
        }

        return count;
    }

    private static StratoException Failed(string source, int errno) =>
        new(errno is Errno.EACCES or Errno.EPERM ? StratoErrorKind.Permission : StratoErrorKind.Failed, "DiskCopyFailed", $"The drive '{source}' can't be read: {Errno.Text(errno)}.") { Where = source };
}
