using System;
using System.Collections.Generic;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Qmp;
using Strato.Tests.Unit.Driver;
using Strato.Tests.Unit.Qmp;

namespace Strato.Tests.Fuzz.Targets;

/// <summary>What a client sends to the QMP server: each line of the answer is JSON, and the connection ends.</summary>
internal sealed class QmpTarget : FuzzTarget
{
    private const int MostTurns = 100_000;
    private readonly TemporaryFile _path = new();
    private readonly EventLoop _loop = new();
    private readonly FakeMachine _machine = new();
    private readonly QmpServer _server;
    private readonly List<byte> _answer = [];
    private readonly byte[] _chunk = new byte[64 << 10];

    public QmpTarget()
    {
        _server = new QmpServer(_loop, _machine, () => []);
        _server.Listen(_path.Path);
    }

    public override IReadOnlyList<byte[]> Seeds { get; } = WordList.Of(
        "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\",\"id\":1}\n",
        "{\"execute\":\"query-commands\",\"id\":\"a\"}{\"execute\":\"query-version\"}{\"execute\":\"query-cpus\"}{\"execute\":\"query-hotpluggable-cpus\"}",
        "{\"execute\":\"stop\"}\r\n{\"execute\":\"cont\",\"arguments\":{}}\r\n{\"execute\":\"query-block\",\"id\":{\"x\":[1,null,true]}}",
        "{\"execute\":\"system_powerdown\"}{\"execute\":\"system_reset\"}{\"execute\":\"quit\"}",
        "\u00ff{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"d\",\"id\":\"\\u00e9\\ud83d\\ude80\"}}\n[1,2,{\"a\":\"}\"}]");

    public override IReadOnlyList<byte[]> Words { get; } =
    [
        .. WordList.Of("{", "}", "[", "]", "\"", "\\", "\\u0000", "\\ud800", "\n", "\"execute\":", "\"arguments\":{", "\"id\":", "\"exec-oob\":", "null", "1e400", "query-", "{\"execute\":\"quit\"}", new string('[', 70)),
        [0xff],
        [0xc3],
    ];

    public override string Run(byte[] input)
    {
        _answer.Clear();
        _machine.State = RunState.Running;
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(_path.Path));
        socket.Blocking = false;
        int sent = 0;
        bool ended = false;
        int turns = 0;
        do
        {
            Require(turns++ < MostTurns, "the connection doesn't end");
            if (sent < input.Length)
            {
                sent += Math.Max(0, socket.Send(input.AsSpan(sent), SocketFlags.None, out SocketError error));
                ended = error is not (SocketError.Success or SocketError.WouldBlock);
            }
            else if (sent == input.Length)
            {
                sent++;
                socket.Shutdown(SocketShutdown.Send);
            }

            bool idle = !_loop.RunOnce(0);
            ended |= Receive(socket);

            // A server that was told to quit takes no more from the client, and waits for it to go.
            ended |= idle && sent > input.Length;
        }
        while (!ended);
        socket.Dispose();
        while (_server.ClientCount > 0)
        {
            Require(turns++ < MostTurns, "the connection doesn't end");
            _loop.RunOnce(0);
        }

        return Check(Encoding.UTF8.GetString([.. _answer]));
    }

    protected override void Dispose(bool disposing)
    {
        _server.Dispose();
        _loop.Dispose();
        _path.Dispose();
    }

    private static string Check(string answer)
    {
        StringBuilder outcome = new();
        string[] lines = answer.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        foreach (string line in lines)
        {
            try
            {
                using JsonDocument message = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 128 });
                foreach (JsonProperty property in message.RootElement.EnumerateObject())
                {
                    outcome.Append(property.Name[0]);
                }
            }
            catch (JsonException)
            {
                throw new InvariantException($"an answer isn't JSON: {line}");
            }
        }

        return lines.Length > 20 ? "long" : outcome.ToString();
    }

    /// <summary>True at the end.</summary>
    private bool Receive(Socket socket)
    {
        while (true)
        {
            int count = socket.Receive(_chunk, SocketFlags.None, out SocketError error);
            if (count <= 0)
            {
                return error != SocketError.WouldBlock;
            }

            _answer.AddRange(_chunk.AsSpan(0, count));
        }
    }
}
