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
    private readonly InputQueue _queue;
    private readonly bool _isPty;
    private readonly Action _resume;
    private readonly byte[] _buffer = new byte[1024];
    private bool _readable;

    /// <param name="loop">The loop that calls.</param>
    /// <param name="fd">The source; non-blocking, or one that never blocks. It stays the caller's.</param>
    /// <param name="queue">Where it waits for its turn; it enters here.</param>
    /// <param name="isPty">Whether it is a pty's master, which fails with EIO while nobody has the other side open, and goes on later.</param>
    public StreamInput(EventLoop loop, int fd, InputQueue queue, bool isPty = false)
    {
        _loop = loop;
        _fd = fd;
        _queue = queue;
        _isPty = isPty;
        _resume = Resume;
        queue.Enter(this);
    }

    /// <summary>Whether the source has come to its end, or reading failed, or was stopped.</summary>
    public bool Ended { get; private set; }

    /// <summary>Called on the loop's thread when the source has ended; not when it was stopped.</summary>
    public Action? WhenEnded { get; set; }

    /// <summary>There may be something to read.</summary>
    public void Ready()
    {
        _readable = true;
        Resume();
    }

    /// <summary>There may be room.</summary>
    public void Resume()
    {
        for (int round = 0; _readable && !Ended; round++)
        {
            if (round == RoundsPerTurn)
            {
                _loop.Post(_resume);
                return;
            }

            int room = Math.Min(_queue.RoomFor(this), _buffer.Length);
            if (room == 0)
            {
                return;
            }

            nint count = Libc.Read(_fd, _buffer.AsSpan(0, room));
            if (count > 0)
            {
                _queue.Receive(_buffer.AsSpan(0, (int)count));
                continue;
            }

            int errno = count < 0 ? Errno.Last : 0;
            if (errno == Errno.EAGAIN || (errno == Errno.EIO && _isPty))
            {
                _readable = false;
                return;
            }

            Stop();
            WhenEnded?.Invoke();
        }
    }

    /// <summary>Reads no more: the descriptor is about to be closed.</summary>
    public void Stop()
    {
        if (!Ended)
        {
            Ended = true;
            _queue.Leave(this);
        }
    }
}
