using System;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The file of <c>-D</c>. One that reaches its limit becomes PATH.1, PATH.1 becomes PATH.2, and so on up to <see cref="OlderFiles"/>.</summary>
/// <remarks>
/// After each line the main loop looks at the file: one that others have renamed or removed is made anew at its path, and one
/// that is full is put aside. The descriptor's number stays (dup3), so threads that write meanwhile need no lock; a line
/// may still go to the older file. Where the path is a link or its folder can't be written, a full file is emptied instead.
/// </remarks>
internal sealed class LogFile : IDisposable
{
    /// <summary>Bytes after which a fresh file begins.</summary>
    public const long DefaultLimit = 16 << 20;

    /// <summary>Older files that are kept.</summary>
    public const int OlderFiles = 3;

    private const int Flags = Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND | Libc.O_NOCTTY;
    private const uint Mode = 0x180; // 0600

    private readonly string _path;
    private readonly int _fd;
    private readonly long _limit;
    private readonly bool _regular;
    private int _due;

    private LogFile(string path, int fd, long limit)
    {
        (_path, _fd, _limit) = (path, fd, limit);
        _regular = Libc.Stat(fd, out Libc.statx_t status) == 0 && (status.stx_mode & Libc.S_IFMT) == Libc.S_IFREG;
    }

    /// <summary>Sends the log to the end of a file, made readable by its owner alone; without one it stays on standard error.</summary>
    /// <exception cref="UserErrorException">LogFileNotWritable.</exception>
    public static LogFile? Open(string? path, long limit = DefaultLimit)
    {
        if (path is null)
        {
            return null;
        }

        int fd = Libc.Open(path, Flags, Mode);
        if (fd < 0)
        {
            throw new UserErrorException("LogFileNotWritable", $"The log file '{path}' can't be opened: {Errno.Text(Errno.Last)}.", "-D");
        }

        Log.Redirect(fd);
        return new LogFile(path, fd, limit);
    }

    /// <summary>From here on the file is looked after on the loop's thread, after each line.</summary>
    public void Join(EventLoop loop)
    {
        if (_regular)
        {
            Action check = Check;
            Log.Written = () =>
            {
                if (Interlocked.Exchange(ref _due, 1) == 0)
                {
                    loop.Post(check);
                }
            };
        }
    }

    public void Dispose() => Log.Written = null;

    private void Check()
    {
        Volatile.Write(ref _due, 0);
        if (Libc.Stat(_fd, out Libc.statx_t own) != 0)
        {
            return;
        }

        if (Libc.Stat(_path, out Libc.statx_t there) != 0 || !IsSame(own, there))
        {
            // An engine that sees no paths goes on with the file it has, up to its limit.
            if (Reopen(0))
            {
                return;
            }
        }

        if ((long)own.stx_size >= _limit && !PutAside(own))
        {
            _ = Libc.ftruncate(_fd, 0);
            Log.Warning("log", EngineLog.Emptied(_path));
        }
    }

    private bool PutAside(in Libc.statx_t own)
    {
        if (Libc.LinkStat(_path, out Libc.statx_t there) != 0 || !IsSame(own, there))
        {
            return false;
        }

        for (int i = OlderFiles; i > 1; i--)
        {
            // The first files of all have no older ones.
            _ = Libc.Rename($"{_path}.{i - 1}", $"{_path}.{i}");
        }

        if (Libc.Rename(_path, $"{_path}.1") < 0)
        {
            return false;
        }

        if (Reopen(Libc.O_EXCL))
        {
            return true;
        }

        _ = Libc.Rename($"{_path}.1", _path);
        return false;
    }

    private bool Reopen(int more)
    {
        int fd = Libc.Open(_path, Flags | more, Mode);
        if (fd < 0)
        {
            return false;
        }

        using FileDescriptor file = new(fd);
        return Libc.dup3(fd, _fd, Libc.O_CLOEXEC) >= 0;
    }

    private static bool IsSame(in Libc.statx_t one, in Libc.statx_t other) =>
        (one.stx_ino, one.stx_dev_major, one.stx_dev_minor) == (other.stx_ino, other.stx_dev_major, other.stx_dev_minor);
}
