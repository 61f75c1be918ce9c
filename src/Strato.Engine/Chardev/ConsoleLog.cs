using System;
using System.Text;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>A file to which a ring's bytes are appended. A file that can't be written never stops the machine.</summary>
/// <remarks>
/// While the disk is full, or whatever else fails, the bytes wait in the ring, and each second it is tried again. What the
/// ring drops meanwhile is missing in the file, and a line in the file says so and how much it is. Used on the loop's thread.
/// A file that reaches its limit becomes PATH.1, in place of an older one, and a fresh file begins with a line that says so
/// (<see cref="ConsoleLogMark"/>). Where the path isn't this file's any more (a link, an engine that sees no paths), or its folder
/// can't be written, the file is emptied instead.
/// </remarks>
internal sealed class ConsoleLog : IDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ConsoleRing _ring;
    private readonly long _limit;
    private readonly string _path;
    private readonly LoopTimer _retry;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private FileDescriptor _file;
    private long _position;
    private long _size;
    private bool _endless;
    private ReadOnlyMemory<byte> _note;
    private bool _failing;

    /// <param name="loop">The loop whose timer tries again.</param>
    /// <param name="ring">What is written, from its first byte on.</param>
    /// <param name="file">Open for writing at its end; owned by the log from here on.</param>
    /// <param name="path">Its path.</param>
    /// <param name="limit">Bytes of the file after which a fresh one begins.</param>
    public ConsoleLog(EventLoop loop, ConsoleRing ring, FileDescriptor file, string path, long limit = long.MaxValue)
    {
        _limit = limit;
        _ring = ring;
        _file = file;
        _path = path;
        _retry = new LoopTimer(loop, Write);
    }

    /// <summary>Writes what is new in the ring, unless writing failed within the last second.</summary>
    public void Append()
    {
        if (!_failing)
        {
            Write();
        }
    }

    /// <summary>Tries once more to write all there is.</summary>
    public void Flush() => Write();

    public void Dispose()
    {
        _retry.Dispose();
        _file.Dispose();
    }

    private void Write()
    {
        long until = _ring.End;
        while (_note.Length > 0 || _position < until)
        {
            if (_note.Length == 0 && _size >= _limit && !_endless)
            {
                BeginAnew();
            }

            if (_note.Length == 0)
            {
                int count = _ring.Peek(ref _position, _buffer, out long lost);
                if (lost == 0)
                {
                    if (!TryWrite(_buffer.AsSpan(0, count), out int written))
                    {
                        return;
                    }

                    _position += written;
                    continue;
                }

                _note = Encoding.UTF8.GetBytes($"\n[strato: {lost} bytes of output are missing here]\n");
            }

            if (!TryWrite(_note.Span, out int noted))
            {
                return;
            }

            _note = _note[noted..];
        }

        if (_failing)
        {
            _failing = false;
            Log.Info("serial", $"{_path} is written again");
        }
    }

    private void BeginAnew()
    {
        bool kept = TryRename();
        if (!kept && Libc.ftruncate(_file.Value, 0) < 0)
        {
            // A device or a pipe, which keeps nothing.
            _endless = true;
            return;
        }

        _size = 0;
        _note = ConsoleLogMark.Line(_position, kept);
    }

    /// <summary>Keeps the full file under its other name, and has a fresh one in its place.</summary>
    private bool TryRename()
    {
        string older = _path + ConsoleLogMark.OlderSuffix;
        if (!IsOwn(_path) || Libc.Rename(_path, older) < 0)
        {
            return false;
        }

        int fd = Libc.Open(_path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL | Libc.O_APPEND | Libc.O_NOCTTY, 0x180);
        if (fd < 0)
        {
            _ = Libc.Rename(older, _path);
            return false;
        }

        _file.Dispose();
        _file = new FileDescriptor(fd);
        return true;
    }

    private bool IsOwn(string path) =>
        Libc.Stat(_file.Value, out Libc.statx_t own) == 0
        && Libc.LinkStat(path, out Libc.statx_t there) == 0
        && (there.stx_mode & Libc.S_IFMT) == Libc.S_IFREG
        && (own.stx_ino, own.stx_dev_major, own.stx_dev_minor) == (there.stx_ino, there.stx_dev_major, there.stx_dev_minor);

    private bool TryWrite(ReadOnlySpan<byte> data, out int written)
    {
        nint count = Libc.Write(_file.Value, data);
        written = (int)Math.Max(count, 0);
        _size += written;
        if (count > 0)
        {
            return true;
        }

        if (!_failing)
        {
            _failing = true;
            string reason = count < 0 ? Errno.Text(Errno.Last) : "nothing was written";
            Log.Error("serial", $"{_path} can't be written: {reason}; the guest runs on, and writing is tried again each second");
        }

        _retry.Set(RetryDelay);
        return false;
    }
}
