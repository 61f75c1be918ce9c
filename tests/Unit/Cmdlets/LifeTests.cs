using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Start-, Stop-, Suspend-, Resume-, Restart- and Wait-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class LifeTests : CmdletTests
{
    [Fact]
    public void AVmGoesThroughItsLifeSilently()
    {
        New();
        foreach ((string verb, string state) in (ReadOnlySpan<(string, string)>)
            [("Start", "Running"), ("Suspend", "Paused"), ("Resume", "Running"), ("Restart", "Running"), ("Stop", "Stopped")])
        {
            Assert.Empty(Run(new Step($"{verb}-StratoVm", "web")).Output);
            Assert.Equal(state, State("web"));
        }
    }

    [Fact]
    public void PassThruEmitsTheVmAsItIsThen()
    {
        Vm vm = Start();
        Assert.Equal(("Running", true, 512L << 20), (vm.State, vm.ProcessId > 0, vm.MemoryAssigned));
        Assert.Equal("Paused", Run(new Step("Suspend-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
        Vm stopped = Run(new Step("Get-StratoVm"), new Step("Resume-StratoVm").Switch("PassThru"), new Step("Stop-StratoVm").Switch("PassThru")).Single<Vm>();
        Assert.Equal(("Stopped", null), (stopped.State, stopped.ProcessId));
    }

    [Fact]
    public void SeveralStartAndStopAtOnceInOrder()
    {
        string[] names = ["a", "b", "c", "d", "e"];
        HostResult result = Run(new Step("Start-StratoVm").With("Name", names.Select(name => New(name).Name).Reverse().ToArray()).With("ThrottleLimit", 2).Switch("PassThru"));
        Assert.Equal(names.Reverse(), result.Of<Vm>().Select(vm => vm.Name));
        Assert.All(result.Of<Vm>(), vm => Assert.Equal("Running", vm.State));
        Assert.Equal(names, Run(new Step("Get-StratoVm"), new Step("Stop-StratoVm").Switch("TurnOff", "PassThru")).Of<Vm>().Select(vm => vm.Name));
    }

    [Fact]
    public void OneThatFailsLeavesTheOthersAlone()
    {
        New("a");
        New("bad", "fail");
        New("z");
        HostResult result = Host.Invoke(new Step("Start-StratoVm", "*").Switch("PassThru"));
        AssertError(Assert.Single(result.Errors), "KernelNotFound", ErrorCategory.ObjectNotFound, "bad");
        Assert.Equal(["a", "z"], result.Of<Vm>().Select(vm => vm.Name));
        Assert.Equal("Stopped", State("bad"));
    }

    [Fact]
    public void StartingARunningVmIsAWarning()
    {
        Start();
        HostResult result = Run(new Step("Start-StratoVm", "web").Switch("PassThru"));
        Assert.Equal("The VM 'web' is Running already.", Assert.Single(result.Warnings));
        Assert.Equal("Running", result.Single<Vm>().State);
    }

    [Fact]
    public async Task WhoComesSecondOfTwoThatStartAVmIsWarned()
    {
        VmDefinition vm = Store.Client.GetById(New().Id);
        using ManualResetEventSlim waits = new();
        Host.OnProgress = _ => waits.Set();
        Task<HostResult> second;
        using (new VmStore(Store.Paths).Lock(vm.Id, Store.Token))
        {
            second = Task.Run(() => Host.Invoke(new Step("Start-StratoVm", "web").Switch("PassThru")), Store.Token);
            waits.Wait(Store.Token);
            new EngineLauncher(Store.Paths, new EngineRegistry(Store.Paths)).Launch(vm, Store.Engine, new StartOptions(), Store.Token);
        }

        HostResult result = await second;
        Assert.Empty(result.Errors);
        Assert.Equal("The VM 'web' is Running already.", Assert.Single(result.Warnings));
        Assert.Equal("Running", result.Single<Vm>().State);
    }

    [Fact]
    public void StartPausedWaitsForResume()
    {
        New();
        Assert.Equal("Paused", Run(new Step("Start-StratoVm", "web").Switch("Paused", "PassThru")).Single<Vm>().State);
        Assert.Equal("Running", Run(new Step("Resume-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
    }

    [Fact]
    public void WhatIfDoesNothing()
    {
        New();
        Assert.Equal(["Start: web"], Run(new Step("Start-StratoVm", "web").Switch("WhatIf")).ShouldProcess);
        Assert.Equal("Stopped", State("web"));
        Run(new Step("Start-StratoVm", "web"));
        foreach (Step step in (Step[])[new("Stop-StratoVm", "web"), new("Suspend-StratoVm", "web"), new("Restart-StratoVm", "web")])
        {
            Assert.Single(Run(step.Switch("WhatIf")).ShouldProcess);
            Assert.Equal("Running", State("web"));
        }
    }

    [Theory]
    [InlineData("Suspend-StratoVm")]
    [InlineData("Resume-StratoVm")]
    [InlineData("Restart-StratoVm")]
    public void AStoppedVmIsNamed(string cmdlet)
    {
        New();
        AssertError(Error(new Step(cmdlet, "web")), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void StoppingAStoppedVmDoesNothing()
    {
        New();
        Assert.Equal("Stopped", Run(new Step("Stop-StratoVm", "web").Switch("PassThru")).Single<Vm>().State);
    }

    [Fact]
    public void AGuestThatDoesNotObeyIsTurnedOffWhenThatWasAsked()
    {
        Start("web", "deaf");
        ErrorRecord error = Error(new Step("Stop-StratoVm", "web").With("Timeout", 1));
        AssertError(error, "StopTimeout", ErrorCategory.OperationTimeout, "web");
        ClientFixture.Until(() => State("web") == "Running", "running as before");
        Run(new Step("Stop-StratoVm", "web").With("TurnOffAfter", 0));
        Assert.Equal("Stopped", State("web"));
    }

    [Fact]
    public void TurnOffAndTurnOffAfterExcludeEachOther()
    {
        HostResult result = Host.Invoke(new Step("Stop-StratoVm", "web").Switch("TurnOff").With("TurnOffAfter", 5));
        Assert.StartsWith("ParametersConflict,", result.Terminating!.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TurnOffAfter")]
    [InlineData("Timeout")]
    public void ResetTakesNoTimeLimit(string parameter) =>
        Assert.StartsWith("ParametersConflict,", Terminates(new Step("Restart-StratoVm", "web").Switch("Reset").With(parameter, 5)), StringComparison.Ordinal);

    [Fact]
    public void ResetKeepsTheEngine()
    {
        int? pid = Start().ProcessId;
        Assert.Equal(pid, Run(new Step("Restart-StratoVm", "web").Switch("Reset", "PassThru")).Single<Vm>().ProcessId);
        Assert.NotEqual(pid, Run(new Step("Restart-StratoVm", "web").Switch("PassThru")).Single<Vm>().ProcessId);
    }

    [Fact]
    public void ARunningVmIsNotRemoved()
    {
        Start();
        AssertError(Error(new Step("Remove-StratoVm", "web").Switch("Force")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        Assert.Equal("Running", State("web"));
    }

    [Fact]
    public void WaitMatchesTheConsoleWithoutRegardToCase()
    {
        Start("web", "print=Login: here");
        Assert.Empty(Run(new Step("Wait-StratoVm", "web").With("For", "Console").With("Match", "^login:")).Output);
        Assert.Equal("web", Run(new Step("Get-StratoVm"), new Step("Wait-StratoVm").With("Match", "LOGIN").Switch("PassThru")).Single<Vm>().Name);
    }

    [Fact]
    public async Task WaitIsForSeveralAtOnce()
    {
        Start("a");
        Start("b");
        Task<HostResult> wait = Task.Run(() => Host.Invoke(new Step("Wait-StratoVm", "*").With("For", "stopped").Switch("PassThru")), Store.Token);
        Store.Client.Stop(Store.Client.Get("b").Id, null, Store.Token);
        Store.Client.Stop(Store.Client.Get("a").Id, null, Store.Token);
        Assert.Equal(["a", "b"], (await wait).Of<Vm>().Select(vm => vm.Name));
    }

    [Fact]
    public void WaitTellsTimeAndMistakes()
    {
        Start();
        AssertError(Error(new Step("Wait-StratoVm", "web").With("For", "Paused").With("Timeout", 0)), "WaitTimeout", ErrorCategory.OperationTimeout, "web");
        Assert.StartsWith("MatchMissing,", Terminates(new Step("Wait-StratoVm", "web").With("For", "Console")), StringComparison.Ordinal);
        Assert.StartsWith("MatchInvalid,", Terminates(new Step("Wait-StratoVm", "web").With("Match", "(")), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict,", Terminates(new Step("Wait-StratoVm", "web").With("For", "Running").With("Match", "x")), StringComparison.Ordinal);
        Assert.Throws<BindingException>(() => Host.Invoke(new Step("Wait-StratoVm", "web").With("For", "Lunch")));
    }

    [Fact]
    public async Task WaitFailsAtOnceWhenTheVmEnds()
    {
        Start();
        Task<HostResult> wait = Task.Run(() => Host.Invoke(new Step("Wait-StratoVm", "web").With("Match", "never")), Store.Token);
        Store.Client.SendConsole(Store.Client.Get("web").Id, "poweroff", null, Store.Token);
        AssertError(Assert.Single((await wait).Errors), "VmEnded", ErrorCategory.OperationStopped, "web");
    }

    [Fact]
    public async Task ALongWaitShowsProgressAndTakesItAway()
    {
        Start();
        using ManualResetEventSlim shown = new();
        Host.OnProgress = _ => shown.Set();
        Task<HostResult> wait = Task.Run(() => Host.Invoke(new Step("Wait-StratoVm", "web").With("Match", "done")), Store.Token);
        shown.Wait(Store.Token);
        Store.Client.SendConsole(Store.Client.Get("web").Id, "say done", null, Store.Token);
        HostResult result = await wait;
        Assert.Equal("Waiting for 'done' on the console", result.Progress[0].Activity);
        Assert.Equal(ProgressRecordType.Completed, result.Progress[^1].RecordType);
        Host.OnProgress = null;
        Assert.Empty(Run(new Step("Suspend-StratoVm", "web")).Progress);
    }

    [Theory]
    [InlineData("Wait-StratoVm", "deaf")]
    [InlineData("Stop-StratoVm", "deaf")]
    [InlineData("Start-StratoVm", "mute")]
    public void ControlCReturnsSoonAndLeavesThingsDefined(string cmdlet, string commandLine)
    {
        New("web", commandLine);
        if (commandLine == "deaf")
        {
            Run(new Step("Start-StratoVm", "web"));
        }

        // Progress shows that it has been waiting for a while.
        Stopwatch sinceStop = new();
        Host.OnProgress = _ =>
        {
            sinceStop.Start();
            Host.Stop();
        };
        Step step = new(cmdlet, "web");
        HostResult result = Host.Invoke(cmdlet == "Wait-StratoVm" ? step.With("Match", "never") : step);
        Assert.True(result.Stopped);
        Assert.InRange(sinceStop.ElapsedMilliseconds, 0, 5000);
        Assert.Equal("web", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task WhatControlCInterruptsIsUndoneWhenTheCmdletReturns(int throttle)
    {
        string[] ids = [.. Enumerable.Range(0, 4).Select(i => New($"vm{i}", "mute").Id)];
        Task<HostResult> start = Task.Run(() => Host.Invoke(new Step("Start-StratoVm", "*").With("ThrottleLimit", throttle)), Store.Token);
        ClientFixture.Until(() => ids.Count(id => File.Exists(Store.Paths.RunFile(id))) == Math.Min(throttle, ids.Length), "the first engines");
        Host.Stop();
        Assert.True((await start).Stopped);

        // The shell may end now: nobody would undo it later.
        Assert.Empty(Directory.EnumerateFileSystemEntries(Store.Paths.RuntimeRoot));
        foreach (string id in ids)
        {
            Assert.False(File.Exists(Store.Paths.RunFile(id)));
        }

        Assert.DoesNotContain(Directory.EnumerateDirectories("/proc"), process => Procfs.ReadText($"{process}/cmdline")?.Contains(Store.Paths.RuntimeRoot, StringComparison.Ordinal) == true);
        Assert.Equal(Math.Min(throttle, ids.Length), ids.Count(id => File.Exists(Store.Paths.EngineLog(id))));
    }
}
