using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Copy-StratoVm -Snapshot.</summary>
[Collection(CmdletCollection.Name)]
public sealed class CloneTests : CmdletTests
{
    [Fact]
    public void SeveralRunFromOneSnapshot()
    {
        New();
        Run(new Step("Add-StratoVsock", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        New("web-2");
        Vm[] clones = [.. Run(new Step("Copy-StratoVm").With("Snapshot", "base").With("Count", 3).With("ThrottleLimit", 2).Switch("PassThru")).Output.Cast<Vm>()];
        Assert.Equal(["web-1", "web-3", "web-4"], clones.Select(vm => vm.Name));
        Assert.All(clones, vm => Assert.Equal("Running", vm.State));
        Assert.Equal(3, clones.Select(vm => vm.ProcessId).Distinct().Count());
        Assert.All(clones, vm => Assert.Contains("restored: memory of web; time real", File.ReadAllText(vm.ConsoleLogPath), StringComparison.Ordinal));
        long[] cids = [.. Run(new Step("Get-StratoVsock", "*")).Output.Cast<Vsock>().Select(vsock => vsock.GuestCid)];
        Assert.Equal(4, cids.Distinct().Count());

        // Its file may go while they run.
        Run(new Step("Remove-StratoSnapshot", "web", "base").Switch("Force"));
        Assert.Equal("Running", State("web-1"));
    }

    [Fact]
    public void NamesAreAsTheFormatSays()
    {
        Start("a");
        Start("b");
        Run(new Step("Save-StratoSnapshot", "*", "base"));
        AssertError(Error(new Step("Copy-StratoVm").With("Snapshot", "base")), "SnapshotAmbiguous", ErrorCategory.InvalidArgument, "base");
        AssertError(Error(new Step("Copy-StratoVm", "a").With("Snapshot", "none")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "none");
        Assert.Equal("one", Run(new Step("Copy-StratoVm", "a").With("Snapshot", "base").With("NewName", "one").Switch("PassThru")).Single<Vm>().Name);
        Assert.Equal(
            ["x-001", "x-002"],
            Run(new Step("Get-StratoSnapshot", "b", "base"), new Step("Copy-StratoVm").With("Count", 2).With("NameFormat", "x-{0:000}").Switch("PassThru")).Output.Cast<Vm>().Select(vm => vm.Name));
        Assert.Equal("ParametersConflict", Terminates(new Step("Copy-StratoVm", "a").With("Snapshot", "base").With("Count", 2).With("NameFormat", "x")).Split(',')[0]);
        Assert.Equal("ParametersConflict", Terminates(new Step("Copy-StratoVm", "a").With("Snapshot", "base").With("Count", 2).With("NewName", "x")).Split(',')[0]);
        Assert.Equal("InvalidNameFormat", Terminates(new Step("Copy-StratoVm", "a").With("Snapshot", "base").With("Count", 2).With("NameFormat", "{")).Split(',')[0]);
        AssertError(Error(new Step("Copy-StratoVm", "a").With("Snapshot", "base").With("NewName", "one")), "VmExists", ErrorCategory.ResourceExists, "one");
    }

    [Fact]
    public void EachHasItsOwnDiskOrNone()
    {
        string image = Store.WriteFile("a.img", new string('a', 1024));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "with").Switch("IncludeDisk"));
        Run(new Step("Save-StratoSnapshot", "web", "without"));
        File.WriteAllText(image, new string('b', 1024));
        File.SetLastWriteTimeUtc(image, DateTime.UtcNow.AddMinutes(1));
        AssertError(Error(new Step("Copy-StratoVm", "web").With("Snapshot", "without")), "SnapshotDiskChanged", ErrorCategory.InvalidOperation, "without");
        Run(new Step("Copy-StratoVm", "web").With("Snapshot", "with").With("Count", 2));
        foreach (string name in (ReadOnlySpan<string>)["web-1", "web-2"])
        {
            Drive drive = Run(new Step("Get-StratoDrive").With("VMName", name)).Single<Drive>();
            Assert.Equal(Path.Combine(Store.Root, $"{name}-disk0.img"), drive.Path);
            Assert.Equal(new string('a', 1024), File.ReadAllText(drive.Path));
        }

        Vm brief = Run(new Step("Copy-StratoVm", "web").With("Snapshot", "with").With("NewName", "brief").Switch("Ephemeral").Switch("PassThru")).Single<Vm>();
        Assert.True(brief.IsEphemeral);
        Assert.True(brief.Drives[0].Snapshot);
        Assert.StartsWith(Run(new Step("Get-StratoSnapshot", "web", "with")).Single<Snapshot>().Path, brief.Drives[0].Path, StringComparison.Ordinal);
        Run(new Step("Stop-StratoVm", "brief").Switch("TurnOff").Switch("Force"));
        AssertError(Error(new Step("Get-StratoVm", "brief")), "VmNotFound", ErrorCategory.ObjectNotFound, "brief");
    }

    [Fact]
    public void OneThatCannotStartLeavesNothing()
    {
        Store.WriteFile("a.img", new string('a', 512));
        New("web", "quiet");
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base").Switch("IncludeDisk"));
        Environment.SetEnvironmentVariable("STRATO_ENGINE", Store.WriteFile("broken.sh", "#!/bin/sh\nexit 3\n"));
        File.SetUnixFileMode(Path.Combine(Store.Root, "broken.sh"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        AssertError(Error(new Step("Copy-StratoVm").With("Snapshot", "base")), "EngineFailed", ErrorCategory.DeviceError, "web-1");
        Assert.Equal("web", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
        Assert.Equal(["a.img"], Directory.EnumerateFiles(Store.Root, "*.img").Select(Path.GetFileName));
    }

    [Fact]
    public void TwoOnOneSwitchAreRefusedWithoutAnAgent()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("TapName", "tap-none"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        string file = Path.Combine(Run(new Step("Get-StratoSnapshot", "web")).Single<Snapshot>().Path, "snapshot.json");
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"type\": \"tap\"", "\"type\": \"switch\"", StringComparison.Ordinal).Replace("\"tap\": \"tap-none\"", "\"switch\": \"lan\"", StringComparison.Ordinal));
        ErrorRecord error = Error(new Step("Copy-StratoVm").With("Snapshot", "base").With("Count", 2));
        AssertError(error, "CloneMacAddress", ErrorCategory.InvalidOperation, "base");
        Assert.Contains("on the switch 'lan'", error.ToString(), StringComparison.Ordinal);

        // One alone has no other to be mistaken for; what stands in its way is that there is no such switch.
        AssertError(Error(new Step("Copy-StratoVm").With("Snapshot", "base")), "SwitchNotFound", ErrorCategory.ObjectNotFound, "web-1");
        Assert.Equal("web", Run(new Step("Get-StratoVm")).Single<Vm>().Name);
    }

    [Fact]
    public void TwoOnOneTapAreRefused()
    {
        New();
        Run(new Step("Add-StratoNetworkAdapter").With("VMName", "web").With("TapName", "tap-none"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        AssertError(Error(new Step("Copy-StratoVm").With("Snapshot", "base").With("Count", 2)), "CloneTap", ErrorCategory.InvalidOperation, "base");
        Vm clone = Run(new Step("Copy-StratoVm").With("Snapshot", "base").Switch("PassThru")).Single<Vm>();

        // Its guest knows the address of the first.
        Assert.Equal(Run(new Step("Get-StratoNetworkAdapter").With("VMName", "web")).Single<NetworkAdapter>().MacAddress, clone.NetworkAdapters[0].MacAddress);
        AssertError(Error(new Step("Copy-StratoVm").With("Snapshot", "base")), "CloneTap", ErrorCategory.InvalidOperation, "base");
    }
}
