using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Strato.Protocol;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>How a machine starts, pauses, resets and ends, by a payload of some bytes that runs on any KVM.</summary>
[Trait("Where", "anywhere")]
public sealed class LifeTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _qmp = TestHost.NewPath("qmp");

    public LifeTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Power_off_ends_with_0_and_an_event()
    {
        using EngineProcess engine = Start(PayloadEnd.PowerOff, "-S");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.Equal("prelaunch", qmp.Status());
        Assert.Equal("", engine.Output.Text());
        qmp.Call("cont");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: true, "guest-shutdown");
        qmp.WaitEnd();
        engine.WaitExit(0, Limit);
        Assert.Equal("hello\n", engine.Output.Text());
        Assert.Equal("ok\n", engine.Ready);
        Assert.False(Path.Exists(_qmp), "the socket is left");
    }

    [Fact]
    public void Power_off_under_no_shutdown_stays_and_a_reset_starts_anew()
    {
        using EngineProcess engine = Start(PayloadEnd.PowerOff, "-S", "-no-shutdown");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        qmp.Call("cont");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: true, "guest-shutdown");
        Assert.Equal("shutdown", qmp.Status());
        Assert.Contains("system_reset and cont", (string?)qmp.Answer("cont")["error"]!["desc"], StringComparison.Ordinal);

        // As QEMU: the reset alone leaves it stopped.
        qmp.Call("system_reset");
        Assert.Equal("paused", qmp.Status());
        Stillness.Assert(engine, qmp, engine.Output);
        qmp.Call("cont");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: true, "guest-shutdown");
        Assert.Equal("shutdown", qmp.Status());
        engine.Output.WaitFor("hello\nhello\n", 0, Limit);
        qmp.Call("quit");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: false, "host-qmp-quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void Reset_while_paused_waits_for_cont()
    {
        // The guest writes and resets without end: it would be heard at once.
        using EngineProcess engine = Start(PayloadEnd.Reset);
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        engine.Output.WaitFor("hello\n", 0, Limit);
        qmp.Call("stop");
        qmp.Call("system_reset");
        Assert.Equal("paused", qmp.Status());
        Stillness.Assert(engine, qmp, engine.Output);
        int from = engine.Output.Length;
        qmp.Call("cont");
        engine.Output.WaitFor("hello\nhello\n", from, Limit);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Fact]
    public void The_most_vcpus_run_and_are_reset()
    {
        const int Count = 254;
        using EngineProcess engine = EngineProcess.Start(
            "-force", "-kernel", Payload.Make(PayloadEnd.Reset, cpus: Count), "-smp", $"{Count}", "-S", "-serial", "stdio", "-qmp", $"unix:{_qmp},server,nowait");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        JsonArray cpus = qmp.Call("query-cpus").AsArray();
        Assert.Equal(Enumerable.Range(0, Count), cpus.Select(cpu => (int)cpu!["CPU"]!));
        Assert.Equal(Enumerable.Range(0, Count), cpus.Select(cpu => (int)cpu!["props"]!["socket-id"]!));
        foreach (JsonNode? cpu in cpus)
        {
            Assert.Equal($"CPU {cpu!["CPU"]}/KVM\n", File.ReadAllText($"/proc/{engine.Id}/task/{cpu["thread_id"]}/comm"));
        }

        // It writes only when all of them have run, each under its APIC id, and again after a reset.
        qmp.Call("cont");
        AssertReason(qmp.WaitEvent("RESET"), guest: true, "guest-reset");
        engine.Output.WaitFor("hello\nhello\n", 0, Limit);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Theory]
    [InlineData(nameof(PayloadEnd.Reset), "guest-reset")]
    [InlineData(nameof(PayloadEnd.TripleFault), "guest-triple-fault")]
    public void Reset_starts_anew(string end, string reason)
    {
        using EngineProcess engine = Start(Enum.Parse<PayloadEnd>(end), "-S");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        qmp.Call("cont");
        for (int i = 0; i < 5; i++)
        {
            AssertReason(qmp.WaitEvent("RESET"), guest: true, reason);
        }

        engine.Output.WaitFor(new Regex("^(hello\n){5}"), 0, Limit);
        qmp.Call("quit");
        engine.WaitExit(0, Limit);
    }

    [Theory]
    [InlineData(nameof(PayloadEnd.Reset), "guest-reset")]
    [InlineData(nameof(PayloadEnd.TripleFault), "guest-triple-fault")]
    public void Reset_under_no_reboot_ends(string end, string reason)
    {
        using EngineProcess engine = Start(Enum.Parse<PayloadEnd>(end), "-S", "-no-reboot");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        qmp.Call("cont");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: true, reason);
        engine.WaitExit(0, Limit);
        Assert.Equal("hello\n", engine.Output.Text());
    }

    [Fact]
    public void Failure_of_kvm_ends_with_3_or_stays_under_no_shutdown()
    {
        Assert.SkipUnless(TestHost.Kvm.ExitCode == 10, "needs a KVM that emulates, and gives up at an instruction that it doesn't know");
        using (EngineProcess engine = Start(PayloadEnd.Unhandled, "-S"))
        {
            using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
            qmp.Call("cont");
            AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: false, "host-error");
            engine.WaitExit(3, Limit);
            Assert.Contains("CPU 0 at RIP 0x1000", engine.Errors.Text(), StringComparison.Ordinal);
            Assert.Equal(EngineLog.HostError, EngineLog.FindEnd(engine.Errors.Text().TrimEnd().Split('\n')[^1]));
        }

        using EngineProcess stays = Start(PayloadEnd.Unhandled, "-S", "-no-shutdown");
        using QmpConnection second = QmpConnection.Open(_qmp, stays);
        second.Call("cont");
        second.WaitEvent("STOP");
        Assert.Equal("internal-error", second.Status());
        Assert.NotNull(second.Answer("cont")["error"]);
        second.Call("system_reset");
        Assert.Equal("paused", second.Status());
        second.Call("quit");
        stays.WaitExit(0, Limit);
    }

    [Fact]
    public void Signal_ends_in_order()
    {
        using EngineProcess engine = Start(PayloadEnd.Halt);
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        engine.Output.WaitFor("hello\n", 0, Limit);
        Command.Check("kill", "-TERM", $"{engine.Id}");
        AssertReason(qmp.WaitEvent("SHUTDOWN"), guest: false, "host-signal");
        engine.WaitExit(0, Limit);
        Assert.False(Path.Exists(_qmp), "the socket is left");
    }

    [Fact]
    public void Ctrl_c_at_a_terminal_is_the_guests()
    {
        string path = Payload.Make(PayloadEnd.Echo);
        ProcessStartInfo start = new("script", ["-q", "-e", "-c", $"exec {TestHost.Engine} -force -kernel {path} -serial stdio", "/dev/null"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        Command.MarkRun(start);
        using Process terminal = Process.Start(start)!;
        ByteLog output = new("the terminal", terminal.StandardOutput.BaseStream);
        output.WaitFor("hello\r\n", 0, Limit);
        terminal.StandardInput.Write("a\u0003b");
        terminal.StandardInput.Flush();
        output.WaitFor("a\u0003b", 0, Limit);
        terminal.StandardInput.Write('q');
        terminal.StandardInput.Flush();
        Assert.True(terminal.WaitForExit(Limit), "the guest didn't power off");
        Assert.Equal(0, terminal.ExitCode);
        Assert.Contains("end (guest-shutdown)", output.Text(), StringComparison.Ordinal);
    }

    [Fact]
    public void Configuration_file_starts_a_machine_and_the_command_line_wins()
    {
        string path = TestHost.NewPath("vm.json");
        JsonObject json = new()
        {
            ["boot-source"] = new JsonObject { ["kernel_image_path"] = Payload.Make(PayloadEnd.PowerOff, "from the file\n"), ["boot_args"] = "quiet" },
            ["machine-config"] = new JsonObject { ["type"] = "MicroVm", ["vcpu_count"] = 200, ["mem_size"] = 268435456 },
            ["drive"] = new JsonArray(new JsonObject { ["drive_id"] = "d", ["path_on_host"] = TestHost.NewDisk("d.img", 4096), ["read_only"] = true }),
        };
        File.WriteAllText(path, json.ToJsonString());
        using EngineProcess engine = EngineProcess.Start("-force", "-config", path, "-smp", "2", "-serial", "stdio", "-S", "-qmp", $"unix:{_qmp},server,nowait");
        using QmpConnection qmp = QmpConnection.Open(_qmp, engine);
        Assert.Equal(2, qmp.Call("query-cpus").AsArray().Count);
        Assert.Single(qmp.Call("query-block").AsArray());
        qmp.Call("cont");
        engine.WaitExit(0, Limit);
        Assert.Equal("from the file\n", engine.Output.Text());
    }

    [Fact]
    public void Drive_that_is_locked_is_refused_but_read_only_twice_is_not()
    {
        string disk = TestHost.NewDisk("disk.img", 1 << 20);
        using EngineProcess first = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", "-drive", $"file={disk},id=a");
        first.Output.WaitFor("hello\n", 0, Limit);
        foreach (string mode in new[] { "off", "on" })
        {
            using EngineProcess second = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-drive", $"file={disk},id=b,readonly={mode}");
            EngineError error = second.WaitError();
            Assert.Equal("DriveLocked", error.Id);
            Assert.Contains(disk, error.Message, StringComparison.Ordinal);
            Assert.Contains(mode == "on" ? "so it can't be opened read-only; allowed are" : "so it can't be opened for writing; allowed are", error.Message, StringComparison.Ordinal);
        }

        // A process that is killed leaves no lock.
        first.Kill();
        using EngineProcess third = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", "-drive", $"file={disk},id=b,readonly=on");
        third.Output.WaitFor("hello\n", 0, Limit);
        using EngineProcess fourth = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-serial", "stdio", "-drive", $"file={disk},id=b,readonly=on");
        fourth.Output.WaitFor("hello\n", 0, Limit);
        using EngineProcess writer = EngineProcess.Start("-force", "-kernel", Payload.Make(PayloadEnd.Halt), "-drive", $"file={disk},id=b");
        Assert.Equal("DriveLocked", writer.WaitError().Id);
    }

    private EngineProcess Start(PayloadEnd end, params string[] more) =>
        EngineProcess.Start(["-force", "-kernel", Payload.Make(end), "-serial", "stdio", "-qmp", $"unix:{_qmp},server,nowait", .. more]);

    private static void AssertReason(JsonNode @event, bool guest, string reason)
    {
        Assert.Equal(reason, (string?)@event["data"]!["reason"]);
        Assert.Equal(guest, (bool)@event["data"]!["guest"]!);
        Assert.InRange((long)@event["timestamp"]!["seconds"]!, 1_600_000_000, 10_000_000_000);
        Assert.InRange((long)@event["timestamp"]!["microseconds"]!, 0, 999_999);
    }
}
