using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Protocol.Qmp;

namespace Strato.Client;

/// <summary>An event of the engine.</summary>
/// <param name="Name">Such as <c>SHUTDOWN</c>.</param>
/// <param name="Data">A JSON object; empty if the event had none.</param>
/// <param name="Timestamp">As the engine stamped it.</param>
/// <param name="Dropped">Events before it that the engine dropped, since they were not read.</param>
public sealed record QmpEvent(string Name, JsonElement Data, DateTimeOffset Timestamp, long Dropped = 0);

/// <summary>One connection to an engine's QMP socket. One thread at a time; several users have a connection each.</summary>
public sealed class QmpConnection : IDisposable
{
    /// <summary>How long an engine may take to greet and to answer the client's own questions.</summary>
    internal static readonly TimeSpan QuickLimit = TimeSpan.FromSeconds(1);

    /// <summary>How long a command of the user may take unless the user says otherwise.</summary>
    internal static readonly TimeSpan DefaultLimit = TimeSpan.FromSeconds(10);

    /// <summary>Events kept while a command waits for its answer; beyond it the oldest are dropped.</summary>
    private const int MaximumEvents = 4096;

    private readonly UnixStream _stream;
    private readonly QmpFramer _framer = QmpCommand.NewFramer();
    private readonly Queue<QmpEvent> _events = new();
    private readonly string? _vmName;
    private long _lastId;
    private bool _ended;

    private QmpConnection(UnixStream stream, string? vmName)
    {
        _stream = stream;
        _vmName = vmName;
    }

    /// <summary>The greeting's <c>QMP</c> object.</summary>
    public JsonElement Greeting { get; private set; }

    /// <summary>The socket, to be waited for together with others; <see cref="TryTakeEvent"/> first, since events may be in store.</summary>
    internal int Fd => _stream.Fd;

    /// <summary>Connects, takes the greeting and leaves the negotiation mode. Errors QmpDisconnected (nobody there) and QmpTimeout.</summary>
    internal static QmpConnection Open(string path, string? vmName, TimeSpan limit, CancellationToken token)
    {
        Deadline deadline = Deadline.After(limit);
        switch (UnixStream.TryConnect(path, out UnixStream? stream))
        {
            case ConnectOutcome.Nobody:
                throw new StratoException(StratoErrorKind.Connection, "QmpDisconnected", $"No engine answers on '{path}'.") { VmName = vmName };
            case ConnectOutcome.Busy:
                throw TimedOut(vmName, "a connection", limit);
        }

        QmpConnection connection = new(stream!, vmName);
        try
        {
            using Waiter waiter = new(token);
            JsonElement hello = connection.Next(waiter, deadline) ?? throw TimedOut(vmName, "the greeting", limit);
            if (hello.ValueKind != JsonValueKind.Object || !hello.TryGetProperty("QMP", out JsonElement greeting))
            {
                throw new StratoException(StratoErrorKind.Connection, "QmpProtocol", $"'{path}' is not a QMP socket: it greets with {hello.GetRawText()}") { VmName = vmName };
            }

            connection.Greeting = greeting;
            connection.Execute("qmp_capabilities", null, deadline.Remaining, token);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>One command; events that arrive meanwhile are kept for <see cref="ReadEvent"/>.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">A JSON object, or null.</param>
    /// <param name="timeout">Default 10 seconds; error <c>QmpTimeout</c>.</param>
    /// <param name="token">Ends the wait; the command may take effect all the same.</param>
    public JsonElement Execute(string command, JsonElement? arguments = null, TimeSpan? timeout = null, CancellationToken token = default) =>
        Execute(command, arguments, null, timeout, token);

    /// <summary>As <see cref="Execute(string, JsonElement?, TimeSpan?, CancellationToken)"/>, with a descriptor for the engine (SCM_RIGHTS).</summary>
    internal JsonElement Execute(string command, JsonElement? arguments, FileDescriptor? file, TimeSpan? timeout, CancellationToken token)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        TimeSpan limit = timeout ?? DefaultLimit;
        Deadline deadline = Deadline.After(limit);
        long id = ++_lastId;
        using Waiter waiter = new(token);
        try
        {
            // The engine may have closed its side with an answer still to be read, so a failed send is not the end yet.
            _stream.SendAll(QmpCommand.Format(command, arguments, id), waiter, deadline, file);
        }
        catch (TimeoutException)
        {
            throw TimedOut(_vmName, $"'{command}'", limit);
        }

        while (true)
        {
            JsonElement message = Next(waiter, deadline) ?? throw TimedOut(_vmName, $"'{command}'", limit);
            if (QmpCommand.Answers(message, id))
            {
                return QmpCommand.Result(message, command, _vmName);
            }

            Keep(message);
        }
    }

    /// <summary>Waits for the next event.</summary>
    /// <param name="timeout">Null waits for ever.</param>
    /// <param name="token">Ends the wait.</param>
    /// <returns>Null when the time limit passed. Error <c>QmpDisconnected</c> when the engine ends.</returns>
    public QmpEvent? ReadEvent(TimeSpan? timeout = null, CancellationToken token = default)
    {
        Deadline deadline = Deadline.After(timeout);
        using Waiter waiter = new(token);
        while (_events.Count == 0)
        {
            if (Next(waiter, deadline) is not { } message)
            {
                return null;
            }

            Keep(message);
        }

        return _events.Dequeue();
    }

    /// <summary>Forgets the events that came before the answer to the last command.</summary>
    internal void ForgetEvents() => _events.Clear();

    /// <summary>An event in store or already received, without waiting.</summary>
    /// <param name="ended">The engine closed the connection; no event comes any more.</param>
    internal QmpEvent? TryTakeEvent(out bool ended)
    {
        while (_events.Count == 0)
        {
            if (QmpCommand.TryTake(_framer, out JsonElement message))
            {
                Keep(message);
            }
            else if (!Fill())
            {
                break;
            }
        }

        ended = _ended && _events.Count == 0;
        return _events.TryDequeue(out QmpEvent? first) ? first : null;
    }

    public void Dispose() => _stream.Dispose();

    /// <summary>Null when the time limit passed.</summary>
    private JsonElement? Next(Waiter waiter, Deadline deadline)
    {
        while (true)
        {
            if (QmpCommand.TryTake(_framer, out JsonElement message))
            {
                return message;
            }

            if (_ended)
            {
                throw new StratoException(StratoErrorKind.Connection, "QmpDisconnected", $"The engine{Of(_vmName)} closed the connection.") { VmName = _vmName };
            }

            if (!Fill() && !_ended && waiter.WaitReadable(deadline, _stream.Fd) < 0)
            {
                return null;
            }
        }
    }

    /// <summary>Receives what is there; false if that is nothing.</summary>
    private bool Fill()
    {
        if (_ended)
        {
            return false;
        }

        int count = _stream.Receive(_framer.GetSpan());
        if (count > 0)
        {
            _framer.Advance(count);
            return true;
        }

        _ended = count == 0;
        return false;
    }

    private void Keep(JsonElement message)
    {
        // Anything else is a late answer to a command whose time limit passed.
        if (QmpCommand.TryEvent(message) is { } received)
        {
            if (_events.Count == MaximumEvents)
            {
                _events.Dequeue();
            }

            _events.Enqueue(received);
        }
    }

    private static string Of(string? vmName) => vmName is null ? "" : $" of VM '{vmName}'";

    private static StratoException TimedOut(string? vmName, string what, TimeSpan limit) =>
        new(StratoErrorKind.Timeout, "QmpTimeout", $"The engine{Of(vmName)} did not answer within {limit.TotalSeconds:0.###} s ({what}).") { VmName = vmName };
}
