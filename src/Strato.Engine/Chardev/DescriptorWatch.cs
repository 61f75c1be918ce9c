using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>A descriptor on the event loop, edge triggered: for input and hang-up always, for writability when something waits for it.</summary>
/// <remarks>Edge triggered, a peer that has hung up, or bytes that nobody has room for, wake the loop once and not for ever.</remarks>
internal sealed class DescriptorWatch : IDisposable
{
    private const EpollEvents Always = EpollEvents.In | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered;

    private readonly EventLoop _loop;
    private readonly bool _pollable = true;
    private bool _writes;
    private bool _disposed;

    public DescriptorWatch(EventLoop loop, int fd, ReadyHandler handler)
    {
        _loop = loop;
        Fd = fd;
        try
        {
            loop.Add(fd, Always, handler);
        }
        catch (LinuxException e) when (e.Errno == Errno.EPERM)
        {
            // A file or /dev/null: always ready, so that it needs no watching, but takes a first turn to be read.
            _pollable = false;
            loop.Post(() =>
            {
                if (!_disposed)
                {
                    handler(EpollEvents.In);
                }
            });
        }
    }

    public int Fd { get; }

    /// <summary>Whether to call the handler when the descriptor becomes, or is, writable.</summary>
    public void WatchWrites(bool on)
    {
        if (on != _writes && _pollable && !_disposed)
        {
            _writes = on;
            _loop.Modify(Fd, on ? Always | EpollEvents.Out : Always);
        }
    }

    /// <summary>Ends the watch; before the descriptor is closed.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _loop.Remove(Fd);
        }
    }
}
