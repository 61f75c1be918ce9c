using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Strato.Engine.Cli;
using Strato.Engine.Linux;
using Strato.Engine.Qmp;
using Strato.Engine.Snapshot;
using Strato.Protocol.Qmp;
using Xunit;

namespace Strato.Tests.Unit.Qmp;

/// <summary>A server with a fake machine on a real socket, all on the test's thread: reading turns the loop until there is something.</summary>
internal sealed class QmpHarness : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string _folder = Directory.CreateTempSubdirectory("strato-qmp-").FullName;

    public QmpHarness()
    {
        Machine.Loop = Loop;
        Server = new QmpServer(Loop, Machine, Options);
        SocketPath = Path.Combine(_folder, "qmp.sock");
        Server.Listen(SocketPath);
    }

    public static IReadOnlyList<OptionGroup> Options() => OptionGroups.List(OptionTable.List);

    public EventLoop Loop { get; } = new();

    public FakeMachine Machine { get; } = new();

    public QmpServer Server { get; }

    public string SocketPath { get; }

    /// <summary>A connected client that has read its greeting.</summary>
    public TestClient Connect()
    {
        TestClient client = new(this);
        client.ReadLine();
        return client;
    }

    public void TurnUntil(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            _ = Loop.RunOnce(1);
            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                throw new TimeoutException($"{what} did not happen within {Patience}");
            }
        }
    }

    public void Dispose()
    {
        Server.Dispose();
        Machine.Dispose();
        Loop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>The other end of a QMP connection.</summary>
internal sealed class TestClient : IDisposable
{
    private static readonly SchemaCheck Schema = ReadSchema();

    private readonly QmpHarness _harness;
    private readonly List<byte> _received = [];
    private bool _ended;

    public TestClient(QmpHarness harness)
    {
        _harness = harness;
        Socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Socket.Connect(new UnixDomainSocketEndPoint(harness.SocketPath));
        Socket.Blocking = false;
    }

    public Socket Socket { get; }

    public void Send(string text) => Send(Encoding.UTF8.GetBytes(text));

    /// <summary>Sends all, turning the loop while the socket is full.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        long start = Stopwatch.GetTimestamp();
        while (bytes.Length > 0)
        {
            int sent = Socket.Send(bytes, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
            {
                sent = 0;
                Receive();
                _ = _harness.Loop.RunOnce(1);
            }
            else if (error != SocketError.Success)
            {
                throw new SocketException((int)error);
            }

            bytes = bytes[sent..];
            if (Stopwatch.GetElapsedTime(start) > QmpHarness.Patience)
            {
                throw new TimeoutException("the server did not read");
            }
        }
    }

    /// <summary>The next line, without its end.</summary>
    public string ReadLine()
    {
        _harness.TurnUntil(HasLine, "a line");
        int end = _received.IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(_received.GetRange(0, end).ToArray());
        _received.RemoveRange(0, end + 1);
        Assert.True(line.EndsWith('\r'), "a line doesn't end as QEMU's: " + line);
        using JsonDocument message = JsonDocument.Parse(line);
        if (message.RootElement.TryGetProperty("event", out _))
        {
            string? fault = Schema.FaultOfEvent(message.RootElement);
            Assert.True(fault is null, $"{line}: {fault}");
        }

        return line[..^1];
    }

    /// <summary>Sends one request and gives the next line, which is held against the schema.</summary>
    public string Ask(string request)
    {
        Send(request);
        string line = ReadLine();
        if (TryParse(request) is { ValueKind: JsonValueKind.Object } asked && asked.TryGetProperty("execute", out JsonElement command) && command.ValueKind == JsonValueKind.String)
        {
            using JsonDocument reply = JsonDocument.Parse(line);
            string? fault = !reply.RootElement.TryGetProperty("return", out _) ? null : Schema.FaultOfReply(command.GetString()!, reply.RootElement);
            Assert.True(fault is null, $"{request}: {fault}");
        }

        return line;
    }

    /// <summary>Waits for the stream's end and gives what came before.</summary>
    public string ReadToEnd()
    {
        _harness.TurnUntil(
            () =>
            {
                Receive();
                return _ended;
            },
            "the stream's end");
        return Encoding.UTF8.GetString(_received.ToArray());
    }

    public void Dispose() => Socket.Dispose();

    private static SchemaCheck ReadSchema()
    {
        using QmpHarness harness = new();
        using QmpWriter writer = new();
        using PassedFiles files = new();
        SchemaCommands.Schema(new QmpCall(harness.Machine, new Migration(harness.Loop, harness.Machine), default, writer.BeginReturn(), files, QmpHarness.Options));
        writer.EndReturn(default);
        using JsonDocument reply = JsonDocument.Parse(writer.Message.ToArray());
        return new SchemaCheck(reply.RootElement.GetProperty("return"));
    }

    private static JsonElement? TryParse(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private bool HasLine()
    {
        Receive();
        bool has = _received.Contains((byte)'\n');
        return has || !_ended ? has : throw new EndOfStreamException("the server closed; before: " + Encoding.UTF8.GetString(_received.ToArray()));
    }

    private void Receive()
    {
        Span<byte> chunk = stackalloc byte[4096];
        while (!_ended)
        {
            int count = Socket.Receive(chunk, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
            {
                return;
            }

            // A reset, too, ends the stream: the server closed with requests unread.
            _ended = error != SocketError.Success || count == 0;
            _received.AddRange(chunk[..(_ended ? 0 : count)]);
        }
    }
}
