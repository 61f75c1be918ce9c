using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>Output to a file, which is emptied first; or to a terminal or named pipe. There is no input.</summary>
internal sealed class FileBackend : ICharBackend
{
    private const int RingSize = 64 * 1024;

    private readonly string _path;
    private readonly OutputFeed _feed;
    private readonly FileDescriptor? _device;
    private readonly DescriptorWatch? _watch;
    private readonly StreamOutput? _output;
    private readonly ConsoleLog? _log;
    private bool _broken;
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="path">The file; it is made when it doesn't exist.</param>
    /// <param name="where">The option or field that named it, for errors.</param>
    /// <exception cref="UserErrorException">SerialFileFailed.</exception>
    public FileBackend(EventLoop loop, string path, string where)
    {
        _path = path;
        FileDescriptor file = Open(path, where, 0x1B6, out bool regular);
        _feed = new OutputFeed(loop, RingSize, Drain);
        if (regular)
        {
            _log = new ConsoleLog(loop, _feed.Ring, file, path);
            return;
        }

        Libc.IgnoreSignal(Libc.SIGPIPE);
        _device = file;
        _watch = new DescriptorWatch(loop, file.Value, OnDevice);
        _output = new StreamOutput(_feed.Ring, _watch, isSocket: false, 0);
    }

    public string Name => $"file:{_path}";

    /// <summary>Opens a file for output and empties it.</summary>
    /// <param name="path">The file; it is made when it doesn't exist.</param>
    /// <param name="where">The option or field that named it, for errors.</param>
    /// <param name="mode">Its permissions, when it is made.</param>
    /// <param name="regular">Whether it is a regular file, not a device or pipe.</param>
    /// <exception cref="UserErrorException">SerialFileFailed.</exception>
    public static FileDescriptor Open(string path, string where, uint mode, out bool regular)
    {
        // Without O_NONBLOCK a named pipe would hold up the engine until somebody reads it; so it says that nobody does.
        int fd = FileSets.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND | Libc.O_NONBLOCK | Libc.O_NOCTTY, mode);
        if (fd < 0)
        {
            int errno = Errno.Last;
            string hint = errno == Errno.ENXIO ? " (a named pipe needs a reader first)" : "";
            throw new UserErrorException("SerialFileFailed", $"The file '{path}' can't be opened for output: {Errno.Text(errno)}{hint}.", where);
        }

        FileDescriptor file = new(fd);
        regular = Libc.Stat(fd, out Libc.statx_t status) == 0 && (status.stx_mode & Libc.S_IFMT) == Libc.S_IFREG;
        if (regular && Libc.ftruncate(fd, 0) < 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            throw new UserErrorException("SerialFileFailed", $"The file '{path}' can't be emptied: {Errno.Text(errno)}.", where);
        }

        return file;
    }

    public int OutputRoom => _feed.Room;

    public void Connect(ICharFrontend frontend) => _feed.Frontend = frontend;

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        _feed.Write(data);
        return true;
    }

    public void ResumeInput()
    {
    }

    public void Flush(TimeSpan limit)
    {
        _log?.Flush();
        _output?.Flush(Deadline.After(limit));
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _watch?.Dispose();
            _feed.Dispose();
            _log?.Dispose();
            _device?.Dispose();
        }
    }

    private void Drain()
    {
        _log?.Append();
        Check(_output?.Drain());
    }

    private void OnDevice(EpollEvents events) => Check(_output!.Writable());

    private void Check(OutputState? state)
    {
        if (state == OutputState.Broken && !_broken)
        {
            _broken = true;
            Log.Warning("serial", $"{_path} takes no more: {Errno.Text(_output!.Error)}; the guest's output is dropped from here on");
            _watch!.Dispose();
        }
    }
}
