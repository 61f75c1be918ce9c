using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Remove- and Set-StratoSharedFolder.</summary>
[Collection(CmdletCollection.Name)]
public sealed class SharedFolderTests : CmdletTests
{
    [Fact]
    public void ThePathIsFirstAndTheVmComesThroughThePipeline()
    {
        Vm vm = Run(
            new Step("New-StratoVm", "web", "vmlinuz"),
            new Step("Add-StratoSharedFolder", Make("a")).With("Tag", "my tag").Switch("PassThru"),
            new Step("Add-StratoSharedFolder", Make("b,c")).Switch("PassThru"),
            new Step("Add-StratoSharedFolder", Make("d")).Switch("PassThru")).Single<Vm>();
        Assert.Equal([("my tag", PathOf("a")), ("share0", PathOf("b,c")), ("share1", PathOf("d"))], Folders().Select(folder => (folder.Tag, folder.Path)));
        Assert.All(Folders(), folder => Assert.Equal(("web", vm.Id), (folder.VMName, folder.VMId)));
    }

    [Fact]
    public void TheEngineGetsThemAndSharesItsMemory()
    {
        New();
        Assert.Contains("-machine type=microvm -kernel ", EngineLine(), StringComparison.Ordinal);
        Run(new Step("Add-StratoSharedFolder", Make("a,b")).With("VMName", "web").With("Tag", "t,u"));
        Assert.Contains("-machine type=microvm,mem-share=on -kernel ", EngineLine(), StringComparison.Ordinal);
        Assert.Contains($"-device vhost-user-fs-device,tag=t,,u,source={Store.Root}/a,,b ", EngineLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void TheFolderOfATagChanges()
    {
        New();
        Run(new Step("Add-StratoSharedFolder", Make("a")).With("VMName", "web"));
        Run(new Step("Set-StratoSharedFolder", "share*").With("VMName", "web").With("Path", Make("b")));
        Assert.Equal(PathOf("b"), Assert.Single(Folders()).Path);
        Run(new Step("Get-StratoSharedFolder", "share0").With("VMName", "web"), new Step("Set-StratoSharedFolder").With("Path", "a"));
        Assert.Equal(PathOf("a"), Assert.Single(Folders()).Path);
        AssertError(
            Error(new Step("Set-StratoSharedFolder", "share0").With("VMName", "web").With("Path", "none")), "SharedFolderPathNotFound", ErrorCategory.ObjectNotFound, "share0");
    }

    [Fact]
    public void MistakesAreNamed()
    {
        New();
        Make("a");
        Run(new Step("Add-StratoSharedFolder", "a").With("VMName", "web").With("Tag", "t"));
        AssertError(Error(new Step("Add-StratoSharedFolder", "a").With("VMName", "web").With("Tag", "T")), "SharedFolderExists", ErrorCategory.ResourceExists, "web");
        AssertError(Error(new Step("Add-StratoSharedFolder", "none").With("VMName", "web")), "SharedFolderPathNotFound", ErrorCategory.ObjectNotFound, "web");
        AssertError(Error(new Step("Add-StratoSharedFolder", "vmlinuz").With("VMName", "web")), "SharedFolderNotFolder", ErrorCategory.InvalidArgument, "web");
        AssertError(
            Error(new Step("Add-StratoSharedFolder", "a").With("VMName", "web").With("Tag", new string('t', 37))), "InvalidTag", ErrorCategory.InvalidArgument, "web");
        ErrorRecord error = Error(new Step("Remove-StratoSharedFolder", "u").With("VMName", "web"));
        AssertError(error, "SharedFolderNotFound", ErrorCategory.ObjectNotFound, "u");
        Assert.Equal("The VM 'web' has no shared folder 'u'; it has 't'.", error.ToString());
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Add-StratoSharedFolder", "a").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "web");
        AssertError(Error(new Step("Remove-StratoSharedFolder", "t").With("VMName", "web")), "VmRunning", ErrorCategory.InvalidOperation, "t");
    }

    [Fact]
    public void FoldersAreFoundByTagWildcardAndRemovedAsObjects()
    {
        New();
        foreach (string tag in (string[])["a", "b1", "b2"])
        {
            Run(new Step("Add-StratoSharedFolder", Make(tag)).With("VMName", "web").With("Tag", tag));
        }

        Assert.Equal(["b1", "b2"], Run(new Step("Get-StratoVm", "web"), new Step("Get-StratoSharedFolder", "B*")).Of<SharedFolder>().Select(folder => folder.Tag));
        Run(new Step("Get-StratoSharedFolder", "b1").With("VMName", "web"), new Step("Remove-StratoSharedFolder"));
        Assert.Equal(["a", "b2"], Folders().Select(folder => folder.Tag));
        Run(new Step("Add-StratoSharedFolder", "a").With("VMName", "web").Switch("WhatIf"));
        Run(new Step("Get-StratoVm"), new Step("Remove-StratoSharedFolder", "*"));
        Assert.Empty(Folders());
        Assert.True(Directory.Exists(PathOf("a")));
    }

    private string Make(string name)
    {
        Directory.CreateDirectory(PathOf(name));
        return name;
    }

    private string PathOf(string name) => Path.Combine(Store.Root, name);

    private string EngineLine() => string.Join(' ', Strato.Client.Runtime.EngineArguments.Build(Store.Client.Get("web"), "/run/x", "/log", "/console", new()));

    private SharedFolder[] Folders() => [.. Run(new Step("Get-StratoSharedFolder").With("VMName", "web")).Of<SharedFolder>()];
}
