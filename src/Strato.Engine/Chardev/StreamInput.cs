using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Moves bytes from a non-blocking descriptor to a front end, and reads no more than there is room for.</summary>
/// <remarks>
/// The descriptor is watched edge triggered, so that neither bytes that wait for room nor a peer that has hung up wake the
/// loop again and again. Whether there may be something to read is kept in <c>_readable</c>: set by an event, cleared by EAGAIN.
/// </remarks>
internal sealed class StreamInput
{
    /// <summary>A fast guest and a fast source must not keep the loop from its other work.</summary>
    private const int RoundsPerTurn = 32;

    private readonly EventLoop _loop;
    private readonly int _fd;
    private readonly ICharFrontend _frontend;
    private readonly Action _ended;
    private readonly Action _resume;
    private readonly byte[] _buffer = new byte[1024];
    private bool _readable;
    private bool _stopped;

    /// <param name="loop">The loop that calls.</param>
    /// <param name="fd">The source; non-blocking, or one that never blocks. It stays the caller's.</param>
    /// <param name="frontend">Receives what is read.</param>
    /// <param name="ended">Called once, at the source's end or when reading fails.</param>
    public StreamInput(EventLoop loop, int fd, ICharFrontend frontend, Action ended)
    {
        _loop = loop;
        _fd = fd;
        _frontend = frontend;
        _ended = ended;
        _resume = Resume;
    }

    /// <summary>There may be something to read.</summary>
    public void Ready()
    {
        _readable = true;
        Resume();
    }

    /// <summary>There may be room.</summary>
    public void Resume()
    {
        for (int round = 0; _readable && !_stopped; round++)
        {
            if (round == RoundsPerTurn)
            {
                _loop.Post(_resume);
                return;
            }

            int room = Math.Min(_frontend.Room, _buffer.Length);
            if (room == 0)
            {
                return;
            }

            nint count = Libc.Read(_fd, _buffer.AsSpan(0, room));
            if (count > 0)
            {
                _frontend.Receive(_buffer.AsSpan(0, (int)count));
            }
            else if (count < 0 && Errno.Last == Errno.EAGAIN)
            {
                _readable = false;
            }
            else
            {
                Stop();
                _ended();
            }
        }
    }

    /// <summary>Reads no more: the descriptor is about to be closed.</summary>
    public void Stop() => _stopped = true;
}
