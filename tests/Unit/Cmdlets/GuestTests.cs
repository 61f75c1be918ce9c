using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Threading;
using Strato.Client;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>-GuestAgent, Invoke-StratoGuestCommand, Copy-StratoGuestFile, Get-StratoGuestInfo and Wait-StratoVm for guests.</summary>
[Collection(CmdletCollection.Name)]
public sealed class GuestTests : CmdletTests
{
    private const string Port = "org.qemu.guest_agent.0";
    private readonly List<FakeAgent> _agents = [];

    [Fact]
    public void TheAgentIsAConsolePortWhoeverMadeIt()
    {
        Assert.False(New("plain").GuestAgent);
        Vm vm = Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").Switch("GuestAgent")).Single<Vm>();
        Assert.True(vm.GuestAgent);
        ConsolePort port = Run(new Step("Get-StratoConsolePort").With("VMName", "web")).Single<ConsolePort>();
        Assert.Equal((Port, "Socket", false), (port.Id, port.Backend, port.Terminal));

        // As on a pipeline: what a VM is made from, it is made with again.
        Assert.True(Run(new Step("Set-StratoVm", "web").Switch("GuestAgent").Switch("PassThru")).Single<Vm>().GuestAgent);
        Run(new Step("Set-StratoVm", "web").With("GuestAgent", new SwitchParameter(isPresent: false)));
        Assert.Empty(Run(new Step("Get-StratoConsolePort").With("VMName", "web")).Output);
        Run(new Step("Add-StratoConsolePort", Port).With("VMName", "web"));
        Assert.True(Run(new Step("Get-StratoVm", "web")).Single<Vm>().GuestAgent);
        Run(new Step("Remove-StratoConsolePort", Port).With("VMName", "web"));
        Assert.False(Run(new Step("Get-StratoVm", "web")).Single<Vm>().GuestAgent);
    }

    [Fact]
    public void AnotherPortOfThatNameIsInTheWay()
    {
        New();
        Run(new Step("Add-StratoConsolePort", Port).With("VMName", "web").With("Backend", ConsolePortBackend.Pty));
        Assert.False(Run(new Step("Get-StratoVm", "web")).Single<Vm>().GuestAgent);
        AssertError(Error(new Step("Set-StratoVm", "web").Switch("GuestAgent")), "ConsolePortExists", ErrorCategory.ResourceExists, "web");
    }

    [Fact]
    public void ARunningVmKeepsItsPorts()
    {
        StartWithAgent("web");
        AssertError(Error(new Step("Set-StratoVm", "web").With("GuestAgent", new SwitchParameter(isPresent: false))), "VmRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void ACommandGivesAnObject()
    {
        StartWithAgent("web");
        GuestCommandResult result = Run(new Step("Invoke-StratoGuestCommand", "cat; echo \"$A\"; echo bad >&2; exit 7")
            .With("VMName", "web").With("InputText", "typed ").With("Environment", new Hashtable { ["A"] = 5 })).Single<GuestCommandResult>();
        Assert.Equal(("web", 7, null, "typed 5\n", "bad\n"), (result.VMName, result.ExitCode, result.Signal, result.StandardOutput, result.StandardError));
        Assert.Equal("typed 5\n"u8.ToArray(), result.GetOutputBytes());
        Assert.Equal("bad\n"u8.ToArray(), result.GetErrorBytes());
        Assert.Equal((false, false, "typed 5\n"), (result.OutputTruncated, result.ErrorTruncated, result.ToString()));
        result = Run(new Step("Invoke-StratoGuestCommand").With("VMName", "web").With("FilePath", "printf").With("ArgumentList", (string[])["%s", "$HOME *"])).Single<GuestCommandResult>();
        Assert.Equal("$HOME *", result.StandardOutput);
    }

    [Fact]
    public void SeveralVmsAreAskedAtOnceAndOneThatFailsIsAnErrorOfItsOwn()
    {
        StartWithAgent("a");
        StartWithAgent("b");
        Start("c");

        // Each waits until the other has begun: one after the other they would never end.
        string script = $"echo > {Store.Root}/began.$$; until [ $(ls {Store.Root}/began.* | wc -l) -ge 2 ]; do sleep 0.02; done; echo done";
        HostResult result = Host.Invoke(new Step("Get-StratoVm"), new Step("Invoke-StratoGuestCommand", script).With("Timeout", 60));
        Assert.Equal(["a", "b"], result.Of<GuestCommandResult>().Select(item => item.VMName));
        Assert.All(result.Of<GuestCommandResult>(), item => Assert.Equal("done\n", item.StandardOutput));
        ErrorRecord error = Assert.Single(result.Errors);
        AssertError(error, "GuestAgentNotFound", ErrorCategory.ObjectNotFound, "c");
        Assert.Contains("-GuestAgent", error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatDoesntFitTogetherIsRefused()
    {
        New();
        Step Invoke(params (string Name, object Value)[] more) => more.Aggregate(new Step("Invoke-StratoGuestCommand").With("VMName", "web"), (step, part) => step.With(part.Name, part.Value));
        Step Copy(params (string Name, object Value)[] more) => more.Aggregate(new Step("Copy-StratoGuestFile", "a", "/b").With("VMName", "web"), (step, part) => step.With(part.Name, part.Value));
        SwitchParameter yes = new(isPresent: true);
        Assert.StartsWith("CommandMissing", Terminates(Invoke()), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(Invoke(("Command", "a"), ("FilePath", "b"))), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(Invoke(("Command", "a"), ("ArgumentList", "b"))), StringComparison.Ordinal);
        Assert.StartsWith("DirectionMissing", Terminates(Copy()), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(Copy(("ToGuest", yes), ("FromGuest", yes))), StringComparison.Ordinal);
        Assert.StartsWith("ParametersConflict", Terminates(Copy(("Mode", "644"), ("FromGuest", yes))), StringComparison.Ordinal);
        Assert.StartsWith("InvalidMode", Terminates(Copy(("Mode", "rwx"), ("ToGuest", yes))), StringComparison.Ordinal);
        AssertError(Error(Invoke(("Command", "a"))), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        AssertError(Error(new Step("Get-StratoGuestInfo", "web")), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        AssertError(Error(Invoke(("Command", "a"), ("Environment", new Hashtable { ["A=B"] = 1 }))), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void WhatIfDoesNothing()
    {
        FakeAgent agent = StartWithAgent("web");
        Assert.Single(Run(new Step("Invoke-StratoGuestCommand", "true").With("VMName", "web").Switch("WhatIf")).ShouldProcess);
        Assert.Single(Run(new Step("Copy-StratoGuestFile", "vmlinuz", "/tmp/x").With("VMName", "web").Switch("ToGuest").Switch("WhatIf")).ShouldProcess);
        Assert.Empty(agent.Commands);
    }

    [Fact]
    public void ControlCEndsACommand()
    {
        FakeAgent agent = StartWithAgent("web");
        new Thread(() =>
        {
            ClientFixture.Until(() => agent.Commands.Contains("guest-exec-status", StringComparer.Ordinal), "the command's start");
            Host.Stop();
        }).Start();
        Assert.True(Host.Invoke(new Step("Invoke-StratoGuestCommand", "exec sleep 600").With("VMName", "web")).Stopped);
        ClientFixture.Until(() => agent.Running == 0, "the command's end");
        Assert.Equal(0, Run(new Step("Invoke-StratoGuestCommand", "true").With("VMName", "web")).Single<GuestCommandResult>().ExitCode);
    }

    [Fact]
    public void FilesGoBothWays()
    {
        StartWithAgent("web");
        string folder = Directory.CreateDirectory(Path.Combine(Store.Root, "guest")).FullName;
        Store.WriteFile("one", "1");
        Store.WriteFile("two", "2");
        Vm vm = Run(new Step("Get-StratoVm", "web"), new Step("Copy-StratoGuestFile", (string[])["one", "two"], folder).Switch("ToGuest").With("Mode", "0600").Switch("PassThru")).Single<Vm>();
        Assert.Equal("web", vm.Name);
        Assert.Equal("12", File.ReadAllText(Path.Combine(folder, "one")) + File.ReadAllText(Path.Combine(folder, "two")));
        Assert.Equal((UnixFileMode)0x180, File.GetUnixFileMode(Path.Combine(folder, "one")));
        Run(new Step("Copy-StratoGuestFile", Path.Combine(folder, "one"), "back").With("VMName", "web").Switch("FromGuest"));
        Assert.Equal("1", File.ReadAllText(Path.Combine(Store.Root, "back")));
        AssertError(Error(new Step("Copy-StratoGuestFile", Path.Combine(folder, "two"), "back").With("VMName", "web").Switch("FromGuest")), "FileExists", ErrorCategory.ResourceExists, Path.Combine(folder, "two"));
        AssertError(Error(new Step("Copy-StratoGuestFile", "one", folder).With("VMName", "web").Switch("ToGuest")), "GuestFileExists", ErrorCategory.ResourceExists, "one");
        Run(new Step("Copy-StratoGuestFile", "two", folder + "/one").With("VMName", "web").Switch("ToGuest").Switch("Force"));
        Assert.Equal("2", File.ReadAllText(Path.Combine(folder, "one")));
    }

    [Fact]
    public void TheGuestTellsOfItselfAndIsWaitedFor()
    {
        FakeAgent agent = StartWithAgent("web");
        agent.Answer = name => name switch
        {
            "guest-get-host-name" => "{\"return\": {\"host-name\": \"deb\"}}\n"u8.ToArray(),
            "guest-network-get-interfaces" => Encoding.ASCII.GetBytes("{\"return\": [{\"name\": \"eth0\", \"hardware-address\": \"52:54:00:00:00:01\", \"ip-addresses\": [{\"ip-address\": \"10.0.2.15\", \"prefix\": 24}, {\"ip-address\": \"fe80::1\", \"prefix\": 64}]}]}\n"),
            _ => null,
        };
        GuestInfo info = Run(new Step("Get-StratoVm", "web"), new Step("Wait-StratoVm").With("For", "IPAddress").With("Timeout", 60).Switch("PassThru"), new Step("Get-StratoGuestInfo")).Single<GuestInfo>();
        Assert.Equal(("web", "deb", null), (info.VMName, info.HostName, info.Os));
        Assert.Equal(["10.0.2.15"], info.Addresses!);
        GuestNetworkInterface eth0 = Assert.Single(info.NetworkInterfaces!);
        Assert.Equal(("eth0", "52:54:00:00:00:01"), (eth0.Name, eth0.MacAddress));
        Assert.Equal(["10.0.2.15/24", "fe80::1/64"], eth0.Addresses);
        Assert.Null(info.Disks);
        Run(new Step("Wait-StratoVm", "web").With("For", "GuestAgent").With("Timeout", 60));
        agent.Answer = _ => [];
        AssertError(Error(new Step("Wait-StratoVm", "web").With("For", "GuestAgent").With("Timeout", 1)), "WaitTimeout", ErrorCategory.OperationTimeout, "web");
    }

    public override void Dispose()
    {
        _agents.ForEach(agent => agent.Dispose());
        base.Dispose();
    }

    private FakeAgent StartWithAgent(string name)
    {
        Vm vm = Run(new Step("New-StratoVm", name).With("Kernel", "vmlinuz").Switch("GuestAgent")).Single<Vm>();
        Run(new Step("Start-StratoVm", name));
        FakeAgent agent = new(Store, vm.Id);
        _agents.Add(agent);
        return agent;
    }
}
