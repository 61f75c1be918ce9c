using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary><c>-daemonize</c>: returns when the machine runs and QMP answers; prints what hinders it, and then nothing is left.</summary>
[Trait("Where", "anywhere")]
public sealed class DaemonTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly string _qmp = TestHost.NewPath("qmp");
    private readonly string _pid = TestHost.NewPath("pid");
    private readonly string _log = TestHost.NewPath("log");

    public DaemonTests()
    {
        TestHost.RequireKvm();
    }

    [Fact]
    public void Returns_when_qmp_answers()
    {
        Command.Result result = Daemonize("-kernel", Payload.Make(PayloadEnd.Halt));
        Assert.True(result is { ExitCode: 0, Output: "", Errors: "" }, $"{result}");

        // No waiting here: the socket answers at once, and the pid file is there.
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        Assert.Equal("running", qmp.Status());
        int pid = int.Parse(File.ReadAllText(_pid), CultureInfo.InvariantCulture);
        string[] stat = File.ReadAllText($"/proc/{pid}/stat").Split(' ');
        Assert.Equal($"{pid}", stat[5]); // the leader of a session of its own
        Assert.Equal("0", stat[6]);      // without a terminal
        foreach (int descriptor in new[] { 0, 1, 2 })
        {
            string target = File.ResolveLinkTarget($"/proc/{pid}/fd/{descriptor}", returnFinalTarget: false)!.FullName;
            Assert.True(target == "/dev/null" || target == _log, $"descriptor {descriptor} is {target}");
        }

        qmp.Call("quit");
        qmp.WaitEnd();
        WaitGone(pid);
        Assert.False(Path.Exists(_pid), "the pid file is left");
        Assert.False(Path.Exists(_qmp), "the socket is left");
    }

    [Theory]
    [InlineData("-smp 255", 1, "1 to 254")]
    [InlineData("-kernel /no/such/kernel", 1, "/no/such/kernel")]
    [InlineData("-kernal x", 2, "-kernal")]
    [InlineData("-drive file=/no/such/disk,id=a", 1, "/no/such/disk")]
    [InlineData("-initrd /no/such/initrd", 1, "/no/such/initrd")]
    [InlineData("-serial unix:/no/such/folder/s,server,nowait", 1, "/no/such/folder/s")]
    [InlineData("-qmp unix:/no/such/folder/s,server,nowait", 1, "/no/such/folder/s")]
    [InlineData("-config /no/such/file", 1, "/no/such/file")]
    public void Error_is_printed_and_nothing_is_left(string words, int code, string text)
    {
        string[] kernel = words.StartsWith("-kernel", StringComparison.Ordinal) ? [] : ["-kernel", Payload.Make(PayloadEnd.Halt)];
        AssertRefused(code, text, [.. kernel, .. words.Split(' ')]);
    }

    [Fact]
    public void Error_of_any_length_is_printed_whole()
    {
        string path = string.Concat(Enumerable.Repeat("/" + new string('é', 126), 16));
        AssertRefused(1, path, "-kernel", path);
    }

    [Theory]
    [InlineData("off")]
    [InlineData("on")]
    public void Descriptors_that_options_name_are_inherited_and_no_others(string sandbox)
    {
        Assert.SkipUnless(sandbox == "off" || Environment.IsPrivilegedProcess, "needs root");
        string disk = TestHost.NewDisk("inherited.img", 1 << 20);
        string other = TestHost.NewDisk("other.img", 1 << 20);

        // The number that the readiness pipe has in the background is one of them.
        Command.Result result = Command.Run(
            Limit, "/bin/sh", "-c", "exec 3<>\"$0\" 5<>\"$1\"; shift; exec \"$@\"", disk, other, TestHost.Engine,
            "-force", "-daemonize", "-D", _log, "-pidfile", _pid, "-qmp", $"unix:{_qmp},server,nowait", "-sandbox", sandbox,
            "-kernel", Payload.Make(PayloadEnd.Halt), "-add-fd", $"fd=3,set=1,opaque={disk},keep=off", "-drive", "file=/dev/fdset/1,id=a");
        Assert.True(result is { ExitCode: 0, Errors: "" }, $"{result}");
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        Assert.Equal(disk, (string?)qmp.Call("query-block")[0]!["inserted"]!["file"]);
        Assert.Equal("[]", qmp.Call("query-fdsets").ToJsonString());
        int pid = int.Parse(File.ReadAllText(_pid), CultureInfo.InvariantCulture);
        string?[] open = [.. Directory.GetFiles($"/proc/{pid}/fd").Select(fd => new FileInfo(fd).LinkTarget)];
        Assert.Single(open, disk);
        Assert.DoesNotContain(other, open);
        qmp.Call("quit");
        qmp.WaitEnd();
        WaitGone(pid);
    }

    [Fact]
    public void Descriptor_that_is_not_open()
    {
        // Nor when it is the number of something of the engine's own.
        for (int fd = 3; fd < 10; fd++)
        {
            Command.Result result = Command.Run(
                Limit, "/bin/sh", "-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"", "sh", TestHost.Engine,
                "-force", "-daemonize", "-D", _log, "-pidfile", _pid, "-kernel", Payload.Make(PayloadEnd.Halt), "-add-fd", $"fd={fd},set=1");
            Assert.Equal(1, result.ExitCode);
            Assert.Contains($"The descriptor {fd} isn't open", result.Errors, StringComparison.Ordinal);
            Assert.False(Path.Exists(_pid), "a pid file is left");
        }
    }

    [Fact]
    public void Readiness_pipe_is_told_too()
    {
        using EngineProcess parent = EngineProcess.Start(
            "-force", "-daemonize", "-D", _log, "-kernel", Payload.Make(PayloadEnd.Halt), "-qmp", $"unix:{_qmp},server,nowait");
        parent.WaitExit(0, Limit);
        Assert.Equal("ok\n", parent.Ready);
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        qmp.Call("quit");
        qmp.WaitEnd();
    }

    [Fact]
    public void Socket_that_exists()
    {
        File.WriteAllText(_qmp, "mine");
        AssertRefused(1, _qmp, "-kernel", Payload.Make(PayloadEnd.Halt));
        Assert.Equal("mine", File.ReadAllText(_qmp));
    }

    [Fact]
    public void Pid_file_that_exists()
    {
        File.WriteAllText(_pid, "1\n");
        Command.Result result = Daemonize("-kernel", Payload.Make(PayloadEnd.Halt));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(_pid, result.Errors, StringComparison.Ordinal);
        Assert.Equal("1\n", File.ReadAllText(_pid));
        Assert.False(Path.Exists(_qmp), "a socket is left");
    }

    [Fact]
    public void Pid_file_of_an_engine_that_runs_and_of_one_that_was_killed()
    {
        Assert.Equal(0, Daemonize("-kernel", Payload.Make(PayloadEnd.Halt)).ExitCode);
        string owner = File.ReadAllText(_pid);
        string socket = TestHost.NewPath("qmp");
        string[] second = ["-force", "-daemonize", "-D", _log, "-pidfile", _pid, "-qmp", $"unix:{socket},server,nowait", "-kernel", Payload.Make(PayloadEnd.Halt)];
        Command.Result refused = Command.Run(Limit, TestHost.Engine, second);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains($"the engine with process id {owner.Trim()} runs and holds it", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(owner, File.ReadAllText(_pid));
        Assert.False(Path.Exists(socket), "a socket is left");
        using (QmpConnection qmp = QmpConnection.Open(_qmp))
        {
            Assert.Equal("running", qmp.Status());
            Command.Check("kill", "-KILL", owner.Trim());
            qmp.WaitEnd();
        }

        WaitGone(int.Parse(owner, CultureInfo.InvariantCulture));
        refused = Command.Run(Limit, TestHost.Engine, second);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains($"process {owner.Trim()} may have been killed, and then it can be removed", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Pid_file_in_no_folder_or_without_room()
    {
        string pid = "/no/such/folder/pid";
        string[] rest = ["-force", "-daemonize", "-qmp", $"unix:{_qmp},server,nowait", "-kernel", Payload.Make(PayloadEnd.Halt), "-pidfile"];
        Command.Result result = Command.Run(Limit, TestHost.Engine, [.. rest, pid]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"'{pid}' can't be made: No such file or directory", result.Errors, StringComparison.Ordinal);

        // No file can grow: the write fails as on a full disk, and what was made is removed.
        result = Command.Run(Limit, "prlimit", ["--fsize=0", "--", TestHost.Engine, .. rest, _pid]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"'{_pid}' can't be written: File too large", result.Errors, StringComparison.Ordinal);
        Assert.False(Path.Exists(_pid) || Path.Exists(_qmp), "something is left");
    }

    [Fact]
    public void Log_on_a_full_disk_does_not_hinder()
    {
        Command.Result result = Command.Run(
            Limit, TestHost.Engine, "-force", "-daemonize", "-D", "/dev/full", "-pidfile", _pid, "-qmp", $"unix:{_qmp},server,nowait", "-kernel", Payload.Make(PayloadEnd.Halt));
        Assert.True(result is { ExitCode: 0, Errors: "" }, $"{result}");
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        Assert.Equal("running", qmp.Status());
        int pid = int.Parse(File.ReadAllText(_pid), CultureInfo.InvariantCulture);
        qmp.Call("quit");
        qmp.WaitEnd();
        WaitGone(pid);
    }

    [Fact]
    public void Engine_that_is_killed_before_its_machine_runs()
    {
        // Both read the configuration: what the parent needs is written once, so the other waits for it until it is killed.
        string fifo = TestHost.NewPath("config");
        Command.Check("mkfifo", fifo);
        using Process parent = Process.Start(new ProcessStartInfo(
            TestHost.Engine, ["-force", "-daemonize", "-D", _log, "-pidfile", _pid, "-qmp", $"unix:{_qmp},server,nowait", "-config", fifo])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        File.WriteAllText(fifo, $$"""{ "boot-source": { "kernel_image_path": "{{Payload.Make(PayloadEnd.Halt)}}" } }""");
        string child = "";
        DateTime end = DateTime.UtcNow + Limit;
        while (child.Length == 0)
        {
            Assert.True(DateTime.UtcNow < end && !parent.HasExited, "no engine goes to the background");
            child = File.ReadAllText($"/proc/{parent.Id}/task/{parent.Id}/children").Trim();
        }

        Command.Check("kill", "-KILL", child);
        string errors = parent.StandardError.ReadToEnd();
        Assert.True(parent.WaitForExit(Limit), "the parent doesn't end");
        Assert.Equal(128 + 9, parent.ExitCode);
        Assert.Contains("ended before its machine ran (signal 9), and said nothing. [EngineDied]", errors, StringComparison.Ordinal);
        Assert.False(Path.Exists(_pid) || Path.Exists(_qmp), "something is left");
    }

    [Fact]
    public void Machine_that_waits_for_cont()
    {
        Assert.Equal(0, Daemonize("-S", "-no-shutdown", "-name", "a name that is longer", "-kernel", Payload.Make(PayloadEnd.PowerOff)).ExitCode);
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        Assert.Equal("prelaunch", qmp.Status());
        int pid = int.Parse(File.ReadAllText(_pid), CultureInfo.InvariantCulture);
        Assert.Equal("a name that is \n", File.ReadAllText($"/proc/{pid}/comm"));
        Assert.Contains("-name\0a name that is longer\0", File.ReadAllText($"/proc/{pid}/cmdline"), StringComparison.Ordinal);
        qmp.Call("cont");
        qmp.WaitEvent("SHUTDOWN");
        Assert.Equal("shutdown", qmp.Status());
        Command.Check("kill", "-TERM", $"{pid}");
        Assert.Equal("host-signal", qmp.WaitEvent("SHUTDOWN")["data"]!["reason"]!.ToString());
        qmp.WaitEnd();
        WaitGone(pid);
        Assert.False(Path.Exists(_pid) || Path.Exists(_qmp), "something is left");
    }

    [Fact]
    public void Without_a_log_what_is_still_to_be_said_is_said_before()
    {
        // The most memory there is: more than the host's, unless that is very large.
        Command.Result result = Command.Run(
            Limit, TestHost.Engine, "-force", "-daemonize", "-kernel", Payload.Make(PayloadEnd.Halt), "-m", "512G", "-pidfile", _pid, "-qmp", $"unix:{_qmp},server,nowait");
        using QmpConnection qmp = QmpConnection.Open(_qmp);
        int pid = int.Parse(File.ReadAllText(_pid), CultureInfo.InvariantCulture);
        qmp.Call("quit");
        qmp.WaitEnd();
        WaitGone(pid);
        Assert.Equal(0, result.ExitCode);
        Assert.Equal(1, result.Errors.Split("-daemonize without -D: later messages are lost").Length - 1);
        if (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes < 500L << 30)
        {
            Assert.Contains("MiB is more than the host's", result.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Log_that_cannot_be_written()
    {
        Command.Result result = Command.Run(Limit, TestHost.Engine, "-force", "-daemonize", "-kernel", Payload.Make(PayloadEnd.Halt), "-D", "/no/such/log");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("/no/such/log", result.Errors, StringComparison.Ordinal);
    }

    private void AssertRefused(int code, string text, params string[] arguments)
    {
        bool hadQmp = Path.Exists(_qmp);
        Command.Result result = Daemonize(arguments);
        Assert.True(result.ExitCode == code, $"{result}");
        Assert.Contains(text, result.Errors, StringComparison.Ordinal);
        Assert.Equal(1, result.Errors.Split(" error ").Length - 1); // told once
        Assert.False(Path.Exists(_pid), "a pid file is left");
        Assert.Equal(hadQmp, Path.Exists(_qmp));
        Assert.DoesNotContain(NothingLeft.Engines(), line => line.Contains(_pid, StringComparison.Ordinal));
    }

    private Command.Result Daemonize(params string[] arguments) =>
        Command.Run(Limit, TestHost.Engine, ["-force", "-daemonize", "-D", _log, "-pidfile", _pid, "-qmp", $"unix:{_qmp},server,nowait", .. arguments]);

    private static void WaitGone(int pid)
    {
        // The connection's end comes a moment before the process's.
        DateTime end = DateTime.UtcNow + Limit;
        while (Directory.Exists($"/proc/{pid}/task"))
        {
            Assert.True(DateTime.UtcNow < end, $"process {pid} is still there");
            System.Threading.Thread.Yield();
        }
    }
}
