using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Strato.Protocol;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Get-StratoLog.</summary>
[Collection(CmdletCollection.Name)]
public sealed class LogTests : CmdletTests
{
    private static readonly DateTime Noon = new(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc);

    private string Log => Store.Paths.EngineLog(Store.Client.Get("web").Id);

    [Fact]
    public void LinesAreObjectsAndWhatIsNoneStaysAsItIs()
    {
        Vm vm = Start();
        File.AppendAllText(Log, EngineLog.Line(Noon, "warning", "net", "a: b") + "Unhandled exception.\n@1795346304 error seccomp: call 90");
        LogEntry[] log = [.. Run(new Step("Get-StratoLog", "web")).Of<LogEntry>()];
        Assert.Equal(["start of 'web'", "a: b", "Unhandled exception.", "call 90"], log.Select(entry => entry.Message));
        Assert.Equal(["client", "net", null, "seccomp"], log.Select(entry => entry.Source));
        Assert.Equal(["info", "warning", null, "error"], log.Select(entry => entry.Level));
        Assert.Equal((Noon.ToLocalTime(), DateTimeKind.Local, "web", vm.Id), (log[1].Time, log[1].Time!.Value.Kind, log[1].VMName, log[1].VMId));
        Assert.Equal("2026-01-31T12:00:00.000000Z warning net: a: b", log[1].Line);
        Assert.Null(log[2].Time);
        Assert.Equal(log[2..].Select(entry => entry.Line), Run(new Step("Get-StratoVm", "web"), new Step("Get-StratoLog").With("Tail", 2)).Of<LogEntry>().Select(entry => entry.Line));
        Assert.Empty(Run(new Step("Get-StratoLog", "web").With("Tail", 0)).Output);
    }

    [Fact]
    public void EachRunHasItsOwn()
    {
        New();
        Assert.Empty(Run(new Step("Get-StratoLog", "web")).Output);
        foreach (string text in (string[])["one", "two", "three"])
        {
            Run(new Step("Start-StratoVm", "web"));
            Say(text);
            Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        }

        Assert.Equal(["start of 'web'", "three"], Messages());
        Assert.Equal(["start of 'web'", "two"], Messages("Previous"));
        File.Delete(Log + ".1");
        File.Delete(Log + ".2");
        Assert.Empty(Messages("Previous"));
    }

    [Fact]
    public void WhatWasPutAsideBelongsToItsRun()
    {
        Start();
        Say("before");
        Run(new Step("Restart-StratoVm", "web").Switch("Force").With("TurnOffAfter", 0));
        Say("first");
        PutAside();
        Say("second");
        PutAside();
        Say("third");
        Assert.Equal(["start of 'web'", "first", "second", "third"], Messages());
        Assert.Equal(["second", "third"], Run(new Step("Get-StratoLog", "web").With("Tail", 2)).Of<LogEntry>().Select(entry => entry.Message));
        Assert.Equal(["start of 'web'", "before"], Messages("Previous"));
    }

    [Fact]
    public void FollowGoesOnBehindARotationAndEndsWithTheEngine()
    {
        Start();
        Say("here");
        int step = 0;
        List<string> seen = [];
        Host.OnOutput = output =>
        {
            seen.Add(((LogEntry)output!).Message);
            switch (step++)
            {
                case 0:
                    // Half a line isn't shown before it is whole.
                    File.AppendAllText(Log, "half ");
                    Later(() => File.AppendAllText(Log, "a line\n"));
                    break;
                case 1:
                    string put = Log + ".1";
                    File.Move(Log, put);
                    Later(() => File.AppendAllText(put, "late\n"));
                    break;
                case 2:
                    Later(() => Say("new"));
                    break;
                case 3:
                    Later(() => InAnotherShell("Stop-StratoVm"));
                    break;
            }
        };
        HostResult result = Host.Invoke(new Step("Get-StratoLog", "web").With("Tail", 1).Switch("Follow"));
        Assert.Empty(result.Errors);
        Assert.Equal(["here", "half a line", "late", "new"], seen);
    }

    [Fact]
    public void FollowOfAStoppedVmShowsWhatIsThereAndCtrlCEndsAFollow()
    {
        Start();
        Host.OnOutput = _ => Host.Stop();
        Assert.True(Host.Invoke(new Step("Get-StratoLog", "web").Switch("Follow")).Stopped);
        Host.OnOutput = null;
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        Assert.Equal(["start of 'web'"], Messages("Follow"));
    }

    [Fact]
    public void AnEmptiedLogIsFollowedFromItsBeginning()
    {
        Start();
        Say(new string('x', 200));
        int step = 0;
        List<string> seen = [];
        Host.OnOutput = output =>
        {
            seen.Add(((LogEntry)output!).Message);
            if (step++ == 0)
            {
                Later(() => File.WriteAllText(Log, EngineLog.Line(Noon, "warning", EngineLog.LogRoom, EngineLog.Emptied(Log))));
            }
            else
            {
                Host.Stop();
            }
        };
        Host.Invoke(new Step("Get-StratoLog", "web").With("Tail", 1).Switch("Follow"));
        Assert.EndsWith("is emptied: it can't be renamed", seen[1], StringComparison.Ordinal);
        Host.OnOutput = null;
        Assert.Single(Messages());
    }

    [Fact]
    public void WhatCannotBeIsRefused()
    {
        AssertError(Error(new Step("Get-StratoLog", "nobody")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        New();
        Assert.StartsWith("ParametersConflict", Terminates(new Step("Get-StratoLog", "web").Switch("Follow").Switch("Previous")), StringComparison.Ordinal);
        Assert.Empty(Messages("Previous"));
    }

    private IEnumerable<string> Messages(params string[] switches)
    {
        Step step = new("Get-StratoLog", "web");
        foreach (string name in switches)
        {
            step.Switch(name);
        }

        return Run(step).Of<LogEntry>().Select(entry => entry.Message);
    }

    private void Say(string message) => File.AppendAllText(Log, EngineLog.Line(Noon, "info", "machine", message));

    /// <summary>As the engine does with a file that is full.</summary>
    private void PutAside()
    {
        for (int i = 3; i > 0; i--)
        {
            string from = i == 1 ? Log : $"{Log}.{i - 1}";
            if (File.Exists(from))
            {
                File.Move(from, $"{Log}.{i}", overwrite: true);
            }
        }
    }

    private void InAnotherShell(string cmdlet)
    {
        TestHost other = new() { Location = Store.Root };
        other.Invoke(new Step(cmdlet, "web").Switch("TurnOff").Switch("Force"));
    }

    /// <summary>On another thread, while the cmdlet waits or before it does: both have to go well.</summary>
    private static void Later(Action work) => new Thread(() => work()) { IsBackground = true }.Start();
}
