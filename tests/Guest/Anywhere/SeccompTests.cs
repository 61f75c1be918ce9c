using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>The engine's filters of system calls: on every thread, and what they do to a call that isn't allowed.</summary>
/// <remarks>What the filters allow is shown by all other guest tests, whose engines have them.</remarks>
[Trait("Where", "anywhere")]
public sealed class SeccompTests
{
    private const int Forbidden = 31;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly Lazy<string> Inject = new(() =>
    {
        string tool = TestHost.NewPath("inject");
        Command.Check("gcc", "-O2", "-o", tool, Path.Combine(TestHost.Repository, "tests/Guest/Harness/inject.c"));
        return tool;
    });

    private readonly string _qmp = TestHost.NewPath("qmp");

    public SeccompTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Every_thread_is_filtered()
    {
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Dictionary<string, Dictionary<string, string>> threads = Threads(engine);
        Assert.All(threads, thread => Assert.True(thread.Value["Seccomp"] == "2" && thread.Value["NoNewPrivs"] == "1", thread.Key));
        foreach (string name in (string[])["io1", "CPU 0/KVM", "CPU 1/KVM"])
        {
            // Linux 5.9 and later tell how many: the process's and the thread's own.
            Assert.Equal("2", threads[name].GetValueOrDefault("Seccomp_filters", "2"));
        }

        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void None_is_filtered_where_that_is_wished()
    {
        using EngineProcess engine = Start("-disable-seccomp");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.All(Threads(engine), thread => Assert.True(thread.Value["Seccomp"] == "0", thread.Key));
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    /// <summary>A debugger puts the call into a thread of the engine that runs: execve, a socket for packets, unlink.</summary>
    [Theory]
    [InlineData("main", 59)]
    [InlineData("main", 62)]
    [InlineData("io1", 41)]
    [InlineData("CPU 0/KVM", 41)]
    [InlineData("CPU 1/KVM", 87)]
    public void Forbidden_call_ends_the_engine_with_its_number_in_the_log(string name, int call)
    {
        using EngineProcess engine = Start("-name", "main");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        string thread = Threads(engine)[name]["Pid"];
        Command.Check(Inject.Value, thread, call.ToString(CultureInfo.InvariantCulture), "0x11", "3", "0xabcdef0123");
        engine.WaitExit(Forbidden, Limit);
        string line = engine.Errors.Utf8().TrimEnd('\n').Split('\n')[^1];
        Assert.Matches($@"^@\d+ error seccomp: the system call {call} \(0x11, 0x3, 0xabcdef0123\) is not allowed to thread '{name}'", line);
    }

    /// <summary>SIGSEGV in the main thread and a vCPU's, which the runtime's handler sees first; SIGABRT.</summary>
    [Theory]
    [InlineData("main", 139)]
    [InlineData("CPU 0/KVM", 139)]
    [InlineData(null, 134)]
    public void Other_ends_are_as_ever(string? name, int code)
    {
        using EngineProcess engine = Start("-name", "main");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        if (name is null)
        {
            Command.Check("kill", "-ABRT", engine.Id.ToString(CultureInfo.InvariantCulture));
        }
        else
        {
            Command.Check(Inject.Value, Threads(engine)[name]["Pid"], "fault");
        }

        engine.WaitExit(code, Limit);
        Assert.DoesNotContain("seccomp", engine.Errors.Utf8(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_needs_a_program_is_refused_while_the_machine_runs()
    {
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        JsonNode refused = qmp.Answer("netdev_add", new JsonObject { ["id"] = "n", ["type"] = "user" });
        Assert.Contains("user networking can't be added while seccomp is on", (string)refused["error"]!["desc"]!, StringComparison.Ordinal);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    /// <summary>Enough answers for several garbage collections, and disks of each kind that come and go.</summary>
    [Fact]
    public void Work_that_comes_late_is_done()
    {
        string disk = TestHost.NewDisk("late.img", 1 << 20);
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        for (int round = 0; round < 200; round++)
        {
            qmp.Call("query-qmp-schema");
        }

        foreach (string aio in (string[])["threads", "io_uring", "off"])
        {
            qmp.Call("blockdev-add", new JsonObject { ["node-name"] = "d", ["aio"] = aio, ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = disk } });
            qmp.Call("device_add", new JsonObject { ["id"] = "d", ["driver"] = "virtio-blk-mmio", ["iothread"] = "io1" });
            qmp.Call("device_del", new JsonObject { ["id"] = "d" });
        }

        for (int round = 0; round < 3; round++)
        {
            qmp.Call("system_reset");
            qmp.WaitEvent("RESET");
            qmp.Call("stop");
            qmp.Call("cont");
        }

        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Character_devices_that_come_late_are_opened_and_go_again()
    {
        string file = TestHost.NewPath("late.log");
        string socket = TestHost.NewPath("late.sock");
        File.WriteAllText(file, "what was there");
        using EngineProcess engine = Start();
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        for (int round = 0; round < 2; round++)
        {
            Add("file", new JsonObject { ["out"] = file });
            Assert.Empty(File.ReadAllText(file));
            Add("socket", new JsonObject { ["addr"] = new JsonObject { ["type"] = "unix", ["data"] = new JsonObject { ["path"] = socket } }, ["server"] = true, ["wait"] = false });
            using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            client.Connect(new UnixDomainSocketEndPoint(socket));
            Add("pty", []);
            Add("stdio", []);
            foreach (string id in (string[])["file", "socket", "pty", "stdio"])
            {
                qmp.Call("chardev-remove", new JsonObject { ["id"] = id });
            }

            Assert.False(File.Exists(socket));
        }

        qmp.Call("quit");
        engine.WaitExit(0, Limit);

        void Add(string type, JsonObject data) =>
            qmp.Call("chardev-add", new JsonObject { ["id"] = type, ["backend"] = new JsonObject { ["type"] = type, ["data"] = data } });
    }

    private EngineProcess Start(params string[] more) => EngineProcess.Start(
        ["-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-smp", "2", "-iothread", "id=io1", "-qmp", $"unix:{_qmp},server,nowait", .. more]);

    /// <summary>What /proc tells of each thread, by its name; of those of one name the main thread.</summary>
    private static Dictionary<string, Dictionary<string, string>> Threads(EngineProcess engine) =>
        Directory.GetDirectories($"/proc/{engine.Id}/task")
            .Select(task => File.ReadLines(Path.Combine(task, "status")).Select(line => line.Split(':', 2)).ToDictionary(line => line[0], line => line[1].Trim(), StringComparer.Ordinal))
            .OrderByDescending(status => status["Pid"] == status["Tgid"])
            .GroupBy(status => status["Name"], StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.First(), StringComparer.Ordinal);
}
