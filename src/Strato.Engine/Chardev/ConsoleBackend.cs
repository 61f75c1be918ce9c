using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>The console as the client library uses it: a ring of the last MiB, a log file of the last 64 MiB and more, and a socket for many readers.</summary>
internal sealed class ConsoleBackend : ICharBackend
{
    /// <summary>Bytes of output that readers can still get.</summary>
    public const int RingSize = 1024 * 1024;

    /// <summary>Bytes of a log file; there may be two, the older one under another name.</summary>
    private const long LogLimit = 64 << 20;

    private readonly EventLoop _loop;
    private readonly string? _socketPath;
    private readonly string _where;
    private readonly OutputFeed _feed;
    private readonly ConsoleLog? _log;
    private ConsoleServer? _server;
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="socketPath">Where readers connect; null for none.</param>
    /// <param name="logPath">The log file, emptied first; null for none.</param>
    /// <param name="where">The option or field that gave the paths, for errors.</param>
    /// <exception cref="UserErrorException">SerialFileFailed: the log can't be opened.</exception>
    public ConsoleBackend(EventLoop loop, string? socketPath, string? logPath, string where)
    {
        _loop = loop;
        _socketPath = socketPath;
        _where = where;

        // What a guest prints is its owner's alone: mode 0600.
        FileDescriptor? log = logPath is null ? null : FileBackend.Open(logPath, where, 0x180, out _);
        _feed = new OutputFeed(loop, RingSize, Drain);
        _log = log is null ? null : new ConsoleLog(loop, _feed.Ring, log, logPath!, LogLimit);
    }

    public string Name => $"console,socket={_socketPath}";

    public ConsoleRing Ring => _feed.Ring;

    /// <exception cref="UserErrorException">The socket's path can't be listened on.</exception>
    public void Connect(ICharFrontend frontend)
    {
        _feed.Frontend = frontend;
        if (_socketPath is not null)
        {
            _server = new ConsoleServer(_loop, _feed.Ring, frontend, _socketPath, _where);
        }
    }

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        _feed.Write(data);
        return true;
    }

    public void BeginBoot() => _feed.Ring.BeginBoot();

    public void ResumeInput() => _server?.PostResume();

    public void Flush(TimeSpan limit)
    {
        _log?.Flush();
        _server?.Flush(Deadline.After(limit));
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _server?.Dispose();
            _feed.Dispose();
            _log?.Dispose();
        }
    }

    private void Drain()
    {
        _log?.Append();
        _server?.Drain();
    }
}
