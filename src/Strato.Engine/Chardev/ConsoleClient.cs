using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>One connection to the console's socket: first its request line, then the stream.</summary>
/// <remarks>
/// The line is looked at where it lies (MSG_PEEK), and only the line is taken: what follows it is input, which is
/// read when the guest has room for it.
/// </remarks>
internal sealed class ConsoleClient : IDisposable
{
    /// <summary>Bytes of the request line with its newline, at most.</summary>
    public const int MaxRequest = 4096;

    private readonly ConsoleServer _server;
    private readonly SocketPeer _peer;
    private readonly LoopTimer _timer;
    private bool _streaming;

    /// <param name="server">Decides what it gets.</param>
    /// <param name="loop">The loop that calls.</param>
    /// <param name="socket">A connected, non-blocking socket; owned from here on, unless this fails.</param>
    /// <exception cref="LinuxException">The host doesn't let the socket be watched.</exception>
    public ConsoleClient(ConsoleServer server, EventLoop loop, FileDescriptor socket)
    {
        _server = server;
        _timer = new LoopTimer(loop, () => Refuse(ConsoleRefusal.RequestTimeout, $"No request came within {server.RequestTime.TotalSeconds} seconds."));
        _timer.Set(server.RequestTime);
        try
        {
            _peer = new SocketPeer(loop, socket, OnChanged);
        }
        catch
        {
            _timer.Dispose();
            throw;
        }
    }

    /// <summary>Whether it is attached and may still send.</summary>
    public bool IsSending => _peer.Input is { Ended: false } && !_peer.SendingEnded;

    /// <summary>Whether its input goes, or waits to go, to the guest.</summary>
    public bool IsWriter => _peer.Input is { Ended: false };

    public bool Blocked => _peer.Blocked;

    /// <summary>Answers the request and begins the stream.</summary>
    /// <param name="ring">Where the bytes are.</param>
    /// <param name="offset">Offset to begin from.</param>
    /// <param name="dropped">Bytes before it that the client asked for in vain.</param>
    /// <param name="inputs">Where its input waits for its turn; null when it has none.</param>
    public void Stream(ConsoleRing ring, long offset, long dropped, InputQueue? inputs)
    {
        // The first bytes on a new socket always find room in its buffer.
        _ = Libc.Send(_peer.Fd, ConsoleRequest.Answer(offset, dropped, inputs is not null));
        _streaming = true;
        _peer.Stream(ring, offset, inputs);
    }

    public void Drain() => _peer.Drain();

    public void Flush(Deadline deadline) => _peer.Flush(deadline);

    /// <summary>Sends a line that says why, and closes.</summary>
    public void Refuse(string id, string error)
    {
        _ = Libc.Send(_peer.Fd, ConsoleRequest.Refusal(id, error));
        Close();
    }

    /// <summary>Closes; what was sent before, the client can still read.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        _peer.Dispose();
    }

    private void Close()
    {
        _server.Forget(this);
        Dispose();
    }

    private void OnChanged(SocketPeer peer)
    {
        if (!_streaming)
        {
            TryReadRequest();
        }
        else if (peer.Finished)
        {
            Close();
        }
    }

    private void TryReadRequest()
    {
        Span<byte> buffer = stackalloc byte[MaxRequest];
        nint count = Libc.Peek(_peer.Fd, buffer);
        int end = count > 0 ? buffer[..(int)count].IndexOf((byte)'\n') : -1;
        if (end < 0)
        {
            if (count == MaxRequest)
            {
                Refuse(ConsoleRefusal.RequestInvalid, $"The request line is longer than {MaxRequest} bytes.");
            }
            else if (_peer.SendingEnded)
            {
                Refuse(ConsoleRefusal.RequestInvalid, "The connection ended before the end of the request line.");
            }

            return;
        }

        _ = Libc.Receive(_peer.Fd, buffer[..(end + 1)]);
        _timer.Dispose();
        if (!ConsoleRequest.TryParse(buffer[..end], out ConsoleRequest request, out string error))
        {
            Refuse(ConsoleRefusal.RequestInvalid, error);
            return;
        }

        _server.Serve(this, request);
        if (_peer.Finished)
        {
            Close();
        }
    }
}
