using System;
using System.Collections;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Strato.Client;
using Strato.Client.Runtime;
using Strato.Engine.Memory;
using Strato.PowerShell;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Memory;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Get- and Set-StratoHugePage, and -HugePage of New- and Set-StratoVm, on a host whose /sys and /proc are files of the test's.</summary>
[Collection(CmdletCollection.Name)]
public sealed class HugePageTests : CmdletTests, IDisposable
{
    private const long Small = 2 << 20;
    private const long Large = 1 << 30;

    private readonly string _root;

    public HugePageTests()
    {
        _root = Path.Combine(Store.Root, "host");
        Pool("sys/kernel/mm/hugepages/hugepages-1048576kB", 4, 4, 0);
        Pool("sys/kernel/mm/hugepages/hugepages-2048kB", 512, 300, 100);
        Pool("sys/devices/system/node/node0/hugepages/hugepages-2048kB", 256, 200, null);
        Pool("sys/devices/system/node/node1/hugepages/hugepages-2048kB", 256, 100, null);
        Mount("proc /proc proc rw,nosuid 0 0\nhugetlbfs /dev/huge\\040pages hugetlbfs rw,relatime,pagesize=2M 0 0\n");
        HostHugePages.Root = _root;
    }

    void IDisposable.Dispose()
    {
        HostHugePages.Root = "";
        Dispose();
    }

    [Fact]
    public void EachSizeIsShownWithItsMount()
    {
        HugePage[] all = [.. Run(new Step("Get-StratoHugePage")).Of<HugePage>()];
        Assert.Equal([(Small, 512L, 300L, 100L, "/dev/huge pages"), (Large, 4L, 4L, 0L, null)], all.Select(pages => (pages.Size, pages.Total, pages.Free, pages.Reserved, pages.MountPath)));
        Assert.Equal([(0, 256L, 200L), (1, 256L, 100L)], all[0].Nodes.Select(node => (node.Node, node.Total, node.Free)));
        Assert.Empty(all[1].Nodes);
        Assert.Equal(Large, Run(new Step("Get-StratoHugePage", Large)).Single<HugePage>().Size);
        ErrorRecord error = Error(new Step("Get-StratoHugePage", 64L << 10));
        AssertError(error, "HugePageSizeUnavailable", ErrorCategory.ResourceUnavailable, 64L << 10);
        Assert.Equal("The host has no huge pages of 64 KiB; it has them of 2 MiB, 1 GiB.", error.Exception.Message);
    }

    [Fact]
    public void AShellThatIsStoppedAsksForNoMorePages()
    {
        using CancellationTokenSource stopped = new();
        stopped.Cancel();
        Assert.Throws<OperationCanceledException>(() => StratoClient.SetHugePages(Small, 700, stopped.Token));
        Assert.Equal(512, StratoClient.GetHugePages(Small).Total);
    }

    [Fact]
    public void SizesAreCompletedAsPowerShellWritesThem()
    {
        string[] all = [.. new HugePageSizeCompleter().CompleteArgument("New-StratoVm", "HugePage", "", null!, new Hashtable()).Select(result => result.CompletionText)];
        Assert.Equal(["2MB", "1GB"], all);
        Assert.Equal("4 of 4 are free", Assert.Single(new HugePageSizeCompleter().CompleteArgument("New-StratoVm", "HugePage", "1g", null!, new Hashtable())).ToolTip);
    }

    [Fact]
    public void AKernelWithoutThemHasNone()
    {
        Directory.Delete(_root, recursive: true);
        Assert.Empty(Run(new Step("Get-StratoHugePage")).Output);
        Assert.Equal("The host has no huge pages of 2 MiB; its kernel has none of any size.", Error(new Step("Set-StratoHugePage", Small, 1L)).Exception.Message);
    }

    [Fact]
    public void TheNumberIsTheKernels()
    {
        Run(new Step("Set-StratoHugePage", Small, 7L).Switch("WhatIf"));
        Assert.Equal("512", Count());
        Assert.Equal(700, Run(new Step("Set-StratoHugePage", Small, 700L).Switch("PassThru")).Single<HugePage>().Total);
        Assert.Equal("700", Count());
        Assert.Empty(Run(new Step("Set-StratoHugePage", Small, 0L)).Output);
    }

    [Fact]
    public void FewerThanAskedForIsAnErrorThatCounts()
    {
        // Takes what is written, and tells of none.
        File.Delete(CountFile);
        File.CreateSymbolicLink(CountFile, "/dev/null");
        ErrorRecord error = Error(new Step("Set-StratoHugePage", Small, 513L));
        AssertError(error, "HugePagesTooFew", ErrorCategory.ResourceUnavailable, Small);
        Assert.Equal("The kernel has set 0 huge pages of 2 MiB aside, and 513 were asked for: for the others it found no free memory in one piece.", error.Exception.Message);
        Assert.Contains("hugepagesz=2M hugepages=513", error.ErrorDetails?.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void PagesInUseStayAndThatIsTold()
    {
        HostHugePages.Root = "";
        using HugePages host = HugePages.Reserve(4);
        using GuestMemory memory = GuestMemory.Allocate([(0, 2 * Small)], MemoryFile.Create(2 * Small, Small));
        HostResult fewer = Run(new Step("Set-StratoHugePage", Small, 0L).Switch("PassThru"));
        HugePage left = fewer.Single<HugePage>();
        Assert.Equal((2L, 0L), (left.Reserved, left.Free - left.Reserved));
        Assert.Equal($"{left.Total} huge pages of 2 MB stay; those above 0 go when nobody uses them.", Assert.Single(fewer.Warnings));
    }

    [Fact]
    public void AVmWithHugePagesGetsTheirMount()
    {
        Vm vm = Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Small)).Single<Vm>();
        Assert.Equal(Small, vm.HugePage);
        Assert.Contains(" -mem-path /dev/huge pages ", Line(), StringComparison.Ordinal);
        Run(new Step("Set-StratoVm", "web").With("HugePage", 0L));
        Assert.DoesNotContain("-mem-path", Line(), StringComparison.Ordinal);
        vm.Refresh();
        Assert.Null(vm.HugePage);
        Run(new Step("Set-StratoVm", "web").With("HugePage", Small));
        Assert.Equal(Small, Run(new Step("Get-StratoVm", "web")).Single<Vm>().HugePage);
        Assert.Contains("\"hugePage\": 2097152", File.ReadAllText(Store.Paths.DefinitionFile(vm.Id)), StringComparison.Ordinal);

        // Unmounted since.
        Mount("");
        AssertError(Error(new Step("Start-StratoVm", "web")), "HugePagesNotMounted", ErrorCategory.ResourceUnavailable, "web");
    }

    /// <summary>What is mapped from a snapshot is there at once; huge pages have to be filled.</summary>
    [Fact]
    public void ARestoreTellsThatTheMemoryWasCopied()
    {
        Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Small));
        Assert.Null(Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>().MemoryCopied);
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Assert.True(Run(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force").Switch("PassThru")).Single<Vm>().MemoryCopied);
        Assert.True(Run(new Step("Copy-StratoVm").With("Snapshot", "base").Switch("PassThru")).Single<Vm>().MemoryCopied);
    }

    [Fact]
    public void AMountThatCanBeFilledComesFirst()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "mine")).FullName;
        Mount($"hugetlbfs {_root}/theirs hugetlbfs ro,pagesize=2M 0 0\nhugetlbfs {folder} hugetlbfs rw,pagesize=2M 0 0\n");
        Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Small));
        Assert.Contains($" -mem-path {folder} ", Line(), StringComparison.Ordinal);
    }

    [Fact]
    public void ZeroThatWasWrittenByHandIsPlainPages()
    {
        Vm vm = Run(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Small)).Single<Vm>();
        string path = Store.Paths.DefinitionFile(vm.Id);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"hugePage\": 2097152", "\"hugePage\": 0", StringComparison.Ordinal));
        Run(new Step("Set-StratoVm", "web").With("Memory", 1L << 30));
        Assert.Null(Run(new Step("Get-StratoVm", "web")).Single<Vm>().HugePage);
    }

    [Fact]
    public void ASizeThatIsNotMountedIsRefusedWithTheRemedy()
    {
        ErrorRecord error = Error(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Large).With("Memory", Large));
        AssertError(error, "HugePagesNotMounted", ErrorCategory.ResourceUnavailable, "web");
        Assert.Equal("No hugetlbfs with pages of 1 GiB is mounted.", error.Exception.Message);
        Assert.Equal("As root: mkdir -p /dev/hugepages-1G && mount -t hugetlbfs -o pagesize=1G hugetlbfs /dev/hugepages-1G", error.ErrorDetails?.RecommendedAction);
        AssertError(Error(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", 4096L)), "HugePageSizeUnavailable", ErrorCategory.ResourceUnavailable, "web");
    }

    [Fact]
    public void MemoryIsWholePages()
    {
        const string Message = "Memory of 257 MiB is not a multiple of the huge pages of 2 MiB that are to hold it.";
        ErrorRecord error = Error(new Step("New-StratoVm", "web").With("Kernel", "vmlinuz").With("HugePage", Small).With("Memory", 257L << 20));
        AssertError(error, "InvalidMemory", ErrorCategory.InvalidArgument, "web");
        Assert.Equal(Message, error.Exception.Message);
        New();
        Run(new Step("Set-StratoVm", "web").With("Memory", 257L << 20));
        Assert.Equal(Message, Error(new Step("Set-StratoVm", "web").With("HugePage", Small)).Exception.Message);
    }

    [Fact]
    public void ABalloonAndHugePagesExcludeEachOther()
    {
        const string Message = "The VM 'web' can't have both huge pages of 2 MiB and a balloon, which gives memory back by pages of 4096 bytes.";
        New();
        Run(new Step("Add-StratoBalloon", "web"));
        ErrorRecord error = Error(new Step("Set-StratoVm", "web").With("HugePage", Small));
        AssertError(error, "BalloonWithHugePages", ErrorCategory.InvalidArgument, "web");
        Assert.Equal(Message, error.Exception.Message);
        Run(new Step("Remove-StratoBalloon", "web"));
        Run(new Step("Set-StratoVm", "web").With("HugePage", Small));
        error = Error(new Step("Add-StratoBalloon", "web"));
        AssertError(error, "BalloonWithHugePages", ErrorCategory.InvalidArgument, "web");
        Assert.Equal(Message, error.Exception.Message);
        Assert.Empty(Run(new Step("Get-StratoBalloon", "web")).Output);
    }

    private string Line() => string.Join(' ', EngineArguments.Build(Store.Client.Get("web"), "/run", "/log", "/console", new()));

    private string CountFile => Path.Combine(_root, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");

    private string Count() => File.ReadAllText(CountFile).TrimEnd();

    private void Pool(string folder, long total, long free, long? reserved)
    {
        string path = Directory.CreateDirectory(Path.Combine(_root, folder)).FullName;
        File.WriteAllText(Path.Combine(path, "nr_hugepages"), $"{total}\n");
        File.WriteAllText(Path.Combine(path, "free_hugepages"), $"{free}\n");
        File.WriteAllText(Path.Combine(path, "surplus_hugepages"), "0\n");
        if (reserved is not null)
        {
            File.WriteAllText(Path.Combine(path, "resv_hugepages"), $"{reserved}\n");
        }
    }

    private void Mount(string text)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "proc/self")).FullName;
        File.WriteAllText(Path.Combine(folder, "mounts"), text);
    }
}
