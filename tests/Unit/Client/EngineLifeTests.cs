using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>Starting, watching and ending engines, with processes that stand in for them.</summary>
public sealed class EngineLifeTests : IDisposable
{
    private const int SIGSTOP = 19;
    private readonly ClientFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    private StratoClient Client => _fixture.Client;

    [Fact]
    public void AVmStartsRunsAndPowersDown()
    {
        VmInfo vm = _fixture.Start();
        Assert.Equal((VmState.Running, null, 512L << 20), (vm.State, vm.StateReason, vm.MemoryAssigned));
        Assert.True(vm.ProcessId > 1 && vm.MemoryResident > 0 && vm.Uptime < TimeSpan.FromMinutes(5));
        Assert.InRange(vm.CpuUsage ?? 0, 0, 100);
        string runtime = _fixture.Paths.RuntimeDirectory(vm.Id);
        Assert.Equal($"{vm.ProcessId}", File.ReadLines(Path.Combine(runtime, "pid")).First());
        foreach (string folder in (string[])[runtime, _fixture.Paths.RuntimeRoot])
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        }

        Assert.Contains("running already", ClientFixture.Fails("VmRunning", () => Client.Start(vm.Id)).Message, StringComparison.Ordinal);
        ClientFixture.Fails("VmRunning", () => Client.Delete(vm.Id));
        ClientFixture.Fails("VmRunning", () => Client.Update(vm.Id, new VmSettings { Memory = 1L << 30 }));
        Assert.Equal("renamed", Client.Update(vm.Id, new VmSettings { Name = "renamed", Notes = "n" }).Name);

        VmInfo stopped = Client.Stop(vm.Id, null, _fixture.Token);
        Assert.Equal((VmState.Stopped, null, null, 0L), (stopped.State, stopped.StateReason, stopped.ProcessId, stopped.MemoryAssigned));
        Assert.False(Directory.Exists(runtime));
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, null, _fixture.Token).State);
        Client.Delete(vm.Id);
        Assert.Empty(Client.List().Definitions);
    }

    [Fact]
    public void PausingAndResumingShow()
    {
        VmInfo vm = Client.Start(_fixture.Create().Id, new StartOptions { Paused = true }, _fixture.Token);
        Assert.Equal(VmState.Paused, vm.State);
        Assert.Equal(VmState.Running, Client.Resume(vm.Id, _fixture.Token).State);
        Assert.Equal(VmState.Paused, Client.Suspend(vm.Id, _fixture.Token).State);
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, null, _fixture.Token).State);
        Assert.Contains("stopped", ClientFixture.Fails("VmNotRunning", () => Client.Suspend(vm.Id)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ResetKeepsTheEngineAndRebootTakesANewOne()
    {
        VmInfo vm = _fixture.Start();
        Assert.Equal(vm.ProcessId, Client.Restart(vm.Id, RestartKind.Reset, null, _fixture.Token).ProcessId);
        VmInfo again = Client.Restart(vm.Id, RestartKind.Reboot, null, _fixture.Token);
        Assert.Equal(VmState.Running, again.State);
        Assert.NotEqual(vm.ProcessId, again.ProcessId);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ARebootForcesWhatTheStartForced(bool force)
    {
        VmInfo vm = Client.Start(_fixture.Create().Id, new StartOptions { Force = force }, _fixture.Token);
        for (int round = 0; round < 2; round++)
        {
            VmInfo again = Client.Restart(vm.Id, RestartKind.Reboot, null, _fixture.Token);
            Assert.Equal(force, Procfs.ReadText($"/proc/{again.ProcessId}/cmdline")!.Split('\0').Contains("-force"));
        }
    }

    [Fact]
    public void AGuestThatDoesNotObeyIsToldAndTurnedOffWhenAsked()
    {
        VmInfo vm = _fixture.Start(commandLine: "deaf");
        StratoException error = ClientFixture.Fails("StopTimeout", () => Client.Stop(vm.Id, new StopOptions { Timeout = TimeSpan.FromMilliseconds(100) }, _fixture.Token));
        Assert.Contains("0.1 seconds", error.Message, StringComparison.Ordinal);
        Assert.Contains("-TurnOffAfter ends it after", error.RecommendedAction!, StringComparison.Ordinal);
        using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(100));
        Assert.ThrowsAny<OperationCanceledException>(() => Client.Stop(vm.Id, null, cancel.Token));
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Running, "running");
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, new StopOptions { TurnOffAfter = TimeSpan.FromMilliseconds(100) }, _fixture.Token).State);
    }

    [Fact]
    public void AKilledEngineShowsAsStoppedWithTheReasonAndStartsAgain()
    {
        VmInfo vm = _fixture.Start();
        ClientFixture.Signal(vm.ProcessId!.Value, Libc.SIGKILL);
        ClientFixture.Until(() => Client.Snapshot(vm.Id).StateReason?.Contains("signal 9 (SIGKILL)", StringComparison.Ordinal) == true, "stopped with the signal as the reason");
        Assert.Equal(VmState.Stopped, Client.Snapshot(vm.Id).State);
        Assert.Contains("signal 9", Client.Snapshot(vm.Id).Status, StringComparison.Ordinal);

        // Where nobody saw it end, what it left behind tells.
        File.Delete(_fixture.Paths.ExitFile(vm.Id));
        Assert.Contains("is gone", Client.Snapshot(vm.Id).StateReason!, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "qmp.sock")));

        VmInfo again = Client.Start(vm.Id, null, _fixture.Token);
        Assert.Equal((VmState.Running, null), (again.State, again.StateReason));
    }

    [Theory]
    [InlineData("spawned")]
    [InlineData("bound")]
    [InlineData("serving")]
    [InlineData("ready")]
    [InlineData("stopping")]
    [InlineData("resetting")]
    public void WhateverItDoesAnEngineThatIsKilledLeavesAVmThatStartsAgain(string moment)
    {
        string go = Path.Combine(_fixture.Root, "go");
        VmDefinition vm = _fixture.Create(commandLine: moment == "stopping" ? "deaf" : moment is "spawned" or "bound" ? $"slow={go}" : "quiet");
        string runtime = _fixture.Paths.RuntimeDirectory(vm.Id);
        int Connections() => Regex.Count(Procfs.ReadText("/proc/net/unix")!, Regex.Escape(runtime));
        Thread shell = new(() => Record.Exception(() =>
        {
            Client.Start(vm.Id, null, _fixture.Token);
            if (moment == "stopping")
            {
                Client.Stop(vm.Id, null, _fixture.Token);
            }

            while (moment == "resetting")
            {
                Client.Restart(vm.Id, RestartKind.Reset, null, _fixture.Token);
            }
        }));
        shell.Start();
        RunRecord? run = null;
        ClientFixture.Until(
            () => (run = RunRecord.TryRead(_fixture.Paths.RunFile(vm.Id))) is not null && moment switch
            {
                "spawned" => true,
                "bound" => File.Exists(run.ConsoleSocket),
                "serving" => File.Exists(run.QmpSocket),
                "ready" => run.Ready,

                // The listeners are two.
                _ => run.Ready && Connections() > 2,
            },
            moment);
        ClientFixture.Signal(run!.Pid, Libc.SIGKILL);
        shell.Join();
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "the engine's end");
        Assert.Matches("SIGKILL|unexpectedly", Client.Snapshot(vm.Id).StateReason);

        File.WriteAllText(go, "");
        Client.Start(vm.Id, null, _fixture.Token);
        ClientFixture.Until(() => Client.Snapshot(vm.Id) is { State: VmState.Running, StateReason: null }, "running without a reason not to");
    }

    [Fact]
    public void AVmThatAnotherShellStartsIsStoppedOnceItCanBeAsked()
    {
        string go = Path.Combine(_fixture.Root, "go");
        VmDefinition vm = _fixture.Create(commandLine: $"slow={go}");
        Thread shell = new(() => Client.Start(vm.Id, null, _fixture.Token));
        shell.Start();
        ClientFixture.Until(() => File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "console.sock")), "the console's socket");
        StopOptions brief = new() { Timeout = TimeSpan.FromMilliseconds(50) };
        Assert.Contains("was not ready within 0.05 seconds", ClientFixture.Fails("WaitTimeout", () => Client.Stop(vm.Id, brief)).Message, StringComparison.Ordinal);
        Thread stop = new(() => Client.Stop(vm.Id, null, _fixture.Token));
        stop.Start();
        File.WriteAllText(go, "");
        stop.Join();
        shell.Join();
        VmInfo stopped = Client.Snapshot(vm.Id);
        Assert.Equal((VmState.Stopped, null), (stopped.State, stopped.StateReason));
    }

    [Fact]
    public void AVmThatIsNeverReadyIsTurnedOffWhenAsked()
    {
        VmDefinition vm = _fixture.Create(commandLine: "slow=/nowhere");
        Exception? failure = null;
        Thread shell = new(() => failure = Record.Exception(() => Client.Start(vm.Id, null, _fixture.Token)));
        shell.Start();
        ClientFixture.Until(() => File.Exists(Path.Combine(_fixture.Paths.RuntimeDirectory(vm.Id), "console.sock")), "the console's socket");
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, new StopOptions { TurnOffAfter = TimeSpan.FromMilliseconds(50) }, _fixture.Token).State);
        shell.Join();
        Assert.Equal("EngineFailed", Assert.IsType<StratoException>(failure).Id);
    }

    [Fact]
    public void AnEngineOfALongLivedShellLeavesNoZombie()
    {
        VmInfo vm = _fixture.Start();
        int pid = vm.ProcessId!.Value;
        Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);
        ClientFixture.Until(() => !Directory.Exists($"/proc/{pid}"), "the process entry's end");
    }

    [Fact]
    public void ChildrenOfTheProcessClassAreUnharmed()
    {
        // .NET's own SIGCHLD handling and our waiting must not take each other's children.
        for (int i = 0; i < 5; i++)
        {
            VmInfo vm = _fixture.Start($"vm{i}");
            using Process child = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exit 7"]))!;
            Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);
            child.WaitForExit();
            Assert.Equal(7, child.ExitCode);
            ClientFixture.Until(() => !Directory.Exists($"/proc/{vm.ProcessId}"), "the process entry's end");
        }
    }

    [Fact]
    public void AStoppedEngineIsUnresponsiveWithinASecondAndCanBeTurnedOff()
    {
        VmInfo vm = _fixture.Start();
        ClientFixture.Signal(vm.ProcessId!.Value, SIGSTOP);
        ClientFixture.Until(() => Procfs.TryReadStat(vm.ProcessId!.Value)?.State == 'T', "SIGSTOP");
        long start = Stopwatch.GetTimestamp();
        VmInfo frozen = Client.Snapshot(vm.Id);
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        Assert.Equal(VmState.Unresponsive, frozen.State);
        Assert.Contains("kill -CONT", frozen.StateReason!, StringComparison.Ordinal);

        // The limit is the client's promise; what this machine takes besides is not.
        Assert.InRange(StratoClient.StatusLimit.TotalSeconds, 0.5, 0.85);
        Assert.InRange(took.TotalSeconds, StratoClient.StatusLimit.TotalSeconds - 0.05, 3);
        WaitOptions never = new() { Match = new Regex("never") };
        foreach ((string id, Action action) in (ReadOnlySpan<(string, Action)>)[
            ("QmpTimeout", () => Client.Suspend(vm.Id)),
            ("QmpTimeout", () => Client.Resume(vm.Id)),
            ("QmpTimeout", () => Client.Restart(vm.Id, RestartKind.Reset)),
            ("QmpTimeout", () => Client.InvokeQmp(vm.Id, "query-status")),
            ("QmpTimeout", () => Client.Wait(vm.Id, WaitTarget.Paused)),
            ("QmpTimeout", () => Client.Stop(vm.Id)),
            ("ConsoleTimeout", () => Client.Wait(vm.Id, WaitTarget.Console, never)),
            ("ConsoleTimeout", () => Client.SendConsole(vm.Id, "x")),
            ("ConsoleTimeout", () => Client.OpenConsole(vm.Id, ConsoleStart.Now)),
            ("ConsoleTimeout", () => Client.EnterConsole(vm.Id))])
        {
            StratoException error = ClientFixture.Fails(id, action);
            Assert.Contains("'web'", error.Message, StringComparison.Ordinal);
            Assert.Equal($"The engine was stopped by a signal; kill -CONT {vm.ProcessId} lets it go on. Stop-StratoVm 'web' -TurnOff ends it all the same.", error.RecommendedAction);
        }

        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token).State);
    }

    [Fact]
    public void ManyUnresponsiveEnginesTakeOneSecondTogether()
    {
        List<VmDefinition> vms = [];
        for (int i = 0; i < 3; i++)
        {
            VmInfo vm = _fixture.Start($"vm{i}");
            ClientFixture.Signal(vm.ProcessId!.Value, SIGSTOP);
            vms.Add(vm.Definition);
        }

        VmInfo well = _fixture.Start("well");
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<VmInfo> infos = Client.Snapshot([.. vms, well.Definition], _fixture.Token);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, StratoClient.StatusLimit.TotalSeconds - 0.05, 2);
        Assert.Equal([VmState.Unresponsive, VmState.Unresponsive, VmState.Unresponsive, VmState.Running], infos.Select(i => i.State));
    }

    [Fact]
    public void AnErrorOfTheEngineReachesTheUserAndNothingIsLeft()
    {
        VmDefinition vm = _fixture.Create(commandLine: "fail");
        StratoException error = ClientFixture.Fails("KernelNotFound", () => Client.Start(vm.Id));
        Assert.Equal(("The kernel is not there.", "-kernel", "web", StratoErrorKind.NotFound), (error.Message, error.Where, error.VmName, error.Kind));
        AssertNothingLeft(vm);
    }

    [Fact]
    public void AnEngineThatDiesSilentlyIsReportedWithItsLastWords()
    {
        VmDefinition vm = _fixture.Create(commandLine: "crash");
        StratoException error = ClientFixture.Fails("EngineFailed", () => Client.Start(vm.Id));
        Assert.Contains("exit code 3", error.Message, StringComparison.Ordinal);
        Assert.Contains("the guest fell over", error.Message, StringComparison.Ordinal);
        Assert.Contains("exit code 3", Client.Snapshot(vm.Id).StateReason!, StringComparison.Ordinal);
        AssertNothingLeft(vm, record: true);
    }

    [Fact]
    public void AnEngineThatIsNeverReadyIsEndedAtTheTimeLimitAndOnCancellation()
    {
        VmDefinition vm = _fixture.Create(commandLine: "mute");
        StratoException error = ClientFixture.Fails("StartTimeout", () => Client.Start(vm.Id, new StartOptions { Timeout = TimeSpan.FromMilliseconds(300) }));
        Assert.Contains("0.3 seconds", error.Message, StringComparison.Ordinal);
        AssertNothingLeft(vm);

        using CancellationTokenSource cancel = new();
        Exception? thrown = null;
        Thread starter = new(() => thrown = Record.Exception(() => Client.Start(vm.Id, null, cancel.Token)));
        starter.Start();
        ClientFixture.Until(() => RunRecord.TryRead(_fixture.Paths.RunFile(vm.Id)) is not null, "the engine's process");
        Assert.Equal(VmState.Starting, Client.Snapshot(vm.Id).State);
        Assert.Contains("started or changed", ClientFixture.Fails("VmBusy", () => Client.Start(vm.Id, new StartOptions { Timeout = TimeSpan.FromMilliseconds(50) })).Message, StringComparison.Ordinal);
        cancel.Cancel();
        starter.Join();
        Assert.IsAssignableFrom<OperationCanceledException>(thrown);
        AssertNothingLeft(vm);
    }

    [Fact]
    public void AStartThatWasCancelledBeforehandTouchesNothing()
    {
        VmInfo vm = _fixture.Start();
        Client.Stop(vm.Id, null, _fixture.Token);
        string console = File.ReadAllText(vm.ConsoleLogPath);
        Assert.ThrowsAny<OperationCanceledException>(() => Client.Start(vm.Id, null, new CancellationToken(canceled: true)));
        AssertNothingLeft(vm.Definition);
        Assert.Equal(console, File.ReadAllText(vm.ConsoleLogPath));
    }

    [Theory]
    [InlineData("exec sleep 1000", "StartTimeout", "not ready after 1 seconds")]
    [InlineData("printf o >&3; exec sleep 1000", "StartTimeout", "not ready after 1 seconds")]
    [InlineData("trap '' TERM INT HUP; exec sleep 1000", "StartTimeout", "not ready after 1 seconds")]
    [InlineData("exec 3>&-; exec sleep 1000", "EngineFailed", "closed its readiness pipe without a word")]
    [InlineData("printf o >&3; exec 3>&-; exec sleep 1000", "EngineFailed", "said 'o' instead of ok")]
    [InlineData("echo nonsense >&3; exec sleep 1000", "EngineFailed", "said 'nonsense' instead of ok")]
    [InlineData("head -c 100000 /dev/zero | tr '\\0' x >&3; exec sleep 1000", "EngineFailed", "xxx…' instead of ok")]
    [InlineData("exit 0", "EngineFailed", "exit code 0 (no error)")]
    [InlineData("printf o >&3; exit 0", "EngineFailed", "exit code 0 (no error)")]
    [InlineData("echo why >&2; kill -TERM $$", "EngineFailed", "signal 15 (SIGTERM) before it was ready; its log")]
    public void AnEngineThatMisbehavesBeforeItIsReadyIsEndedReapedAndNamed(string script, string id, string says)
    {
        _fixture.UseEngineScript($"echo $$ > \"$0.pid\"; {script}");
        VmDefinition vm = _fixture.Create();
        StratoException error = ClientFixture.Fails(id, () => Client.Start(vm.Id, new StartOptions { Timeout = TimeSpan.FromSeconds(1) }, _fixture.Token));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.InRange(error.Message.Length, 1, 1000);
        Assert.Equal("web", error.VmName);

        // Not even a zombie is left.
        Assert.False(Directory.Exists($"/proc/{File.ReadAllText(_fixture.Engine + ".pid").Trim()}"));
        AssertNothingLeft(vm, record: says.Contains("exit code", StringComparison.Ordinal) || says.Contains("signal", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_fixture.Paths.RuntimeRoot));
    }

    [Fact]
    public void AnEngineThatCanNotBeSpawnedLeavesNothing()
    {
        _fixture.UseEngineScript("");
        File.WriteAllText(_fixture.Engine, "\u007fELF nonsense");
        VmDefinition vm = _fixture.Create();
        ClientFixture.Fails("EngineStartFailed", () => Client.Start(vm.Id));
        AssertNothingLeft(vm);
    }

    [Fact]
    public void AnEngineThatCanNotBeNotedDownIsEndedAndTheStoreNamed()
    {
        _fixture.UseEngineScript("echo $$ > \"$0.pid\"; exec sleep 1000");
        VmDefinition vm = _fixture.Create();
        Directory.CreateDirectory(_fixture.Paths.RunFile(vm.Id));
        StratoException error = ClientFixture.Fails("StoreNotWritable", () => Client.Start(vm.Id, null, _fixture.Token));
        Assert.Contains(_fixture.Paths.StateRoot, error.Message, StringComparison.Ordinal);
        AssertNothingLeft(vm);
        if (File.Exists(_fixture.Engine + ".pid"))
        {
            Assert.False(Directory.Exists($"/proc/{File.ReadAllText(_fixture.Engine + ".pid").Trim()}"));
        }
    }

    [Fact]
    public void AnEngineThatCanNotBeHeldIsEndedAndNothingIsLeft()
    {
        VmDefinition vm = _fixture.Create();
        string output = RunShell(FakeEngine.StarterCommand(_fixture.Paths, _fixture.Engine, vm.Id, withoutPidfds: true));
        Assert.Matches(@"^PidfdFailed: pidfd_open\(\d+\): Too many open files\.\n$", output);

        // Its log tells that it was spawned.
        Assert.True(File.Exists(_fixture.Paths.EngineLog(vm.Id)));
        AssertNothingLeft(vm);
        Assert.Equal(VmState.Running, Client.Start(vm.Id, null, _fixture.Token).State);
    }

    [Fact]
    public void WhatAShellLeftThatDiedWhileItWroteThePidIsRemoved()
    {
        VmInfo vm = _fixture.Start();
        string runtime = _fixture.Paths.RuntimeDirectory(vm.Id);
        File.WriteAllText(Path.Combine(runtime, ".tmp-pid-1-0"), "");
        Client.Stop(vm.Id, null, _fixture.Token);
        Assert.False(Directory.Exists(runtime));
    }

    [Fact]
    public void TwoShellsStartOneEngine()
    {
        VmDefinition vm = _fixture.Create();
        List<Exception?> outcomes = [];
        Thread[] shells = [.. Enumerable.Range(0, 3).Select(_ => new Thread(() =>
        {
            Exception? outcome = Record.Exception(() => new StratoClient(_fixture.Paths, _fixture.Engine).Start(vm.Id));
            lock (outcomes)
            {
                outcomes.Add(outcome);
            }
        }))];
        Array.ForEach(shells, s => s.Start());
        Array.ForEach(shells, s => s.Join());
        Assert.Single(outcomes, o => o is null);
        Assert.Equal(2, outcomes.Count(o => o is StratoException { Id: "VmRunning" }));
    }

    [Fact]
    public void TheShellThatStartsAVmEndsAtOnceAndItsPipeToo()
    {
        VmDefinition vm = _fixture.Create();
        string output = RunShell(FakeEngine.StarterCommand(_fixture.Paths, _fixture.Engine, vm.Id) + " | cat");

        // On a busy machine an engine may answer too late for one look.
        Match match = Regex.Match(output, @"^(?:Running|Unresponsive) (\d+)\n$");
        Assert.True(match.Success, output);
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Running, "its answer");
        VmInfo running = Client.Snapshot(vm.Id);
        Assert.Equal(match.Groups[1].Value, $"{running.ProcessId}");

        // Nobody of ours is its parent now, so nobody sees how it ends.
        ClientFixture.Signal(running.ProcessId!.Value, Libc.SIGKILL);
        ClientFixture.Until(() => Client.Snapshot(vm.Id).State == VmState.Stopped, "its end");
        Assert.Contains("ended unexpectedly", Client.Snapshot(vm.Id).StateReason!, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEngineWithoutARecordIsFoundByItsSocket()
    {
        // As when the shell is killed between starting the engine and noting its pid.
        VmInfo vm = _fixture.Start();
        File.Delete(_fixture.Paths.RunFile(vm.Id));
        VmInfo found = Client.Snapshot(vm.Id);
        Assert.Equal((VmState.Running, vm.ProcessId), (found.State, found.ProcessId));
        ClientFixture.Fails("VmRunning", () => Client.Start(vm.Id));
        Assert.Equal(VmState.Stopped, Client.Stop(vm.Id, null, _fixture.Token).State);
    }

    [Fact]
    public void AShellWithAnotherRuntimeFolderFindsTheEngineToo()
    {
        VmInfo vm = _fixture.Start();
        StratoClient other = new(new StratoPaths(_fixture.Paths.StateRoot, Path.Combine(_fixture.Root, "elsewhere")));
        Assert.Equal(VmState.Running, other.Snapshot(vm.Id).State);
        Assert.Equal(VmState.Stopped, other.Stop(vm.Id, null, _fixture.Token).State);
    }

    [Fact]
    public void QmpErrorsKeepTheirClass()
    {
        VmInfo vm = _fixture.Start();
        StratoException error = ClientFixture.Fails("QmpCommandNotFound", () => Client.InvokeQmp(vm.Id, "no-such"));
        Assert.Equal(("The command no-such has not been found", "no-such"), (error.Message, error.Where));
        Assert.Equal("running", Client.InvokeQmp(vm.Id, "query-status").GetProperty("status").GetString());
        using QmpConnection qmp = Client.OpenQmp(vm.Id);
        Client.Suspend(vm.Id);
        QmpEvent stop = qmp.ReadEvent(TimeSpan.FromSeconds(10), _fixture.Token)!;
        Assert.Equal(("STOP", 1583908726L), (stop.Name, stop.Timestamp.ToUnixTimeSeconds()));
        Assert.Null(qmp.ReadEvent(TimeSpan.FromMilliseconds(20), _fixture.Token));
        Client.Stop(vm.Id, new StopOptions { TurnOff = true }, _fixture.Token);
        ClientFixture.Fails("QmpDisconnected", () =>
        {
            while (qmp.ReadEvent(null, _fixture.Token) is not null)
            {
                // RESUME and SHUTDOWN may come first.
            }
        });
    }

    private static string RunShell(string script)
    {
        using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = shell.StandardOutput.ReadToEnd();
        Assert.True(shell.WaitForExit(20_000));
        return output;
    }

    /// <param name="vm">Whose engine has ended.</param>
    /// <param name="record">Whether the record of its run stays, which tells why.</param>
    private void AssertNothingLeft(VmDefinition vm, bool record = false)
    {
        Assert.Equal(VmState.Stopped, Client.Snapshot(vm.Id).State);
        Assert.False(Directory.Exists(_fixture.Paths.RuntimeDirectory(vm.Id)));
        Assert.Equal(record, File.Exists(_fixture.Paths.RunFile(vm.Id)));
        foreach (string process in Directory.EnumerateDirectories("/proc").Where(p => char.IsAsciiDigit(p[6])))
        {
            Assert.DoesNotContain(_fixture.Paths.RuntimeDirectory(vm.Id), Procfs.ReadText($"{process}/cmdline") ?? "", StringComparison.Ordinal);
        }
    }
}
