using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Remove- and Set-StratoConsolePort.</summary>
[Collection(CmdletCollection.Name)]
public sealed class ConsolePortTests : CmdletTests
{
    [Fact]
    public void TheIdIsFirstAndTheVmComesThroughThePipeline()
    {
        Vm vm = Run(
            new Step("New-StratoVm", "web", "vmlinuz"),
            new Step("Add-StratoConsolePort", "org.qemu.guest_agent.0").Switch("PassThru"),
            new Step("Add-StratoConsolePort").Switch("Terminal", "PassThru"),
            new Step("Add-StratoConsolePort").With("Backend", "File").With("Path", "out.txt").Switch("PassThru")).Single<Vm>();
        Assert.Equal(
            [
                ("org.qemu.guest_agent.0", false, "Socket", Path.Combine(Store.Paths.RuntimeRoot, vm.Id, "port-org.qemu.guest_agent.0.sock")),
                ("hvc0", true, "Socket", Path.Combine(Store.Paths.RuntimeRoot, vm.Id, "port-hvc0.sock")),
                ("port0", false, "File", Path.Combine(Store.Root, "out.txt")),
            ],
            Ports().Select(port => (port.Id, port.Terminal, port.Backend, port.Path)));
        Assert.All(Ports(), port => Assert.Equal(("web", vm.Id), (port.VMName, port.VMId)));
    }

    [Fact]
    public void TheEngineGetsThem()
    {
        New();
        Run(new Step("Add-StratoConsolePort", "a,b").With("VMName", "web").With("Path", "p"));
        Run(new Step("Add-StratoConsolePort").With("VMName", "web").Switch("Terminal"));
        string runtime = Path.Combine(Store.Paths.RuntimeRoot, Store.Client.Get("web").Id);
        string line = string.Join(' ', Strato.Client.Runtime.EngineArguments.Build(Store.Client.Get("web"), runtime, "/log", "/console", new()));
        Assert.Contains($"-chardev socket,id=a,,b,path={Store.Root}/p,server,nowait -device virtserialport,chardev=a,,b,id=a,,b,name=a,,b ", line, System.StringComparison.Ordinal);
        Assert.Contains($"-chardev socket,id=hvc0,path={runtime}/port-hvc0.sock,server,nowait -device virtconsole,chardev=hvc0,id=hvc0 ", line, System.StringComparison.Ordinal);
    }

    [Fact]
    public void WhereAPortLeadsChanges()
    {
        New();
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web").With("Path", "socket"));
        Run(new Step("Set-StratoConsolePort", "*").With("VMName", "web").With("Backend", "File").With("Path", "file"));
        Assert.Equal(("File", Path.Combine(Store.Root, "file")), (Ports()[0].Backend, Ports()[0].Path));

        // A file's path is none for a socket, and a socket needs none.
        Run(new Step("Get-StratoConsolePort", "a").With("VMName", "web"), new Step("Set-StratoConsolePort").With("Backend", "Socket"));
        Assert.EndsWith("/port-a.sock", Ports()[0].Path, System.StringComparison.Ordinal);
        AssertError(
            Error(new Step("Set-StratoConsolePort", "a").With("VMName", "web").With("Backend", "File")), "PathMissing", ErrorCategory.InvalidArgument, "a");
    }

    [Fact]
    public void ThePathOfAPtyIsToldWhileTheVmRuns()
    {
        New();
        Run(new Step("Add-StratoConsolePort").With("VMName", "web").With("Backend", "Pty").Switch("Terminal"));
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web").With("Path", "socket"));
        string line = string.Join(' ', Strato.Client.Runtime.EngineArguments.Build(Store.Client.Get("web"), "/run", "/log", "/console", new()));
        Assert.Contains("-chardev pty,id=hvc0 -device virtconsole,chardev=hvc0,id=hvc0 ", line, System.StringComparison.Ordinal);
        Assert.Equal(("Pty", null), (Ports()[0].Backend, Ports()[0].Path));
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal(["/dev/pts/77", Path.Combine(Store.Root, "socket")], Ports().Select(port => port.Path));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff"));
        AssertError(
            Error(new Step("Set-StratoConsolePort", "hvc0").With("VMName", "web").With("Path", "p")), "PathUnexpected", ErrorCategory.InvalidArgument, "hvc0");

        // A socket's path is none for a pty.
        Run(new Step("Set-StratoConsolePort", "a").With("VMName", "web").With("Backend", "Pty"));
        Assert.Equal(("Pty", null), (Ports()[1].Backend, Ports()[1].Path));
    }

    [Fact]
    public void MistakesAreNamed()
    {
        New();
        Run(new Step("Add-StratoConsolePort", "a").With("VMName", "web"));
        AssertError(Error(new Step("Add-StratoConsolePort", "A").With("VMName", "web")), "ConsolePortExists", ErrorCategory.ResourceExists, "web");
        AssertError(Error(new Step("Add-StratoConsolePort", "a/b").With("VMName", "web")), "InvalidName", ErrorCategory.InvalidArgument, "web");
        ErrorRecord error = Error(new Step("Remove-StratoConsolePort", "b").With("VMName", "web"));
        AssertError(error, "ConsolePortNotFound", ErrorCategory.ObjectNotFound, "b");
        Assert.Equal("The VM 'web' has no console port 'b'; it has 'a'.", error.ToString());
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Add-StratoConsolePort", "b").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        AssertError(Error(new Step("Remove-StratoConsolePort", "a").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "a");
    }

    [Fact]
    public void ThirtyOneFit()
    {
        New();
        for (int i = 0; i < 31; i++)
        {
            Run(new Step("Add-StratoConsolePort").With("VMName", "web"));
        }

        AssertError(Error(new Step("Add-StratoConsolePort").With("VMName", "web")), "TooManyConsolePorts", ErrorCategory.InvalidArgument, "web");
        Run(new Step("Add-StratoConsolePort").With("VMName", "web").Switch("WhatIf"));
        Assert.Equal("port30", Ports()[30].Id);
    }

    [Fact]
    public void PortsAreFoundByIdWildcardAndRemovedAsObjects()
    {
        New();
        foreach (string id in (string[])["a", "b1", "b2"])
        {
            Run(new Step("Add-StratoConsolePort", id).With("VMName", "web"));
        }

        Assert.Equal(["b1", "b2"], Run(new Step("Get-StratoVm", "web"), new Step("Get-StratoConsolePort", "B*")).Of<ConsolePort>().Select(port => port.Id));
        Run(new Step("Get-StratoConsolePort", "b1").With("VMName", "web"), new Step("Remove-StratoConsolePort"));
        Assert.Equal(["a", "b2"], Ports().Select(port => port.Id));
        Run(new Step("Get-StratoVm"), new Step("Remove-StratoConsolePort", "*"));
        Assert.Empty(Ports());
    }

    private ConsolePort[] Ports() => [.. Run(new Step("Get-StratoConsolePort").With("VMName", "web")).Of<ConsolePort>()];
}
