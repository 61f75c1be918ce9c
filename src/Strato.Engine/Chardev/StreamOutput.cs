using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>How an attempt to write out a ring went.</summary>
internal enum OutputState
{
    /// <summary>All is written.</summary>
    Idle,

    /// <summary>The peer takes no more now; the rest goes on when the descriptor is writable.</summary>
    Blocked,

    /// <summary>The peer is gone; <see cref="StreamOutput.Error"/> says how. What is written from now on is dropped.</summary>
    Broken,
}

/// <summary>One reader of a ring that writes to a non-blocking descriptor at its peer's pace. Used on the loop's thread.</summary>
/// <remarks>A peer slower than the guest loses the oldest bytes when the ring has gone round once beyond it.</remarks>
internal sealed class StreamOutput(ConsoleRing ring, DescriptorWatch watch, bool isSocket, long position)
{
    // All outputs of a thread share one buffer.
    [ThreadStatic]
    private static byte[]? _buffer;

    private long _position = position;

    /// <summary>errno of the write that found the peer gone.</summary>
    public int Error { get; private set; }

    public OutputState State { get; private set; }

    /// <summary>Bytes of the ring that are still to be written.</summary>
    public long Pending => ring.End - _position;

    /// <summary>The ring has more.</summary>
    public OutputState Drain() => State == OutputState.Idle ? Write() : State;

    /// <summary>The descriptor may be writable again.</summary>
    public OutputState Writable() => State == OutputState.Blocked ? Write() : State;

    /// <summary>Drops what has not been written, and begins anew: the peer went, and another may come.</summary>
    public void Restart()
    {
        _position = ring.End;
        State = OutputState.Idle;
        watch.WatchWrites(false);
    }

    /// <summary>Writes all there is, waiting for the peer until <paramref name="deadline"/>.</summary>
    public void Flush(Deadline deadline)
    {
        while (_position < ring.End && State != OutputState.Broken)
        {
            if (Write() == OutputState.Blocked)
            {
                PollEvents events = Libc.Poll(watch.Fd, PollEvents.Out, deadline.MillisecondsLeft);
                if (deadline.HasPassed || (events & (PollEvents.HangUp | PollEvents.Error)) != 0)
                {
                    return;
                }
            }
        }
    }

    private OutputState Write()
    {
        Span<byte> buffer = _buffer ??= new byte[16 * 1024];

        // What is there as it begins: a fast guest must not keep the loop from its other work.
        long until = ring.End;
        State = OutputState.Idle;
        while (_position < until)
        {
            int count = ring.Peek(ref _position, buffer, out _);
            nint written = isSocket ? Libc.Send(watch.Fd, buffer[..count]) : Libc.Write(watch.Fd, buffer[..count]);
            if (written < 0)
            {
                int errno = Errno.Last;
                Error = errno;
                State = errno == Errno.EAGAIN ? OutputState.Blocked : OutputState.Broken;
                break;
            }

            _position += written;
        }

        watch.WatchWrites(State == OutputState.Blocked);
        return State;
    }
}
