using System;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Strato.Tests.Unit.Qmp;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>What the published engine says of a real machine, held against its own query-qmp-schema; and a disk that comes by <c>-add-fd</c>.</summary>
[Trait("Where", "both")]
public sealed class SchemaTests
{
    public SchemaTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Each_query_answers_as_the_schema_says()
    {
        string socket = TestHost.NewPath("qmp");
        string disk = TestHost.NewDisk("set.img", 1 << 20);

        // The shell opens descriptor 9 and becomes the engine.
        using EngineProcess engine = EngineProcess.StartBy(
            ["/bin/sh", "-c", "exec \"$@\" 9<>\"$0\"", disk],
            "-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{socket},server,nowait", "-S", "-name", "schema", "-smp", "2",
            "-iothread", "id=iothread1", "-add-fd", "fd=9,set=1,opaque=disk", "-drive", "file=/dev/fdset/1,id=a,iothread=iothread1",
            "-netdev", $"stream,id=n,addr.type=unix,addr.path={Listen()}", "-balloon", "deflate-on-oom=true",
            "-chardev", $"socket,id=c,path={TestHost.NewPath("c")},server,nowait");
        using QmpConnection qmp = QmpConnection.Open(socket, engine);
        using JsonDocument schema = JsonDocument.Parse(qmp.Call("query-qmp-schema").ToJsonString());
        SchemaCheck check = new(schema.RootElement);
        Assert.Empty(check.Faults());
        string[] queries = [.. check.Commands.Where(name => name.StartsWith("query-", StringComparison.Ordinal))];
        Assert.True(queries.Length > 15, string.Join(", ", queries));
        foreach (string query in queries)
        {
            using JsonDocument reply = JsonDocument.Parse(qmp.Answer(query, query == "query-stats" ? new JsonObject { ["target"] = "vm" } : null).ToJsonString());
            Assert.True(reply.RootElement.TryGetProperty("return", out _), $"{query}: {reply.RootElement.GetRawText()}");
            Assert.Null(check.FaultOfReply(query, reply.RootElement));
        }

        Assert.Equal(1 << 20, (int)qmp.Call("query-block")[0]!["inserted"]!["image"]!["virtual-size"]!);
        Assert.Equal("disk", (string?)qmp.Call("query-fdsets")[0]!["fds"]![0]!["opaque"]);
        qmp.Call("cont");
        qmp.Call("stop");
        qmp.Call("quit");
        engine.WaitExit(0, DebianGuest.Limit);
        foreach (JsonNode raised in qmp.Events)
        {
            using JsonDocument message = JsonDocument.Parse(raised.ToJsonString());
            Assert.Null(check.FaultOfEvent(message.RootElement));
        }

        Assert.Contains(qmp.Events, raised => (string?)raised["event"] == "RESUME");
    }

    /// <summary>A socket for the interface to connect to; the tests' end ends it.</summary>
    private static string Listen()
    {
        string path = TestHost.NewPath("net");
        System.Net.Sockets.Socket listener = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        listener.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        listener.Listen();
        return path;
    }
}
