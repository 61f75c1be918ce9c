using System;
using System.Collections.Generic;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>Serves a console's ring to many clients of a unix socket, of which one at a time writes to the guest.</summary>
/// <remarks>
/// A client sends one line (<see cref="ConsoleRequest"/>), gets one line, and then raw bytes until the engine ends. A client
/// reads at its own pace from the ring: one so slow that the ring goes round beyond it misses what was dropped, without a mark in the
/// stream. A writer that has shut down its sending side makes way for the next one at once; its input still comes first.
/// A writer from whom the console is taken is disconnected.
/// </remarks>
internal sealed class ConsoleServer : IDisposable
{
    /// <summary>Clients at most.</summary>
    public const int MaxClients = 64;

    /// <summary>Writers that have gone and whose input the guest hasn't read yet, at most.</summary>
    public const int MaxInputs = 16;

    // While the last bytes go out at the end, a client that doesn't read holds up the others no longer than this a turn.
    private static readonly TimeSpan FlushTurn = TimeSpan.FromMilliseconds(10);

    private readonly EventLoop _loop;
    private readonly ConsoleRing _ring;
    private readonly UnixListener _listener;
    private readonly List<ConsoleClient> _clients = [];
    private readonly InputQueue _inputs;
    private readonly RateLimit _refusals = new();
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="ring">What is served.</param>
    /// <param name="frontend">Where input goes.</param>
    /// <param name="path">Where to listen.</param>
    /// <param name="where">The option or field that gave the path, for errors.</param>
    /// <exception cref="UserErrorException">The path can't be listened on.</exception>
    public ConsoleServer(EventLoop loop, ConsoleRing ring, ICharFrontend frontend, string path, string where)
    {
        _loop = loop;
        _ring = ring;
        _inputs = new InputQueue(loop, frontend);
        _listener = UnixListener.Create(loop, path, where, OnAccepted);
    }

    /// <summary>Time a client has for its request line.</summary>
    public TimeSpan RequestTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Clients that are connected now.</summary>
    public int ClientCount => _clients.Count;

    /// <summary>The front end has room again. From any thread.</summary>
    public void PostResume() => _inputs.PostResume();

    /// <summary>The ring has more.</summary>
    public void Drain()
    {
        // Backwards: a client that turns out to be gone takes itself out.
        for (int i = _clients.Count - 1; i >= 0; i--)
        {
            _clients[i].Drain();
        }
    }

    /// <summary>Sends all there is, waiting for slow clients until the deadline.</summary>
    public void Flush(Deadline deadline)
    {
        bool blocked = true;
        for (TimeSpan turn = TimeSpan.Zero; blocked; turn = FlushTurn)
        {
            blocked = false;
            foreach (ConsoleClient client in _clients)
            {
                client.Flush(turn == TimeSpan.Zero || deadline.HasPassed ? Deadline.After(TimeSpan.Zero) : Deadline.After(turn));
                blocked |= client.Blocked;
            }

            blocked &= !deadline.HasPassed;
        }
    }

    /// <summary>Grants or refuses what a client asked for.</summary>
    public void Serve(ConsoleClient client, ConsoleRequest request)
    {
        long end = _ring.End;
        long from = request.From switch
        {
            ConsoleRequest.FromEnd => end,
            ConsoleRequest.FromBoot => _ring.Boot,
            _ => request.From,
        };
        if (from > end)
        {
            client.Refuse(ConsoleRefusal.RequestInvalid, $"from is {from}, but only {end} bytes have been written.");
            return;
        }

        if (request.Attach && MakeWay(request.Take) is (string id, string error))
        {
            client.Refuse(id, error);
            return;
        }

        // A guest that prints just now may have dropped even what was the end.
        long offset = Math.Max(from, _ring.Start);
        client.Stream(_ring, offset, offset - from, request.Attach ? _inputs : null);
    }

    /// <summary>A client has closed.</summary>
    public void Forget(ConsoleClient client)
    {
        if (!_disposed)
        {
            _clients.Remove(client);
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _listener.Dispose();
            foreach (ConsoleClient client in _clients)
            {
                client.Dispose();
            }
        }
    }

    /// <summary>Why no new writer may come; null when one may. With <paramref name="take"/> those before it are disconnected.</summary>
    private (string Id, string Error)? MakeWay(bool take)
    {
        if (!take && _inputs.Count >= MaxInputs)
        {
            return (ConsoleRefusal.InputFull, $"The input of {_inputs.Count} clients waits for the guest, which doesn't read its console; \"take\":true drops it.");
        }

        for (int i = _clients.Count - 1; i >= 0; i--)
        {
            ConsoleClient client = _clients[i];
            if (take && client.IsWriter)
            {
                _clients.RemoveAt(i);
                client.Dispose();

                // The next one's turn may have come, and it may have ended in it: begin anew.
                i = _clients.Count;
            }
            else if (!take && client.IsSending)
            {
                return (ConsoleRefusal.Busy, "Another client is attached to the console; \"take\":true detaches it.");
            }
        }

        return null;
    }

    private void OnAccepted(FileDescriptor socket)
    {
        if (_clients.Count == MaxClients)
        {
            Refuse(socket, ConsoleRefusal.TooManyClients, $"{MaxClients} clients are connected to the console, which is the most it serves.");
            return;
        }

        try
        {
            _clients.Add(new ConsoleClient(this, _loop, socket));
        }
        catch (LinuxException error)
        {
            // No timer is left, say: this client's trouble, and not the machine's.
            _refusals.Warn("serial", () => $"a client of the console is refused: {error.Message}");
            Refuse(socket, ConsoleRefusal.HostError, $"The host refuses what one more client needs: {error.Message}.");
        }
    }

    private static void Refuse(FileDescriptor socket, string id, string error)
    {
        _ = Libc.Send(socket.Value, ConsoleRequest.Refusal(id, error));
        socket.Dispose();
    }
}
