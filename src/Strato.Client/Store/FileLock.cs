using System;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Store;

/// <summary>An open-file-description lock on a file: between processes and between threads alike, gone with its holder.</summary>
internal sealed unsafe class FileLock : IDisposable
{
    private readonly FileDescriptor _file;

    private FileLock(FileDescriptor file)
    {
        _file = file;
    }

    /// <summary>Waits for the lock, at most so long.</summary>
    /// <returns>Null when the time limit passed, or when the folder of the lock is gone.</returns>
    internal static FileLock? TryTake(string path, Deadline deadline, CancellationToken token)
    {
        // There is no way to wait for a lock that a token can end, so this asks, first often, then every 20 ms.
        for (int pause = 1; ; pause = Math.Min(20, pause * 2))
        {
            token.ThrowIfCancellationRequested();
            FileDescriptor file = new(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT, 0x180));
            if (file.IsInvalid)
            {
                int errno = Errno.Last;
                if (errno == Errno.ENOENT)
                {
                    return null;
                }

                throw new StratoException(
                    errno == Errno.EACCES ? StratoErrorKind.Permission : StratoErrorKind.Failed, "StoreNotWritable", $"The lock file '{path}' can't be opened: {Errno.Text(errno)}.");
            }

            Libc.flock request = new() { l_type = Libc.F_WRLCK };
            if (Libc.fcntl(file.Value, Libc.F_OFD_SETLK, &request) == 0)
            {
                // The folder may have been removed, and even made anew, while this waited.
                if (Libc.TryStat(file.Value, out Libc.statx_t held) && Libc.TryStat(path, out Libc.statx_t now)
                    && held.stx_ino == now.stx_ino && held.stx_dev_major == now.stx_dev_major && held.stx_dev_minor == now.stx_dev_minor)
                {
                    return new FileLock(file);
                }

                file.Dispose();
                continue;
            }

            file.Dispose();
            if (deadline.Passed)
            {
                return null;
            }

            token.WaitHandle.WaitOne(pause);
        }
    }

    /// <summary>Waits for a lock of a folder itself, which leaves no file in it: flock(2), which is for processes that make something in the same folder.</summary>
    /// <returns>Null when the time limit passed.</returns>
    internal static FileLock? TryTakeFolder(string path, Deadline deadline, CancellationToken token)
    {
        FileDescriptor folder = new(Libc.Open(path, Libc.O_RDONLY));
        for (int pause = 1; ; pause = Math.Min(20, pause * 2))
        {
            // A file system without locks has none to wait for.
            if (folder.IsInvalid || Libc.LockWhole(folder.Value, Libc.LOCK_EX | Libc.LOCK_NB) == 0 || Errno.Last != Errno.EAGAIN)
            {
                return new FileLock(folder);
            }

            if (token.IsCancellationRequested || deadline.Passed)
            {
                folder.Dispose();
                token.ThrowIfCancellationRequested();
                return null;
            }

            token.WaitHandle.WaitOne(pause);
        }
    }

    public void Dispose() => _file.Dispose();
}
