using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Remove- and Set-StratoIoThread, and the devices that name them.</summary>
[Collection(CmdletCollection.Name)]
public sealed class IoThreadTests : CmdletTests
{
    public IoThreadTests() => Store.WriteFile("root.ext4", new string('x', 4096));

    [Fact]
    public void TheIdIsFirstAndDevicesNameIt()
    {
        Vm vm = Run(
            new Step("New-StratoVm", "web", "vmlinuz"),
            new Step("Add-StratoIoThread", "fast").Switch("PassThru"),
            new Step("Add-StratoIoThread").Switch("PassThru"),
            new Step("Add-StratoDrive", "root.ext4").With("IoThread", "FAST").Switch("PassThru"),
            new Step("Add-StratoNetworkAdapter", "tap0").With("IoThread", "fast").Switch("PassThru")).Single<Vm>();
        IoThread[] threads = Threads();
        Assert.Equal([("fast", null, "disk0 net0"), ("iothread0", null, "")], threads.Select(thread => (thread.Id, thread.ThreadId, thread.Devices)));
        Assert.All(threads, thread => Assert.Equal(("web", vm.Id), (thread.VMName, thread.VMId)));
        Assert.Contains(" -iothread id=fast -iothread id=iothread0 -drive id=disk0,", Line(), StringComparison.Ordinal);
        Assert.Equal(2, Line().Split(",iothread=fast").Length - 1);
        Run(new Step("Add-StratoIoThread").With("VMName", "web").Switch("WhatIf"));
        Assert.Equal(2, Threads().Length);
    }

    [Fact]
    public void AnotherIdIsFollowedByTheDevices()
    {
        Fast();
        Run(new Step("Set-StratoIoThread", "fast").With("VMName", "web").With("NewId", "a,b"));
        Run(new Step("Get-StratoIoThread", "A*").With("VMName", "web"), new Step("Set-StratoIoThread").With("NewId", "A,B"));
        Assert.Equal("disk0 net0", Threads()[0].Devices);
        Assert.Contains(" -iothread id=A,,B -drive", Line(), StringComparison.Ordinal);
        Assert.Equal(2, Line().Split(",iothread=A,,B").Length - 1);
        Run(new Step("Add-StratoIoThread", "c").With("VMName", "web"));
        AssertError(Error(new Step("Set-StratoIoThread", "c").With("VMName", "web").With("NewId", "a,b")), "IoThreadExists", ErrorCategory.ResourceExists, "c");
        AssertError(Error(new Step("Set-StratoIoThread", "c").With("VMName", "web").With("NewId", new string('x', 256))), "InvalidId", ErrorCategory.InvalidArgument, "c");
    }

    [Fact]
    public void OneThatServesADeviceStays()
    {
        Fast();
        ErrorRecord error = Error(new Step("Remove-StratoIoThread", "*").With("VMName", "web"));
        AssertError(error, "IoThreadInUse", ErrorCategory.InvalidOperation, "fast");
        Assert.Equal("The iothread 'fast' of the VM 'web' serves 'disk0', 'net0'.", error.Exception.Message);
        Run(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("IoThread", ""));
        Run(new Step("Set-StratoNetworkAdapter", "net0").With("VMName", "web").With("IoThread", ""));
        Run(new Step("Get-StratoIoThread").With("VMName", "web"), new Step("Remove-StratoIoThread"));
        Assert.Empty(Threads());
        Assert.DoesNotContain("iothread", Line(), StringComparison.Ordinal);
    }

    [Fact]
    public void MistakesAreNamed()
    {
        New();
        Step drive = new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("IoThread", "slow");
        ErrorRecord error = Error(drive);
        AssertError(error, "IoThreadNotFound", ErrorCategory.ObjectNotFound, "web");
        Assert.Equal("The VM 'web' has no iothread 'slow'; it has none.", error.Exception.Message);
        Assert.Contains("Add-StratoIoThread 'slow' -VMName 'web'", error.ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
        Run(new Step("Add-StratoIoThread", "fast").With("VMName", "web"));
        Run(new Step("Add-StratoIoThread", "faster").With("VMName", "web"));
        Assert.Equal("The VM 'web' has no iothread 'slow'; it has 'fast', 'faster'.", Error(drive).Exception.Message);
        Step adapter = new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web");
        AssertError(Error(adapter.With("IoThread", "slow")), "IoThreadNotFound", ErrorCategory.ObjectNotFound, "web");
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web"));
        foreach ((string noun, string id) in (ReadOnlySpan<(string, string)>)[("Drive", "disk0"), ("NetworkAdapter", "net0")])
        {
            AssertError(Error(new Step($"Set-Strato{noun}", id).With("VMName", "web").With("IoThread", "slow")), "IoThreadNotFound", ErrorCategory.ObjectNotFound, id);
        }

        AssertError(Error(new Step("Add-StratoIoThread", "FAST").With("VMName", "web")), "IoThreadExists", ErrorCategory.ResourceExists, "web");
        error = Error(new Step("Remove-StratoIoThread", "slow").With("VMName", "web"));
        AssertError(error, "IoThreadNotFound", ErrorCategory.ObjectNotFound, "slow");
        Assert.Equal("The VM 'web' has no iothread 'slow'; it has 'fast', 'faster'.", error.Exception.Message);
    }

    [Fact]
    public void EightFit()
    {
        New();
        for (int i = 0; i < 8; i++)
        {
            Run(new Step("Add-StratoIoThread").With("VMName", "web"));
        }

        ErrorRecord error = Error(new Step("Add-StratoIoThread").With("VMName", "web"));
        AssertError(error, "TooManyIoThreads", ErrorCategory.InvalidArgument, "web");
        Assert.Equal("The VM 'web' has 8 iothreads, which is the most there can be.", error.Exception.Message);
        Assert.Equal("iothread7", Threads()[7].Id);
    }

    [Fact]
    public void ARunningVmTellsItsThreadsAndKeepsThem()
    {
        Fast();
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal(4711, Threads()[0].ThreadId);
        AssertError(Error(new Step("Add-StratoIoThread").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        AssertError(Error(new Step("Remove-StratoIoThread", "fast").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "fast");
        AssertError(Error(new Step("Set-StratoIoThread", "fast").With("VMName", "web").With("NewId", "x")), "VmRunning", ErrorCategory.InvalidOperation, "fast");
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff"));
        Assert.Null(Threads()[0].ThreadId);
    }

    [Fact]
    public void ADefinitionWithoutThreadsHasThoseThatItsDevicesName()
    {
        Fast();
        string path = Store.Paths.DefinitionFile(Store.Client.Get("web").Id);
        string json = File.ReadAllText(path);
        int start = json.IndexOf("\"ioThreads\"", StringComparison.Ordinal);
        File.WriteAllText(path, json.Remove(start, json.IndexOf("],", start, StringComparison.Ordinal) + 2 - start));
        Assert.Equal("disk0 net0", Assert.Single(Threads()).Devices);
        Assert.Contains(" -iothread id=fast -drive", Line(), StringComparison.Ordinal);
    }

    [Fact]
    public void TabOffersThem()
    {
        Fast();
        CompletionResult result = Assert.Single(new IoThreadIdCompleter().CompleteArgument("", "", "f", null!, new System.Collections.Hashtable()));
        Assert.Equal(("fast", "serves disk0, net0"), (result.CompletionText, result.ToolTip));
    }

    private void Fast()
    {
        New();
        Run(new Step("Add-StratoIoThread", "fast").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("IoThread", "fast"));
        Run(new Step("Add-StratoNetworkAdapter", "tap0").With("VMName", "web").With("IoThread", "fast"));
    }

    private IoThread[] Threads() => [.. Run(new Step("Get-StratoIoThread").With("VMName", "web")).Of<IoThread>()];

    private string Line() => string.Join(' ', EngineArguments.Build(Store.Client.Get("web"), "/run", "/log", "/console", new StartOptions()));
}
