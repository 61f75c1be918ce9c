using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Rename-StratoVm.</summary>
[Collection(CmdletCollection.Name)]
public sealed class RenameTests : CmdletTests
{
    [Fact]
    public void AVmGetsAnotherNameAndStaysWhatItIs()
    {
        Vm vm = New();
        Assert.Empty(Run(new Step("Rename-StratoVm", "web", "www")).Output);
        Vm renamed = Run(new Step("Get-StratoVm"), new Step("Rename-StratoVm").With("NewName", "WWW").Switch("PassThru")).Single<Vm>();
        Assert.Equal((vm.Id, "WWW"), (renamed.Id, renamed.Name));
    }

    [Fact]
    public void ARunningVmToo()
    {
        Vm vm = Start();
        Vm renamed = Run(new Step("Rename-StratoVm", "web", "www").Switch("PassThru")).Single<Vm>();
        Assert.Equal(("www", "Running", vm.ProcessId), (renamed.Name, renamed.State, renamed.ProcessId));
    }

    [Fact]
    public void OfSeveralTheFirstGetsTheNameAndTheOthersAreRefused()
    {
        New("a1");
        New("a2");
        AssertError(Error(new Step("Rename-StratoVm", "a*", "b")), "VmExists", ErrorCategory.ResourceExists, "a2");
        Assert.Equal(["a2", "b"], Run(new Step("Get-StratoVm")).Of<Vm>().Select(vm => vm.Name));
    }

    [Theory]
    [InlineData("", "InvalidName", ErrorCategory.InvalidArgument)]
    [InlineData("a/b", "InvalidName", ErrorCategory.InvalidArgument)]
    [InlineData("OTHER", "VmExists", ErrorCategory.ResourceExists)]
    public void ABadNameIsRefused(string name, string id, ErrorCategory category)
    {
        New();
        New("other");
        AssertError(Error(new Step("Rename-StratoVm", "web", name)), id, category, "web");
        Assert.Equal(["other", "web"], Run(new Step("Get-StratoVm")).Of<Vm>().Select(vm => vm.Name));
    }

    [Fact]
    public void WhatIsNotThereIsAnErrorAndWhatIfChangesNothing()
    {
        AssertError(Error(new Step("Rename-StratoVm", "nobody", "x")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        New();
        Assert.Equal(["Rename to 'x': web"], Run(new Step("Rename-StratoVm", "web", "x").Switch("WhatIf")).ShouldProcess);
        Assert.Equal("web", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
    }
}
