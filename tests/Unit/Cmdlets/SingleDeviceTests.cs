using System;
using System.Linq;
using System.Management.Automation;
using Strato.Client.Runtime;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Remove- and Set- of what a VM has one of: StratoVsock, StratoRng and StratoBalloon.</summary>
[Collection(CmdletCollection.Name)]
public sealed class SingleDeviceTests : CmdletTests
{
    [Fact]
    public void EachVsockGetsAnAddressOfItsOwn()
    {
        Vm[] vms = [.. new[] { "a", "b", "c" }.Select(name => New(name))];
        Run(new Step("Add-StratoVsock", "a"));
        Run(new Step("Add-StratoVsock", "b").With("GuestCid", 4294967294L));
        Run(new Step("Get-StratoVm", "c"), new Step("Add-StratoVsock").Switch("PassThru"), new Step("Get-StratoVm"));
        Assert.Equal([("a", 3L), ("b", 4294967294L), ("c", 4L)], Run(new Step("Get-StratoVsock", "*")).Of<Vsock>().Select(vsock => (vsock.VMName, vsock.GuestCid)));
        Run(new Step("Set-StratoVsock", "a").With("GuestCid", 77L));
        Assert.Contains("-device vhost-vsock-device,guest-cid=77 ", Line("a"), StringComparison.Ordinal);
        AssertError(Error(new Step("Set-StratoVsock", "a").With("GuestCid", 2L)), "OutOfRange", ErrorCategory.InvalidArgument, "a");
        Assert.Equal(77, Run(new Step("Get-StratoVsock", "a")).Single<Vsock>().GuestCid);
        Assert.Equal(vms[0].Id, Run(new Step("Get-StratoVsock", "a")).Single<Vsock>().VMId);
    }

    [Fact]
    public void WhereRandomBytesComeFromIsKeptAndChanged()
    {
        New();
        Run(new Step("Add-StratoRng", "web"));
        Assert.Contains("-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-device,rng=rng ", Line("web"), StringComparison.Ordinal);
        Run(new Step("Set-StratoRng", "web").With("MaxBytes", 1024L).With("Period", 1000L));
        Run(new Step("Set-StratoRng", "web").With("Source", "/dev/random"));
        Assert.Contains("-object rng-random,id=rng,filename=/dev/random -device virtio-rng-device,rng=rng,max-bytes=1024,period=1000 ", Line("web"), StringComparison.Ordinal);
        Rng rng = Run(new Step("Get-StratoRng", "web")).Single<Rng>();
        Assert.Equal(("web", "/dev/random", 1024L, 1000L), (rng.VMName, rng.Source, rng.MaxBytes, rng.Period));
        AssertError(Error(new Step("Set-StratoRng", "web").With("Source", "nothing")), "RngSourceNotFound", ErrorCategory.ObjectNotFound, "web");
        AssertError(Error(new Step("Set-StratoRng", "web").With("Period", 0L)), "OutOfRange", ErrorCategory.InvalidArgument, "web");
    }

    [Fact]
    public void WhatABalloonDoesByItselfIsKeptAndChanged()
    {
        New();
        Run(new Step("Add-StratoBalloon", "web").Switch("DeflateOnOom"));
        Run(new Step("Set-StratoBalloon", "web").Switch("FreePageReporting"));
        Assert.Contains("-device virtio-balloon-device,deflate-on-oom=on,free-page-reporting=on ", Line("web"), StringComparison.Ordinal);
        Balloon balloon = Run(new Step("Get-StratoBalloon", "web")).Single<Balloon>();
        Assert.Equal((true, true, 512L << 20, null), (balloon.DeflateOnOom, balloon.FreePageReporting, balloon.Memory, balloon.Actual));
    }

    [Theory]
    [InlineData("Vsock")]
    [InlineData("Rng")]
    [InlineData("Balloon")]
    public void AVmHasOneAtMost(string noun)
    {
        New();
        Assert.Empty(Run(new Step($"Get-Strato{noun}", "web")).Output);
        AssertError(Error(new Step($"Remove-Strato{noun}", "web")), $"{noun}NotFound", ErrorCategory.ObjectNotFound, "web");
        Step set = new($"Set-Strato{noun}", "web");
        AssertError(Error(noun == "Vsock" ? set.With("GuestCid", 5L) : set), $"{noun}NotFound", ErrorCategory.ObjectNotFound, "web");
        Run(new Step($"Add-Strato{noun}", "web").Switch("WhatIf"));
        Assert.Empty(Run(new Step($"Get-Strato{noun}", "web")).Output);
        Assert.Empty(Run(new Step($"Add-Strato{noun}", "web")).Output);
        AssertError(Error(new Step($"Add-Strato{noun}", "web")), $"{noun}Exists", ErrorCategory.ResourceExists, "web");
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step($"Remove-Strato{noun}", "web")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff", "Force"));
        Assert.Equal("web", Run(new Step($"Get-Strato{noun}", "*"), new Step($"Remove-Strato{noun}").Switch("PassThru")).Single<Vm>().Name);
        Assert.Empty(Run(new Step($"Get-Strato{noun}", "web")).Output);
    }

    [Fact]
    public void ARunningGuestIsAskedForMemoryAndWaitedFor()
    {
        New();
        Run(new Step("Add-StratoBalloon", "web"));
        AssertError(Error(new Step("Set-StratoBalloon", "web").With("Target", 256L << 20)), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        Run(new Step("Start-StratoVm", "web"));
        Assert.Equal(512L << 20, Run(new Step("Get-StratoBalloon", "web")).Single<Balloon>().Actual);
        Vm vm = Run(new Step("Get-StratoVm"), new Step("Set-StratoBalloon").With("Target", 256L << 20).Switch("Wait", "PassThru")).Single<Vm>();
        Assert.Equal(("Running", 256L << 20, 512L << 20), (vm.State, vm.MemoryAssigned, vm.Memory));
        Assert.Equal(256L << 20, Run(new Step("Get-StratoBalloon", "web")).Single<Balloon>().Actual);

        // In whole pages, never less than what was asked for.
        Run(new Step("Set-StratoBalloon", "web").With("Target", 300_000_001L).Switch("Wait"));
        Assert.Equal(300_003_328, Run(new Step("Get-StratoBalloon", "web")).Single<Balloon>().Actual);
        Assert.Equal(256L << 20, vm.MemoryAssigned);
        vm.Refresh();
        Assert.Equal(300_003_328, vm.MemoryAssigned);
        Run(new Step("Set-StratoBalloon", "web").With("Target", 1L << 20).Switch("WhatIf"));
        Assert.Equal(300_003_328, Run(new Step("Get-StratoBalloon", "web")).Single<Balloon>().Actual);
        AssertError(Error(new Step("Set-StratoBalloon", "web").With("Target", 513L << 20)), "InvalidTarget", ErrorCategory.InvalidArgument, "web");
        AssertError(Error(new Step("Set-StratoBalloon", "web").Switch("DeflateOnOom")), "VmRunning", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void AGuestThatDoesNotFollowIsToldOf()
    {
        New("web", "deaf");
        Run(new Step("Add-StratoBalloon", "web"));
        Run(new Step("Start-StratoVm", "web"));
        HostResult result = Host.Invoke(new Step("Set-StratoBalloon", "web").With("Target", 256L << 20).With("Timeout", 1).Switch("Wait"));
        ErrorRecord error = Assert.Single(result.Errors);
        AssertError(error, "WaitTimeout", ErrorCategory.OperationTimeout, "web");
        Assert.StartsWith("The guest of VM 'web' has 536870912 bytes of memory after ", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(result.Progress, record => record.StatusDescription == "web: 512 MB, on the way to 256 MB" && record.PercentComplete == 0);
        Assert.Equal(ProgressRecordType.Completed, result.Progress[^1].RecordType);
    }

    [Fact]
    public void ATargetGoesAlone()
    {
        New();
        Run(new Step("Add-StratoBalloon", "web"));
        Assert.Equal("ParametersConflict", Terminates(new Step("Set-StratoBalloon", "web").With("Target", 1L << 28).Switch("DeflateOnOom")).Split(',')[0]);
        Assert.Equal("ParametersConflict", Terminates(new Step("Set-StratoBalloon", "web").Switch("Wait")).Split(',')[0]);
    }

    private string Line(string name) => string.Join(' ', EngineArguments.Build(Store.Client.Get(name), "/run", "/log", "/console", new()));
}
