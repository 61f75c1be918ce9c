using System.Linq;
using System.Management.Automation;
using Strato.Client;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>New-StratoVm -Ephemeral, and what the other cmdlets make of such a VM.</summary>
[Collection(CmdletCollection.Name)]
public sealed class EphemeralTests : CmdletTests
{
    private Vm NewEphemeral(string commandLine = "quiet") =>
        Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("CommandLine", commandLine).Switch("Ephemeral")).Single<Vm>();

    [Fact]
    public void StopEmitsWhatItRemoved()
    {
        Assert.True(NewEphemeral().IsEphemeral);
        Assert.False(New("plain").IsEphemeral);
        Run(new Step("Start-StratoVm", "web"));
        Vm stopped = Run(new Step("Stop-StratoVm", "web").Switch("PassThru")).Single<Vm>();
        Assert.Equal(("web", "Stopped"), (stopped.Name, stopped.State));
        AssertError(Error(new Step("Get-StratoVm", "web")), "VmNotFound", ErrorCategory.ObjectNotFound, "web");
        Assert.Equal("plain", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
    }

    [Fact]
    public void AVmOnThePipelineIsMadeOnceMoreAsEphemeral()
    {
        NewEphemeral();
        Assert.True(Run(new Step("Get-StratoVm", "web"), new Step("New-StratoVm").With("Name", "again")).Single<Vm>().IsEphemeral);
    }

    [Fact]
    public void AShortLivedOneCanBeWaitedForByNameAndByObject()
    {
        NewEphemeral("print=done short");
        Vm vm = Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>();
        ClientFixture.Until(() => Store.Client.Snapshot(vm.Id).State == VmState.Stopped, "the end");
        Assert.Equal("Stopped", Run(new Step("Wait-StratoVm", "web").With("For", "Stopped").Switch("PassThru")).Single<Vm>().State);
        Assert.Empty(Run(new Step("Get-StratoVm")).Output);
        Run(new Step("Wait-StratoVm").With("VM", new[] { vm }).With("For", "Stopped"));
        Run(new Step("Stop-StratoVm").With("VM", new[] { vm }));
        AssertError(Error(new Step("Wait-StratoVm").With("VM", new[] { vm })), "VmNotFound", ErrorCategory.ObjectNotFound, "web");
    }

    [Fact]
    public void ADriveThatKeepsChangesIsRefused()
    {
        NewEphemeral();
        AssertError(Error(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web").With("Snapshot", new SwitchParameter(false))), "EphemeralDrive", ErrorCategory.InvalidArgument, "web");
        Run(new Step("Add-StratoDrive", "vmlinuz").With("VMName", "web"));
        Assert.True(Run(new Step("Get-StratoDrive").With("VMName", "web")).Of<Drive>().Single().Snapshot);
    }
}
