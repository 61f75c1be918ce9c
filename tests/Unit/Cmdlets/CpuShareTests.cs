using System;
using System.Management.Automation;
using Strato.Client.Linux;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Set-StratoCpu -Weight and -Quota: the group that is made for an engine, where, and when it goes.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CpuShareTests : CmdletTests
{
    private readonly FakeCgroups _groups = new("/user.slice/mine.scope");

    public override void Dispose()
    {
        base.Dispose();
        _groups.Dispose();
        GC.SuppressFinalize(this);
    }

    private string Group => $"/strato-{Store.Client.Get("web").Id}";

    [Fact]
    public void AStartedVmHasItsGroupUntilItEnds()
    {
        New();
        Run(Share().With("Weight", 250).With("Quota", 50));
        Vm vm = Run(new Step("Get-StratoVm", "web")).Single<Vm>();
        Assert.Equal((250, 50), (vm.CpuWeight, vm.CpuQuota));
        Assert.DoesNotContain(Group, _groups.Groups);

        // The scope's parent gives its children no cpu controller; the root does.
        vm = Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>();
        Assert.Equal("Running", vm.State);
        Assert.Equal(("250", "50000 100000"), (_groups[Group + "/cpu.weight"], _groups[Group + "/cpu.max"]));
        Assert.Equal([vm.ProcessId!.Value], _groups.ProcessesOf(Group));

        Run(Share().With("Quota", 1200));
        Assert.Equal(("250", "1200000 100000"), (_groups[Group + "/cpu.weight"], _groups[Group + "/cpu.max"]));
        Run(Share().With("Weight", 0).With("Quota", 0));
        Assert.Equal(("100", "max 100000"), (_groups[Group + "/cpu.weight"], _groups[Group + "/cpu.max"]));
        vm = Run(new Step("Get-StratoVm", "web")).Single<Vm>();
        Assert.Equal((100, null), (vm.CpuWeight, vm.CpuQuota));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        Assert.DoesNotContain(Group, _groups.Groups);
    }

    [Fact]
    public void ARunningVmIsMovedIntoAGroup()
    {
        Vm vm = Start();
        Run(Share().With("Weight", 10000));
        Assert.Equal([vm.ProcessId!.Value], _groups.ProcessesOf(Group));
        Assert.Equal(("10000", "max 100000"), (_groups[Group + "/cpu.weight"], _groups[Group + "/cpu.max"]));

        // It is found by the record, whose engine goes on as it was; and made again by the next start.
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        Assert.DoesNotContain(Group, _groups.Groups);
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal("10000", _groups[Group + "/cpu.weight"]);
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        Assert.DoesNotContain(Group, _groups.Groups);
    }

    [Theory]
    [InlineData("Get-StratoVm")]
    [InlineData("Start-StratoVm")]
    [InlineData("Remove-StratoVm")]
    public void WhatAKilledEngineLeftGoesWithTheNextLook(string cmdlet)
    {
        New();
        Run(Share().With("Quota", 5));
        Vm vm = Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>();
        string group = Group;
        ClientFixture.Signal(vm.ProcessId!.Value, 9);
        Assert.True(System.Threading.SpinWait.SpinUntil(() => Procfs.TryReadStat(vm.ProcessId.Value) is null or { State: 'Z' }, TimeSpan.FromSeconds(20)));
        Assert.Contains(group, _groups.Groups);
        Run(cmdlet == "Remove-StratoVm" ? new Step(cmdlet, "web").Switch("Force") : new Step(cmdlet, "web"));
        if (cmdlet == "Start-StratoVm")
        {
            Assert.Single(_groups.ProcessesOf(group));
            Assert.Equal("5000 100000", _groups[group + "/cpu.max"]);
        }
        else
        {
            Assert.DoesNotContain(group, _groups.Groups);
        }
    }

    [Fact]
    public void AStartThatFailsLeavesNoGroup()
    {
        New(commandLine: "fail");
        Run(Share().With("Weight", 50));
        AssertError(Error(new Step("Start-StratoVm", "web")), "KernelNotFound", ErrorCategory.ObjectNotFound, "web");
        Assert.DoesNotContain(Group, _groups.Groups);
    }

    /// <summary>The nearest group above the caller's that gives its children the controller and is the user's: as systemd delegates them.</summary>
    [Fact]
    public void AUsersGroupIsInWhatSystemdHasDelegated()
    {
        _groups.Own = "/user.slice/user-1000.slice/user@1000.service/app.slice/pwsh.scope";
        foreach (string group in (string[])["/user.slice/user-1000.slice", "/user.slice/user-1000.slice/user@1000.service", "/user.slice/user-1000.slice/user@1000.service/app.slice"])
        {
            _groups["/user.slice/cgroup.subtree_control"] = "cpu";
            Assert.Equal(0, _groups.MakeFolder("/cg" + group));
            _groups[group + "/cgroup.subtree_control"] = "cpu memory";
        }

        _groups.Closed.UnionWith(["", "/user.slice", "/user.slice/user-1000.slice"]);
        New();
        Run(Share().With("Weight", 50));
        Run(new Step("Start-StratoVm", "web"));
        Assert.Contains("/user.slice/user-1000.slice/user@1000.service/app.slice" + Group, _groups.Groups);

        // A session's scope isn't delegated.
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        _groups.Own = "/user.slice/session-3.scope";
        ErrorRecord error = Error(new Step("Start-StratoVm", "web"));
        AssertError(error, "CgroupDenied", ErrorCategory.PermissionDenied, "web");
        Assert.Equal("The VM 'web' has a weight of 50, and this process may not make a group beside its own, '/cg/user.slice/session-3.scope', nor above it.", error.Exception.Message);
        Assert.Contains("systemd-run --user --scope", error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unmounted", "CgroupUnavailable", "The VM 'web' has a weight of 5 and a quota of 50 % of a CPU, and no cgroup v2 is mounted that this process is in.")]
    [InlineData("without", "CgroupUnavailable", "The VM 'web' has a weight of 5 and a quota of 50 % of a CPU, and the host's cgroup v2 at '/cg' has no cpu controller.")]
    [InlineData("busy", "CgroupUnavailable", "The VM 'web' has a weight of 5 and a quota of 50 % of a CPU, and '/cg/user.slice/mine.scope' and the groups above it don't give the cpu controller to others (Device or resource busy).")]
    [InlineData("closed", "CgroupDenied", "The VM 'web' has a weight of 5 and a quota of 50 % of a CPU, and this process may not make a group beside its own, '/cg/user.slice/mine.scope', nor above it.")]
    public void AHostThatCannotIsNamedAndNothingRuns(string how, string id, string message)
    {
        Vm running = Start();
        New("other");
        string[] groups = ["", "/user.slice", "/user.slice/mine.scope"];
        _groups.IsMounted = how != "unmounted";
        foreach (string group in groups)
        {
            if (how is "without" or "busy")
            {
                _groups[group + "/cgroup.subtree_control"] = "";
                _groups[group + "/cgroup.controllers"] = how == "busy" ? "cpu" : "memory";
            }
        }

        _groups.Closed.UnionWith(how == "closed" ? groups : []);
        _groups.Busy.UnionWith(how == "busy" ? groups : []);
        ErrorRecord error = Error(Share().With("Weight", 5).With("Quota", 50));
        AssertError(error, id, id == "CgroupDenied" ? ErrorCategory.PermissionDenied : ErrorCategory.ResourceUnavailable, "web");
        Assert.Equal(message, error.Exception.Message);
        Assert.Equal((100, null), Shares("web"));
        Assert.Equal("Running", State("web"));

        // A stopped VM keeps it for a host that can.
        Run(new Step("Set-StratoCpu", "other").With("Weight", 5).With("Quota", 50));
        AssertError(Error(new Step("Start-StratoVm", "other")), id, error.CategoryInfo.Category, "other");
        Assert.Equal(("Stopped", 5), (State("other"), Shares("other").Weight));
        Assert.Equal(running.ProcessId, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);
    }

    [Fact]
    public void WithoutAControllerAboveItIsTurnedOnWhereItMayBe()
    {
        _groups["/cgroup.subtree_control"] = "memory";
        New();
        Run(Share().With("Weight", 7));
        Run(new Step("Start-StratoVm", "web"));
        Assert.Contains("/user.slice" + Group, _groups.Groups);
        Assert.Equal(" cpu", _groups["/user.slice/cgroup.subtree_control"]);
    }

    [Theory]
    [InlineData("Weight", 10001, "InvalidWeight", "10001 is out of range; allowed: 1 to 10000, or 0 for the host's own, which is 100.")]
    [InlineData("Weight", -1, "InvalidWeight", "-1 is out of range; allowed: 1 to 10000, or 0 for the host's own, which is 100.")]
    [InlineData("Quota", 1000001, "InvalidQuota", "1000001 is out of range; allowed: 1 to 1000000, or percent of one CPU, 0 for no limit.")]
    public void MistakesAreNamed(string parameter, int value, string id, string message)
    {
        New();
        ErrorRecord error = Error(Share().With(parameter, value));
        Assert.Equal((id, message), (error.FullyQualifiedErrorId.Split(',')[0], error.Exception.Message));
    }

    [Fact]
    public void WhatIsSetHasToBeSaid()
    {
        New();
        Assert.StartsWith("NothingToSet", Terminates(Share()), StringComparison.Ordinal);
        Assert.StartsWith("NothingToSet", Terminates(Share().With("Weight", 5).With("Cpu", new[] { 0 })), StringComparison.Ordinal);
        Run(new Step("Get-StratoVm", "web"), new Step("Set-StratoCpu").With("Weight", 5).With("Affinity", new[] { "" }));
        Run(new Step("Get-StratoCpu", "web"), new Step("Set-StratoCpu").With("Quota", 150));
        Assert.Equal((5, 150), Shares("web"));
    }

    /// <summary>A pin is held against the CPUs of the group that the engine will be in.</summary>
    [Fact]
    public void APinIsHeldAgainstTheEnginesGroup()
    {
        string[] all = [.. Procfs.ReadText("/sys/devices/system/cpu/online")!.Trim().Split(',', '-')];
        Assert.SkipWhen(all is ["0"], "one CPU");
        New();
        Run(Share().With("Weight", 5));
        _groups["/cpuset.cpus.effective"] = "0\n";
        ErrorRecord error = Error(Share().With("Affinity", new[] { "1" }));
        AssertError(error, "HostCpuOutsideCgroup", ErrorCategory.ResourceUnavailable, "web");
        Assert.Equal("Of the host's CPUs 1, 1 is outside the cgroup; it has 0.", error.Exception.Message);
        Run(Share().With("Affinity", new[] { "0" }));
        _groups["/cpuset.cpus.effective"] = "1\n";
        AssertError(Error(new Step("Start-StratoVm", "web")), "HostCpuOutsideCgroup", ErrorCategory.ResourceUnavailable, "web");
        Assert.DoesNotContain(Group, _groups.Groups);

        // Without a group of its own it is in this process's.
        Run(Share().With("Weight", 0));
        Run(new Step("Start-StratoVm", "web"));
    }

    private static Step Share() => new("Set-StratoCpu", "web");

    private (int Weight, int? Quota) Shares(string name)
    {
        Vm vm = Run(new Step("Get-StratoVm", name)).Single<Vm>();
        return (vm.CpuWeight, vm.CpuQuota);
    }
}
