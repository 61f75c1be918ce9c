using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading;
using Strato.Client;
using Strato.Protocol.Configuration;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Add-, Get-, Remove- and Set-StratoDrive.</summary>
[Collection(CmdletCollection.Name)]
public sealed class DriveTests : CmdletTests
{
    public DriveTests() => Store.WriteFile("root.ext4", new string('x', 4096));

    [Fact]
    public void ThePathIsFirstAndTheVmComesThroughThePipeline()
    {
        Vm vm = Run(
            new Step("New-StratoVm", "web", "vmlinuz"),
            new Step("Add-StratoDrive", "root.ext4").Switch("PassThru"),
            new Step("Add-StratoDrive", "./root.ext4").With("Id", "data").With("Serial", "S1").Switch("ReadOnly", "PassThru")).Single<Vm>();
        Assert.Equal([("disk0", false, null), ("data", true, "S1")], vm.Drives.Select(drive => (drive.Id, drive.ReadOnly, drive.Serial)));
        Assert.All(vm.Drives, drive => Assert.Equal((Path.Combine(Store.Root, "root.ext4"), 4096L, "web", vm.Id), (drive.Path, drive.Size, drive.VMName, drive.VMId)));
    }

    [Fact]
    public void AddIsSilentAndTakesAName()
    {
        New();
        Assert.Empty(Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web")).Output);
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").Switch("WhatIf"));
        Assert.Single(Run(new Step("Get-StratoDrive").With("VMName", "web")).Output);
    }

    [Fact]
    public void MistakesAreNamed()
    {
        New();
        AssertError(Error(new Step("Add-StratoDrive", "missing.ext4").With("VMName", "web")), "DriveFileNotFound", ErrorCategory.ObjectNotFound, "web");
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "root"));
        AssertError(Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "root")), "DriveExists", ErrorCategory.ResourceExists, "web");
        AssertError(Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "nobody")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
        ErrorRecord error = Error(new Step("Get-StratoDrive", "swap").With("VMName", "web"));
        AssertError(error, "DriveNotFound", ErrorCategory.ObjectNotFound, "swap");
        Assert.Equal("The VM 'web' has no disk 'swap'; it has 'root'.", error.ToString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    public void AnImageOfNoWholeSectorsIsRefusedBeforeAnyStart(int length)
    {
        New();
        Store.WriteFile("odd.img", new string('x', length));
        File.CreateSymbolicLink(Path.Combine(Store.Root, "link.img"), "odd.img");
        foreach (string path in (string[])["odd.img", "link.img"])
        {
            ErrorRecord error = Error(new Step("Add-StratoDrive", path).With("VMName", "web"));
            AssertError(error, "DriveSize", ErrorCategory.InvalidArgument, "web");
            Assert.Contains($"has {length} bytes; allowed are multiples of 512", error.ErrorDetails!.Message, StringComparison.Ordinal);
            Assert.Contains("truncate", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        }

        Assert.Empty(Run(new Step("Get-StratoDrive").With("VMName", "web")).Output);
    }

    [Fact]
    public void HowRequestsAreServedIsKeptAndChanged()
    {
        New();
        Run(new Step("Add-StratoIoThread", "fast").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Aio", "IoUring").With("Iops", 200).With("IoThread", "fast").Switch("Direct"));
        Run(new Step("Set-StratoDrive", "*").With("VMName", "web").With("QueueCount", 4).With("WriteErrorAction", "Enospc").With("Iops", 0));
        DriveIo io = Store.Client.GetById(Run(new Step("Get-StratoVm", "web")).Single<Vm>().Id).Drives[0].Io;
        Assert.Equal(
            new DriveIo { Aio = DriveAio.IoUring, Iops = 0, IoThread = "fast", Direct = true, QueueCount = 4, WriteErrorAction = DriveErrorAction.Enospc },
            io);
        Run(new Step("Get-StratoDrive").With("VMName", "web"), new Step("Set-StratoDrive").With("Iops", 7));
        Assert.Equal(7, Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Iops);
    }

    [Theory]
    [InlineData("QueueCount", 33, "33 queues of the drive 'root.ext4' are out of range; allowed: 1 to 32.")]
    [InlineData("QueueSize", 100, "A queue size of 100 of the drive 'root.ext4' is out of range; allowed: powers of two from 4 to 1024.")]
    [InlineData("Iops", 1000001, "A limit of 1000001 requests a second on the drive 'root.ext4' is out of range; allowed: 0 (none) to 1000000.")]
    [InlineData("Aio", "Native", "The drive 'root.ext4' has aio=native without direct=on (cache=none or cache=directsync), which it needs; allowed without: threads, io_uring, off.")]
    [InlineData("DetectZeroes", "Unmap", "The drive 'root.ext4' has detect-zeroes=unmap without discard=unmap, which it needs; allowed without: off, on.")]
    public void WhatCannotBeIsRefused(string parameter, object value, string message)
    {
        New();
        ErrorRecord error = Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With(parameter, value));
        AssertError(error, "InvalidDrive", ErrorCategory.InvalidArgument, "web");
        Assert.StartsWith(message, error.ToString(), System.StringComparison.Ordinal);
    }

    [Fact]
    public void WhatADiskIsChangesWhileTheVmIsStopped()
    {
        New();
        Store.WriteFile("other.ext4", new string('y', 512));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Serial", "S1").With("Iops", 7));
        Run(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Path", "./other.ext4").Switch("ReadOnly"));
        Drive drive = Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>();
        Assert.Equal(("disk0", Path.Combine(Store.Root, "other.ext4"), true, "S1", 7), (drive.Id, drive.Path, drive.ReadOnly, drive.Serial, drive.Iops));
        Run(new Step("Get-StratoDrive").With("VMName", "web"), new Step("Set-StratoDrive").With("ReadOnly", new SwitchParameter(false)).With("Serial", ""));
        drive = Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>();
        Assert.Equal((false, null), (drive.ReadOnly, drive.Serial));
        Run(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Serial", "S2"));
        Assert.Equal("S2", Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Serial);
    }

    [Theory]
    [InlineData("Path", "missing.ext4", "DriveFileNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("Path", "odd.ext4", "DriveSize", ErrorCategory.InvalidArgument)]
    [InlineData("Serial", "123456789012345678901", "InvalidSerialNumber", ErrorCategory.InvalidArgument)]
    [InlineData("QueueCount", 33, "InvalidDrive", ErrorCategory.InvalidArgument)]
    public void AChangeThatCannotBeChangesNothing(string parameter, object value, string id, ErrorCategory category)
    {
        New();
        Store.WriteFile("odd.ext4", "x");
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Serial", "S1"));
        AssertError(Error(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Iops", 9).With(parameter, value).Switch("ReadOnly")), id, category, "disk0");
        Drive drive = Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>();
        Assert.Equal((Path.Combine(Store.Root, "root.ext4"), false, "S1", 0), (drive.Path, drive.ReadOnly, drive.Serial, drive.Iops));
    }

    [Fact]
    public void AnImageThatWentAwayIsNoReasonToRefuseAnotherChange()
    {
        New();
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        File.Delete(Path.Combine(Store.Root, "root.ext4"));
        Run(new Step("Set-StratoDrive", "disk0").With("VMName", "web").Switch("ReadOnly"));
        Assert.True(Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().ReadOnly);
    }

    [Theory]
    [InlineData("ReadOnly", null)]
    [InlineData("Serial", "S2")]
    [InlineData("Path", "root.ext4")]
    [InlineData("QueueCount", 2)]
    [InlineData("IoThread", "")]
    public void ARunningVmTakesALimitAndNothingElse(string parameter, object? value)
    {
        New();
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Step set = new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Iops", 5);
        ErrorRecord error = Error(value is null ? set.Switch(parameter) : set.With(parameter, value));
        AssertError(error, "VmRunning", ErrorCategory.InvalidOperation, "disk0");
        Assert.Contains("Its drives, but for -Iops, can change only while it is stopped.", error.Exception.Message, StringComparison.Ordinal);
        Assert.Equal(0, Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Iops);
        Run(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Iops", 6));
        Assert.Equal(6, Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Iops);
        string[] said = [.. Run(new Step("Get-StratoConsole", "web")).Of<string>()];
        Assert.Equal(["fake engine", "{\"id\":\"disk0\",\"iops\":6}"], said);
    }

    [Fact]
    public void ALimitThatTheEngineRefusesIsNotKept()
    {
        New("web", "deaf");
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Iops", 7));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Set-StratoDrive", "disk0").With("VMName", "web").With("Iops", 5)), "QmpCommandNotFound", ErrorCategory.InvalidArgument, "disk0");
        Assert.Equal(7, Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Iops);
    }

    [Fact]
    public void ARunningVmGetsADriveAndLosesIt()
    {
        New();
        Run(new Step("Start-StratoVm", "web"));
        Vm vm = Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Serial", "S").With("Cache", "DirectSync").With("Iops", 9).Switch("PassThru", "Wait")).Single<Vm>();
        Assert.Equal(["disk0"], vm.Drives.Select(drive => drive.Id));
        Run(new Step("Remove-StratoDrive", "DISK0").With("VMName", "web").Switch("Wait"));
        Assert.Empty(Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        Assert.Equal(
            [
                "fake engine",
                $"blockdev-add {{\"node-name\":\"disk0\",\"file\":{{\"driver\":\"file\",\"filename\":\"{Path.Combine(Store.Root, "root.ext4")}\"}},\"cache\":{{\"direct\":true,\"no-flush\":false}},\"read-only\":false,\"snapshot\":false,\"iops\":9}}",
                "device_add {\"id\":\"disk0\",\"driver\":\"virtio-blk-mmio\",\"write-cache\":\"off\",\"serial\":\"S\"}",
                "device_del {\"id\":\"disk0\"}",
            ],
            Run(new Step("Get-StratoConsole", "web")).Of<string>());
    }

    [Fact]
    public void ATransientDriveIsTheRunningVmsAlone()
    {
        New();
        AssertError(Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").Switch("Transient")), "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "hot").Switch("Transient"));
        Assert.Equal(["disk0"], Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        Run(new Step("Remove-StratoDrive", "hot").With("VMName", "web").Switch("Transient"));
        Assert.Equal("device_del {\"id\":\"hot\"}", Run(new Step("Get-StratoConsole", "web")).Of<string>().Last());
        AssertError(Error(new Step("Remove-StratoDrive", "hot").With("VMName", "web")), "DriveNotFound", ErrorCategory.ObjectNotFound, "hot");

        // One that went by another way.
        Run(new Step("Remove-StratoDrive", "disk0").With("VMName", "web").Switch("Transient"));
        Run(new Step("Remove-StratoDrive", "disk0").With("VMName", "web"));
        Assert.Empty(Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        Assert.Single(Run(new Step("Get-StratoConsole", "web")).Of<string>(), line => line.StartsWith("device_del {\"id\":\"disk0\"", StringComparison.Ordinal));
    }

    [Fact]
    public void AnIdIsFreeWhereTheRunningVmHasNoneOfIt()
    {
        New();
        Store.WriteFile("b.ext4", new string('b', 512));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").Switch("Transient"));
        Run(new Step("Add-StratoDrive", "b.ext4").With("VMName", "web").Switch("Transient"));
        Run(new Step("Add-StratoDrive", "b.ext4").With("VMName", "web"));
        Assert.Equal(["disk2"], Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        AssertError(Error(new Step("Add-StratoDrive", "b.ext4").With("VMName", "web").With("Id", "DISK1")), "DriveExists", ErrorCategory.ResourceExists, "web");
        Assert.Equal(
            ["disk0", "disk1", "disk2"],
            Run(new Step("Get-StratoConsole", "web")).Of<string>().Where(line => line.StartsWith("device_add", StringComparison.Ordinal)).Select(line => line.Split('"')[3]));
    }

    [Fact]
    public void TheDefinitionHasTheOrderInWhichTheGuestSeesThem()
    {
        New();
        Store.WriteFile("b.ext4", new string('b', 512));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "a"));
        Run(new Step("Add-StratoDrive", "b.ext4").With("VMName", "web").With("Id", "b"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Remove-StratoDrive", "a").With("VMName", "web"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "c"));
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", "d"));
        Assert.Equal(["c", "b", "d"], Ids(new Step("Get-StratoDrive").With("VMName", "web")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatCantBeWrittenIsTakenBackOrTold(bool remove)
    {
        string id = New().Id;
        string definition = Store.Paths.DefinitionFile(id);
        if (remove)
        {
            Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        }

        Run(new Step("Set-StratoVm", "web").With("CommandLine", $"spoil={definition}"));
        Run(new Step("Start-StratoVm", "web"));
        string before = File.ReadAllText(definition);
        ErrorRecord error = Error(remove
            ? new Step("Remove-StratoDrive", "disk0").With("VMName", "web")
            : new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        Assert.Equal("StoreNotWritable", error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.Equal(remove, error.Exception.Message.EndsWith(" The running VM has lost 'disk0' all the same; its definition has it still.", StringComparison.Ordinal));
        Assert.Equal("device_del {\"id\":\"disk0\"}", File.ReadAllLines(Store.Paths.ConsoleLog(id))[^1]);

        // The store that ends the test's engines has to find this one.
        Directory.Delete(definition, recursive: true);
        File.WriteAllText(definition, before);
    }

    [Fact]
    public void AnAdditionThatIsEndedIsTakenBack()
    {
        string file = Path.Combine(Store.Root, "go");
        VmInfo vm = Store.Start("web", $"late={file}");
        using CancellationTokenSource source = new();
        Thread user = new(() =>
        {
            SpinWait.SpinUntil(() => File.ReadAllText(Store.Paths.ConsoleLog(vm.Id)).Contains("device_add", StringComparison.Ordinal));
            source.Cancel();
            File.WriteAllText(file, "");
        });
        user.Start();
        Assert.ThrowsAny<OperationCanceledException>(() => Store.Client.AddDrive(vm.Id, new() { Path = Path.Combine(Store.Root, "root.ext4") }, null, source.Token));
        user.Join();
        Assert.Equal("device_del {\"id\":\"disk0\"}", Run(new Step("Get-StratoConsole", "web")).Of<string>().Last());
        Assert.Empty(Ids(new Step("Get-StratoDrive").With("VMName", "web")));
    }

    [Fact]
    public void AGuestWhoseDriverLooksNoMoreIsNotWaitedFor()
    {
        New("web", "broken");
        Run(new Step("Start-StratoVm", "web"));
        ErrorRecord error = Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").Switch("Wait"));
        AssertError(error, "DeviceNeedsReset", ErrorCategory.InvalidOperation, "web");
    }

    [Fact]
    public void WhatTheEngineRefusesChangesNothing()
    {
        New("web", "full");
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web")), "QmpCommandNotFound", ErrorCategory.InvalidArgument, "web");
        Assert.Empty(Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        Assert.Equal("blockdev-del {\"node-name\":\"disk0\"}", Run(new Step("Get-StratoConsole", "web")).Of<string>().Last());
    }

    [Fact]
    public void AGuestThatDoesntLookIsWaitedForNoLongerThanAsked()
    {
        New("web", "blind");
        Run(new Step("Start-StratoVm", "web"));
        ErrorRecord error = Error(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Timeout", 0).Switch("Wait"));
        AssertError(error, "WaitTimeout", ErrorCategory.OperationTimeout, "web");
        Assert.Contains("has not looked at the change within 0 seconds; the change stays.", error.Exception.Message, StringComparison.Ordinal);
        Assert.Equal(["disk0"], Ids(new Step("Get-StratoDrive").With("VMName", "web")));
    }

    [Fact]
    public void DrivesAreFoundByIdWildcardAndRemovedAsObjects()
    {
        New();
        foreach (string id in (string[])["root", "data1", "data2"])
        {
            Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web").With("Id", id));
        }

        Assert.Equal(["data1", "data2"], Ids(new Step("Get-StratoVm", "web"), new Step("Get-StratoDrive", "DATA*")));
        Assert.Empty(Ids(new Step("Get-StratoVm", "web"), new Step("Get-StratoDrive", "no*")));
        Run(new Step("Get-StratoDrive", "data1").With("VMName", "web"), new Step("Remove-StratoDrive"));
        Assert.Equal(["root", "data2"], Ids(new Step("Get-StratoDrive").With("VMName", "web")));
        Vm vm = Run(new Step("Get-StratoVm"), new Step("Remove-StratoDrive", "*").Switch("PassThru")).Single<Vm>();
        Assert.Empty(vm.Drives);
        Assert.True(File.Exists(Path.Combine(Store.Root, "root.ext4")));
    }

    [Fact]
    public void ADriveWhoseFileWentAwayHasNoSize()
    {
        New();
        Run(new Step("Add-StratoDrive", "root.ext4").With("VMName", "web"));
        File.Delete(Path.Combine(Store.Root, "root.ext4"));
        Assert.Null(Run(new Step("Get-StratoDrive").With("VMName", "web")).Single<Drive>().Size);
    }

    private string[] Ids(params Step[] pipeline) => [.. Run(pipeline).Of<Drive>().Select(drive => drive.Id)];
}
