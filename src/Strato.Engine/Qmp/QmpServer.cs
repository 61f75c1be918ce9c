using System;
using System.Collections.Generic;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Serves QMP to several clients at once, on unix sockets, on the main loop's thread.</summary>
internal sealed class QmpServer : IDisposable
{
    public const int MaxClients = 64;

    private const string Room = "qmp";

    // All buffers of all clients; the collector's limit for the whole engine is 32 MiB.
    private const int MaxMemory = 8 << 20;
    private const int FarewellMilliseconds = 200;

    private readonly EventLoop _loop;
    private readonly IMachineControl _machine;
    private readonly Migration _migration;
    private readonly List<UnixListener> _listeners = [];
    private readonly List<QmpClient> _clients = [];
    private readonly QmpWriter _writer = new();

    // An event may be raised while a reply is being written.
    private readonly QmpWriter _eventWriter = new();
    private readonly Func<IReadOnlyList<OptionGroup>> _options;
    private readonly RateLimit _limit = new();
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="machine">What the commands act on.</param>
    /// <param name="options">Lists the options of the command line.</param>
    public QmpServer(EventLoop loop, IMachineControl machine, Func<IReadOnlyList<OptionGroup>> options)
    {
        _options = options;
        _loop = loop;
        _machine = machine;
        _migration = new Migration(loop, machine);
        machine.EventRaised += Broadcast;
    }

    public int ClientCount => _clients.Count;

    /// <summary>Whether the clients' buffers have grown past what the engine gives them.</summary>
    public bool IsMemoryShort
    {
        get
        {
            int sum = 0;
            foreach (QmpClient client in _clients)
            {
                sum += client.Capacity;
            }

            return sum > MaxMemory;
        }
    }

    /// <summary>Listens on one more socket.</summary>
    /// <exception cref="UserErrorException">SocketPathTooLong, SocketExists, SocketFailed.</exception>
    public void Listen(string path, string where = "-qmp") => _listeners.Add(UnixListener.Create(_loop, path, where, Accept));

    /// <summary>Removes the sockets, gives clients a moment to take what is queued, and closes them.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _migration.Dispose();
        _machine.EventRaised -= Broadcast;
        foreach (UnixListener listener in _listeners)
        {
            listener.Dispose();
        }

        int milliseconds = FarewellMilliseconds;
        while (_clients.Count > 0)
        {
            _clients[^1].CloseGently(ref milliseconds);
        }

        _writer.Dispose();
        _eventWriter.Dispose();
    }

    /// <summary>Answers one message of a client, or what stood in its place.</summary>
    public void Answer(QmpClient client, QmpFrame frame, ReadOnlyMemory<byte> message)
    {
        switch (frame)
        {
            case QmpFrame.Message:
                Execute(client, message);
                return;
            case QmpFrame.TooLarge:
                Refuse(client, $"The request has more than {QmpFramer.MaxMessage} bytes, which is the most that is taken", default);
                return;
            case QmpFrame.TooDeep:
                Refuse(client, $"The request nests objects and arrays more than {QmpFramer.MaxDepth} deep, which is the most that is taken", default);
                return;
            default:
                Refuse(client, "JSON parse error, invalid text; a request is a JSON object such as {\"execute\": \"query-status\"}", default);
                return;
        }
    }

    /// <summary>Answers a stream that ended within a request.</summary>
    public void AnswerCutOff(QmpClient client) => Refuse(client, "JSON parse error, the stream ended within a request", default);

    public void Report(string message) => _limit.Warn(Room, () => message);

    public void Forget(QmpClient client)
    {
        _clients.Remove(client);

        // Nobody else can have the files that came over its connection.
        if (!_disposed && _machine.Dump.IsActive && ReferenceEquals(_machine.Dump.Owner, client.Files))
        {
            _machine.Dump.Cancel();
        }

        if (!_disposed && ReferenceEquals(_migration.Owner, client.Files))
        {
            _ = _migration.Cancel();
        }
    }

    private void Accept(FileDescriptor socket)
    {
        if (_clients.Count == MaxClients)
        {
            _writer.WriteError(QmpErrorClass.GenericError, $"{MaxClients} clients are connected, which is the most that are served at once", default);
            _ = Libc.Send(socket.Value, _writer.Message);
            socket.Dispose();
            return;
        }

        QmpClient client;
        try
        {
            client = new QmpClient(this, _loop, socket);
        }
        catch (LinuxException e)
        {
            // This client's trouble, and not the machine's.
            Report($"a client is refused: {e.Message}");
            socket.Dispose();
            return;
        }

        _clients.Add(client);
        _writer.WriteGreeting(StratoVersion.Package);
        client.Send(_writer.Message);
    }

    private void Execute(QmpClient client, ReadOnlyMemory<byte> message)
    {
        if (!QmpRequest.TryParse(message, out QmpRequest request, out string? error))
        {
            Refuse(client, error!, request.Id);
            return;
        }

        int files = client.Files.Unnamed;
        bool done = false;
        QmpCall call = new(_machine, _migration, request, _writer.BeginReturn(), client.Files, _options);
        try
        {
            QmpCommands.Find(request).Run(call);
            _writer.EndReturn(request.Id.Span);
            done = true;
        }
        catch (QmpException e)
        {
            _writer.WriteError(e.ErrorClass, e.Message, request.Id.Span);
        }
        catch (UserErrorException e)
        {
            _writer.WriteError(QmpErrorClass.GenericError, e.ToLine(), request.Id.Span);
        }

        if (!done && (request.Command is "getfd" or "add-fd") && client.Files.Unnamed == files)
        {
            // What came with a refused request isn't the next one's.
            client.Files.DropFirst();
        }

        client.Send(_writer.Message);
        if (call.AfterReply is Action after)
        {
            client.StopReading();
            after();
        }
    }

    private void Refuse(QmpClient client, string description, ReadOnlyMemory<byte> id)
    {
        _writer.WriteError(QmpErrorClass.GenericError, description, id.Span);
        client.Send(_writer.Message);
    }

    private void Broadcast(MachineEvent raised)
    {
        _eventWriter.WriteEvent(raised.Name, raised.Data, DateTime.UtcNow);

        // From the last, for a client that is cut off leaves the list.
        for (int i = _clients.Count - 1; i >= 0; i--)
        {
            _clients[i].SendEvent(_eventWriter.Message);
        }
    }
}
