using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A QMP client for tests alone, of as few parts as can be: it shares none, and so no fault, with the product's.</summary>
internal sealed class QmpConnection : IDisposable
{
    private static readonly TimeSpan Limit = DebianGuest.Limit;
    private readonly NetworkStream _stream;
    private readonly ByteLog _lines;
    private int _read;
    private int _eventsRead;
    private int _lastId;

    private QmpConnection(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _lines = new ByteLog("QMP", _stream);
        Greeting = NextLine();
    }

    public JsonNode Greeting { get; }

    /// <summary>All events so far read, oldest first.</summary>
    public List<JsonNode> Events { get; } = [];

    /// <summary>Connects as soon as the engine listens.</summary>
    public static QmpConnection Open(string path, EngineProcess? engine = null)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return new QmpConnection(socket);
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < Limit && engine?.HasExited != true)
            {
                socket.Dispose();
                Thread.Yield();
            }
        }
    }

    /// <summary>Sends a command and gives what it returned.</summary>
    public JsonNode Call(string command, JsonObject? arguments = null)
    {
        JsonNode answer = Answer(command, arguments);
        Assert.True(answer["return"] is not null, $"{command}: {answer.ToJsonString()}");
        return answer["return"]!;
    }

    /// <summary>Sends a command and gives its whole answer, which may be an error.</summary>
    public JsonNode Answer(string command, JsonObject? arguments = null)
    {
        JsonObject request = new() { ["execute"] = command, ["id"] = ++_lastId };
        if (arguments is not null)
        {
            request["arguments"] = arguments;
        }

        Send(request.ToJsonString() + "\n");
        while (true)
        {
            JsonNode line = NextLine();
            if (line["event"] is not null)
            {
                Events.Add(line);
            }
            else if (line["id"]?.ToString() == $"{_lastId}")
            {
                return line;
            }
            else
            {
                Assert.Fail($"{command} with id {_lastId} was answered by {line.ToJsonString()}");
            }
        }
    }

    public void Send(string text) => _stream.Write(System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>Waits for the next event of a name that hasn't been asked for before, and gives it; others are passed over.</summary>
    public JsonNode WaitEvent(string name)
    {
        while (true)
        {
            for (; _eventsRead < Events.Count; _eventsRead++)
            {
                if ((string?)Events[_eventsRead]["event"] == name)
                {
                    return Events[_eventsRead++];
                }
            }

            JsonNode line = NextLine();
            Assert.True(line["event"] is not null, $"waiting for {name}: {line.ToJsonString()}");
            Events.Add(line);
        }
    }

    /// <summary>The engine's run state.</summary>
    public string Status() => (string)Call("query-status")["status"]!;

    /// <summary>Waits until the engine closes the connection.</summary>
    public void WaitEnd() => _lines.WaitEnd(Limit);

    public void Dispose() => _stream.Dispose();

    private JsonNode NextLine()
    {
        // Each byte is looked at once: a connection that reads late has minutes of events before it.
        (int begin, _read) = (_read, _lines.WaitFor("\n", _read, DebianGuest.Limit));
        return JsonNode.Parse(_lines.Text(begin, _read - 1))!;
    }
}
