using System;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>iothreads of a running engine, as the host and QMP show them.</summary>
[Trait("Where", "both")]
public sealed class IoThreadTests
{
    public IoThreadTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Each_is_a_thread_that_bears_its_id()
    {
        string socket = TestHost.NewPath("qmp");
        using EngineProcess engine = EngineProcess.Start(
            "-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{socket},server,nowait", "-S",
            "-iothread", "id=iothread1", "-object", "iothread,id=a-long-name-of-a-thread",
            "-drive", $"file={TestHost.NewDisk("a.img", 1 << 20)},id=a,iothread=iothread1",
            "-drive", $"file={TestHost.NewDisk("b.img", 1 << 20)},id=b,iothread=a-long-name-of-a-thread");
        using QmpConnection qmp = QmpConnection.Open(socket, engine);
        JsonArray threads = qmp.Call("query-iothreads").AsArray();
        Assert.Equal(["iothread1", "a-long-name-of-a-thread"], threads.Select(t => (string)t!["id"]!));
        Assert.Equal(
            ["iothread1", "a-long-name-of-"],
            threads.Select(t => File.ReadAllText($"/proc/{engine.Id}/task/{(int)t!["thread-id"]!}/comm").TrimEnd('\n')));
        qmp.Call("cont");
        qmp.Call("stop");
        qmp.Call("quit");
        engine.WaitExit(0, TimeSpan.FromSeconds(60));
    }
}
