using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>One connection of a unix socket: output of a ring to it, and, where it may send, its input to the guest.</summary>
/// <remarks>
/// The two directions end apart. A peer that has shut down its sending side still reads; one that has gone (closed both) may have left
/// input that the guest has no room for yet, which is read later. Used on the loop's thread.
/// </remarks>
internal sealed class SocketPeer : IDisposable
{
    // What is thrown away at the end so that the peer reads an end, and not ECONNRESET (unix(7): unread input at close).
    private const int DiscardLimit = 256 * 1024;

    private readonly EventLoop _loop;
    private readonly FileDescriptor _socket;
    private readonly DescriptorWatch _watch;
    private readonly Action<SocketPeer> _changed;
    private StreamOutput? _output;
    private bool _disposed;

    /// <param name="loop">The loop that calls.</param>
    /// <param name="socket">A connected, non-blocking socket; owned from here on.</param>
    /// <param name="changed">Called after each event: bytes came, or <see cref="Gone"/> or <see cref="Finished"/> changed.</param>
    public SocketPeer(EventLoop loop, FileDescriptor socket, Action<SocketPeer> changed)
    {
        _loop = loop;
        _socket = socket;
        _changed = changed;
        _watch = new DescriptorWatch(loop, socket.Value, OnEvents);
    }

    public int Fd => _socket.Value;

    /// <summary>Whether the peer sends no more; bytes that it sent may still wait.</summary>
    public bool SendingEnded { get; private set; }

    /// <summary>Whether the peer reads no more.</summary>
    public bool Gone { get; private set; }

    /// <summary>Whether the peer has gone and left nothing to read: dispose of it.</summary>
    public bool Finished => Gone && Input is not { Ended: false };

    /// <summary>Its input; null when it isn't read.</summary>
    public StreamInput? Input { get; private set; }

    /// <summary>Begins output from an offset of the ring, and, with a queue, input.</summary>
    public void Stream(ConsoleRing ring, long position, InputQueue? inputs)
    {
        _output = new StreamOutput(ring, _watch, isSocket: true, position);
        if (inputs is not null)
        {
            Input = new StreamInput(_loop, Fd, inputs) { WhenEnded = OnInputEnded };

            // Bytes may have come before, and no event will tell of them again.
            Input.Ready();
        }

        Drain();
    }

    /// <summary>The ring has more.</summary>
    public void Drain()
    {
        if (!Gone && _output?.Drain() == OutputState.Broken)
        {
            Gone = true;
            _changed(this);
        }
    }

    /// <summary>Writes what the ring has, waiting for the peer until the deadline.</summary>
    public void Flush(Deadline deadline)
    {
        if (!Gone)
        {
            _output?.Flush(deadline);
        }
    }

    /// <summary>Whether there is output that the peer hasn't taken yet.</summary>
    public bool Blocked => !Gone && _output?.State == OutputState.Blocked;

    /// <summary>Bytes that wait for the peer.</summary>
    public long Pending => Gone ? 0 : _output?.Pending ?? 0;

    /// <summary>Closes the connection; what was sent before, the peer can still read, then it reads the end.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Gone = true;
        Input?.Stop();
        _watch.Dispose();
        _ = Libc.shutdown(Fd, Libc.SHUT_WR);
        Span<byte> discarded = stackalloc byte[1024];
        for (int i = 0; i < DiscardLimit / discarded.Length && Libc.Receive(Fd, discarded) > 0; i++)
        {
        }

        _socket.Dispose();
    }

    private void OnEvents(EpollEvents events)
    {
        SendingEnded |= (events & (EpollEvents.ReadHangUp | EpollEvents.HangUp | EpollEvents.Error)) != 0;
        Gone |= (events & (EpollEvents.HangUp | EpollEvents.Error)) != 0;
        Input?.Ready();
        if (!_disposed && !Gone)
        {
            Gone = _output?.Writable() == OutputState.Broken;
        }

        if (!_disposed)
        {
            _changed(this);
        }
    }

    private void OnInputEnded()
    {
        SendingEnded = true;
        if (Gone)
        {
            _changed(this);
        }
    }
}
