using System;
using Strato.Engine.Linux;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>One connection to the QMP server. Never blocks: what the peer doesn't read waits in a bounded queue.</summary>
/// <remarks>
/// Who sends requests faster than it reads replies is not read on while more than <see cref="HighWater"/> bytes wait, so
/// a burst of any length is served in time. Events come all the same; they wait in <see cref="LateMessages"/> meanwhile.
/// </remarks>
internal sealed class QmpClient
{
    public const int MaxQueued = 1 << 20;

    private const int HighWater = 64 << 10;
    private const int ReceiveSize = 4 << 10;

    private readonly QmpServer _server;
    private readonly EventLoop _loop;
    private readonly FileDescriptor _socket;
    private readonly QmpFramer _framer = new();
    private readonly OutputQueue _output = new(MaxQueued);
    private readonly LateMessages _late = new();
    private EpollEvents _watched = EpollEvents.In;
    private bool _inputEnded;
    private bool _outputEnded;
    private bool _cutOffAnswered;
    private bool _deaf;

    // Requests are left, or the stream's end is, for when the peer has read.
    private bool _unserved;
    private bool _closed;

    public QmpClient(QmpServer server, EventLoop loop, FileDescriptor socket)
    {
        _server = server;
        _loop = loop;
        _socket = socket;
        loop.Add(socket.Value, _watched, OnReady);
    }

    /// <summary>Bytes of memory held for input and output.</summary>
    public int Capacity => _framer.Capacity + _output.Capacity + _late.Length;

    /// <summary>Descriptors that the client has passed.</summary>
    public PassedFiles Files { get; } = new();

    /// <summary>Queues a reply and sends what the socket takes.</summary>
    public void Send(ReadOnlySpan<byte> reply)
    {
        if (_closed || _outputEnded)
        {
            return;
        }

        if (_late.IsEmpty)
        {
            Append(reply);
        }
        else
        {
            _late.AddReply(reply);
        }

        Flush();
        Watch();
    }

    /// <summary>As <see cref="Send"/>, for what the client hasn't asked for: it waits, and at last is dropped, when the client doesn't read.</summary>
    public void SendEvent(ReadOnlySpan<byte> message)
    {
        if (_closed || _outputEnded)
        {
            return;
        }

        if (_late.IsEmpty && _output.Length < HighWater)
        {
            Append(message);
        }
        else
        {
            _late.AddEvent(message);
        }

        Flush();
        Watch();
    }

    /// <summary>Takes no further request: the machine ends. Events still go out.</summary>
    public void StopReading() => _deaf = true;

    /// <summary>Sends what is queued, waiting for the peer at most until the time is over, and closes.</summary>
    /// <param name="milliseconds">Time to wait; what is left of it.</param>
    public void CloseGently(ref int milliseconds)
    {
        Flush();
        while (!_closed && _output.Length > 0 && milliseconds > 0)
        {
            long start = Environment.TickCount64;
            _ = Libc.Poll(_socket.Value, PollEvents.Out, milliseconds);
            milliseconds -= (int)Math.Max(1, Environment.TickCount64 - start);
            Flush();
        }

        Close();
    }

    public void Close()
    {
        if (!_closed)
        {
            _closed = true;
            Files.Dispose();
            _loop.Remove(_socket.Value);
            _socket.Dispose();
            _server.Forget(this);
        }
    }

    private void OnReady(EpollEvents events)
    {
        Flush();
        if ((_watched & EpollEvents.In) != 0)
        {
            if (!_closed && events != EpollEvents.Out)
            {
                Receive();
            }
        }
        else if (_deaf && (events & (EpollEvents.HangUp | EpollEvents.Error)) != 0)
        {
            Close();
        }

        Serve();
    }

    private void Receive()
    {
        Span<int> files = stackalloc int[Libc.MaxPassedFiles];
        nint count = Libc.ReceiveFiles(_socket.Value, _framer.GetSpan(ReceiveSize), files, out int fileCount);
        foreach (int file in files[..fileCount])
        {
            if (!Files.Add(file))
            {
                _server.Report($"a client passes more than {PassedFiles.Maximum} descriptors; the others are closed");
            }
        }

        if (count > 0)
        {
            _framer.Advance((int)count);
            if (_server.IsMemoryShort)
            {
                _server.Report("a client is cut off: the clients together leave too much unread or unfinished");
                Close();
            }
        }
        else if (count == 0 || Errno.Last != Errno.EAGAIN)
        {
            // A reset comes after all that was sent has been read.
            _inputEnded = true;
        }
    }

    /// <summary>Runs requests while the peer reads the replies.</summary>
    private void Serve()
    {
        bool exhausted = false;
        while (!_closed && !_deaf && !exhausted && _late.IsEmpty && _output.Length < HighWater)
        {
            QmpFrame frame = _framer.TryRead(out ReadOnlyMemory<byte> message);
            exhausted = frame == QmpFrame.None;
            if (!exhausted)
            {
                _server.Answer(this, frame, message);
            }
        }

        if (exhausted && _inputEnded && !_closed)
        {
            EndStream();
        }

        _unserved = !_closed && !_deaf && (!exhausted || _inputEnded);

        Watch();
    }

    /// <summary>The peer sends no more, and may still read: it gets the last replies before the connection ends.</summary>
    private void EndStream()
    {
        // Comes here again once the queue has been read.
        if (_framer.IsInsideMessage && !_cutOffAnswered)
        {
            _cutOffAnswered = true;
            _server.AnswerCutOff(this);
        }

        if (_output.Length == 0 && _late.IsEmpty)
        {
            Close();
        }
    }

    private void Append(ReadOnlySpan<byte> message)
    {
        if (!_output.TryAppend(message) || (_output.Length > HighWater && _server.IsMemoryShort))
        {
            _server.Report($"a client that leaves {_output.Length} bytes unread is cut off");
            Close();
        }
    }

    /// <summary>Sends what the socket takes, and moves on what came late.</summary>
    private void Flush()
    {
        FlushOutput();
        while (!_closed && !_outputEnded && !_late.IsEmpty && _output.Length < HighWater)
        {
            Append(_late.Take());
            if (_late.IsEmpty || _output.Length >= HighWater)
            {
                FlushOutput();
            }
        }
    }

    private void FlushOutput()
    {
        while (!_closed && _output.Length > 0)
        {
            nint sent = Libc.Send(_socket.Value, _output.Pending);
            if (sent < 0)
            {
                if (Errno.Last != Errno.EAGAIN)
                {
                    // Nobody reads any more, but what was sent before is still a request: it is read to its end.
                    _outputEnded = true;
                    _output.Consume(_output.Length);
                    _late.Clear();
                }

                return;
            }

            _output.Consume((int)sent);
        }
    }

    private void Watch()
    {
        if (_closed)
        {
            return;
        }

        // An event may have emptied the queue, which only this client's own turn goes on from.
        EpollEvents wanted = _output.Length > 0 || _unserved ? EpollEvents.Out : EpollEvents.None;
        if (!_inputEnded && !_deaf && _late.IsEmpty && _output.Length < HighWater)
        {
            wanted |= EpollEvents.In;
        }

        if (wanted != _watched)
        {
            _watched = wanted;
            _loop.Modify(_socket.Value, wanted);
        }
    }
}
