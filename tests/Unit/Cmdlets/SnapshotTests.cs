using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>The cmdlets of snapshots, with an engine that writes real files.</summary>
[Collection(CmdletCollection.Name)]
public sealed class SnapshotTests : CmdletTests
{
    [Fact]
    public void OneIsSavedListedAndRestored()
    {
        Vm web = Start();
        Assert.Empty(Run(new Step("Save-StratoSnapshot", "web", "base")).Output);
        Snapshot saved = Run(new Step("Save-StratoSnapshot", "web", "second").Switch("PassThru")).Single<Snapshot>();
        Assert.Equal(("web", web.Id, "second", "base", 1, true, true, 512L << 20, "9.9"), (saved.VMName, saved.VMId, saved.Name, saved.ParentName, saved.Depth, saved.IsCurrent, saved.WasRunning, saved.Memory, saved.EngineVersion));
        Assert.Equal("Running", State("web"));
        Assert.True(saved.Size is > 4096 and < 1 << 20, $"{saved.Size}");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(saved.Path, "memory")));

        // Without a question, for it says so; the engine of now ends.
        Vm restored = Run(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force").Switch("PassThru")).Single<Vm>();
        Assert.Equal(("Running", false), (restored.State, restored.MemoryCopied));
        Assert.Null(web.MemoryCopied);
        Assert.NotEqual(web.ProcessId, restored.ProcessId);
        Assert.Contains("restored: memory of web; time real", File.ReadAllText(web.ConsoleLogPath), StringComparison.Ordinal);
        Assert.Equal(["base", "second"], List("web"));
        Assert.True(Get("web", "base").IsCurrent);

        // What is saved next stands below what was restored.
        Run(new Step("Save-StratoSnapshot", "web", "third"));
        Assert.Equal("base", Get("web", "third").ParentName);
    }

    [Fact]
    public void AStoppedVmHasNothingToSaveButCanBeRestored()
    {
        Vm web = Start();
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        ErrorRecord error = Error(new Step("Save-StratoSnapshot", "web"));
        AssertError(error, "VmNotRunning", ErrorCategory.InvalidOperation, "web");
        Assert.Contains("no memory", error.ToString(), StringComparison.Ordinal);
        Run(new Step("Restore-StratoSnapshot", "web", "base").Switch("Paused").Switch("KeepTime").Switch("Verify"));
        Assert.Equal("Paused", State("web"));
        Assert.Contains("time saved", File.ReadAllText(web.ConsoleLogPath), StringComparison.Ordinal);
    }

    [Fact]
    public void ANameOfTheTimeIsGivenWhereNoneIs()
    {
        Start();
        string[] names = [.. Enumerable.Range(0, 2).Select(_ => Run(new Step("Save-StratoSnapshot", "web").Switch("PassThru")).Single<Snapshot>().Name)];
        Assert.All(names, name => Assert.Matches(@"^web - \(\d{4}-\d\d-\d\d - \d\d:\d\d:\d\d\)( \(2\))?$", name));
        Assert.NotEqual(names[0], names[1]);
        AssertError(Error(new Step("Save-StratoSnapshot", "web", names[0].ToUpperInvariant())), "SnapshotExists", ErrorCategory.ResourceExists, "web");
        AssertError(Error(new Step("Save-StratoSnapshot", "web", " x")), "InvalidName", ErrorCategory.InvalidArgument, "web");
    }

    [Fact]
    public void DisksAreCapturedAndPutBack()
    {
        string image = Store.WriteFile("a.img", new string('a', 1024));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "without"));
        Run(new Step("Save-StratoSnapshot", "web", "with").Switch("IncludeDisk"));
        Assert.Equal("Running", State("web"));
        Assert.Equal([], Get("web", "without").Disks);
        Assert.Equal(["disk0"], Get("web", "with").Disks);
        DateTime written = File.GetLastWriteTimeUtc(image);
        File.WriteAllText(image, new string('b', 1024));
        File.SetLastWriteTimeUtc(image, written.AddMinutes(1));

        // One that hasn't captured it tells that it doesn't fit any more.
        HostResult result = Run(new Step("Restore-StratoSnapshot", "web", "without").Switch("Force"));
        Assert.Contains("was written to since", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Empty(Run(new Step("Restore-StratoSnapshot", "web", "with").Switch("Force")).Warnings);
        Assert.Equal(new string('a', 1024), File.ReadAllText(image));
        Assert.Equal(written, File.GetLastWriteTimeUtc(image));
        Assert.Empty(Run(new Step("Restore-StratoSnapshot", "web", "without").Switch("Force")).Warnings);
    }

    [Fact]
    public void WhatCannotBeRestoredHereIsRefusedBeforeAnythingIsLost()
    {
        string image = Store.WriteFile("a.img", new string('a', 1024));
        New("web", "picky");
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        int? engine = Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>().ProcessId;
        Run(new Step("Save-StratoSnapshot", "web", "base").Switch("IncludeDisk"));
        File.WriteAllText(image, new string('b', 1024));
        Run(new Step("Set-StratoVm", "web").With("Notes", "mine"));

        // Beside the engine that runs.
        ErrorRecord error = Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force"));
        AssertError(error, "SnapshotMismatch", ErrorCategory.InvalidOperation, "base");
        Assert.Contains("avx512f", error.ToString(), StringComparison.Ordinal);
        Assert.Equal((engine, "Running"), (Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId, State("web")));
        Assert.Equal(new string('b', 1024), File.ReadAllText(image));

        // By the start itself.
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        Run(new Step("Add-StratoDrive", Store.WriteFile("b.img", new string('c', 512))).With("VMName", "web"));
        AssertError(Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force")), "SnapshotMismatch", ErrorCategory.InvalidOperation, "base");
        Assert.Equal(new string('b', 1024), File.ReadAllText(image));
        Assert.Equal(2, Run(new Step("Get-StratoDrive").With("VMName", "web")).Output.Count);
        Assert.Empty(Directory.EnumerateFiles(Store.Root, ".*"));
    }

    [Fact]
    public void DisksThatWereNotCapturedHaveToBeThereAsTheyWere()
    {
        string image = Store.WriteFile("a.img", new string('a', 1024));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        int? engine = Run(new Step("Start-StratoVm", "web").Switch("PassThru")).Single<Vm>().ProcessId;
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        File.WriteAllText(image, new string('a', 2048));
        ErrorRecord error = Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force"));
        AssertError(error, "SnapshotMismatch", ErrorCategory.InvalidOperation, "base");
        Assert.Contains("has 2048 bytes, and had 1024", error.ToString(), StringComparison.Ordinal);
        File.Delete(image);
        error = Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force"));
        AssertError(error, "DriveFileNotFound", ErrorCategory.ObjectNotFound, "base");
        Assert.Contains(image, error.ToString(), StringComparison.Ordinal);
        Assert.Equal(engine, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);
    }

    [Fact]
    public void TheDefinitionComesBackWithWhatHadBeenAddedWhileItRan()
    {
        Store.WriteFile("a.img", new string('a', 512));
        Start();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Run(new Step("Stop-StratoVm", "web").Switch("TurnOff").Switch("Force"));
        Run(new Step("Remove-StratoDrive", "disk0").With("VMName", "web"));
        Run(new Step("Set-StratoVm", "web").With("Notes", "mine"));
        Run(new Step("Rename-StratoVm", "web", "www"));
        HostResult asked = Run(new Step("Restore-StratoSnapshot", "www", "base").Switch("WhatIf"));
        Assert.Equal(["Restore the snapshot 'base'; what is lost: its definition of now: www"], asked.ShouldProcess);
        HostResult result = Run(new Step("Restore-StratoSnapshot", "www", "base").Switch("Force"));
        Assert.Contains("Drives[disk0]", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Equal("disk0", Run(new Step("Get-StratoDrive").With("VMName", "www")).Single<Drive>().Id);
        Assert.Equal("mine", Run(new Step("Get-StratoVm", "www")).Single<Vm>().Notes);
    }

    [Fact]
    public void OneThatFailsLeavesNothingAndTheVmGoesOn()
    {
        foreach ((string how, string id, ErrorCategory category) in (ReadOnlySpan<(string, string, ErrorCategory)>)[
            ("full", "SnapshotFailed", ErrorCategory.NotSpecified), ("never", "SnapshotUnsupported", ErrorCategory.InvalidOperation)])
        {
            Start(how, $"save={how}");
            ErrorRecord error = Error(new Step("Save-StratoSnapshot", how));
            AssertError(error, id, category, how);
            Assert.Contains(how == "full" ? "No space left on device" : "'fs0'", error.ToString(), StringComparison.Ordinal);
            Assert.Equal("Running", State(how));
            AssertNothingLeft(how);
        }

        Start("die", "save=die");
        AssertError(Error(new Step("Save-StratoSnapshot", "die")), "VmEnded", ErrorCategory.OperationStopped, "die");
        AssertNothingLeft("die");
    }

    [Fact]
    public async Task CtrlCEndsItAtOnceAndTheEngineIsTold()
    {
        Vm web = Start("web", "save=slow");
        Task<HostResult> saving = Task.Factory.StartNew(() => Host.Invoke(new Step("Save-StratoSnapshot", "web", "base")), Store.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        ClientFixture.Until(() => File.ReadAllText(web.ConsoleLogPath).Contains("query-migrate", StringComparison.Ordinal), "the save under way");
        Stopwatch watch = Stopwatch.StartNew();
        Host.Stop();
        await saving;
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}");
        ClientFixture.Until(() => File.ReadAllText(web.ConsoleLogPath).Contains("migrate_cancel", StringComparison.Ordinal), "its end");
        ClientFixture.Until(() => !Directory.EnumerateDirectories(Store.Paths.SnapshotsDirectory(web.Id)).Any(), "nothing left");
        Assert.Equal("Running", State("web"));
    }

    [Fact]
    public void WhatAKilledSaveLeftGoesWithTheNext()
    {
        Vm web = Start();
        string left = Path.Combine(Store.Paths.SnapshotsDirectory(web.Id), $".tmp-{Guid.NewGuid():N}");
        Directory.CreateDirectory(left);
        File.WriteAllText(Path.Combine(left, "lock"), "");
        File.WriteAllText(Path.Combine(left, "memory"), "half");
        Assert.Empty(List("web"));
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Assert.False(Directory.Exists(left));
        Assert.Equal(["base"], List("web"));
    }

    [Fact]
    public void EphemeralVmsAndDisksThatForgetAreRefused()
    {
        Store.WriteFile("a.img", new string('a', 512));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web").Switch("Snapshot"));
        Run(new Step("Start-StratoVm", "web"));
        AssertError(Error(new Step("Save-StratoSnapshot", "web")), "SnapshotUnsupported", ErrorCategory.InvalidOperation, "web");
        Run(new Step("New-StratoVm", "gone").With("Kernel", "vmlinuz").Switch("Ephemeral"));
        Run(new Step("Start-StratoVm", "gone"));
        AssertError(Error(new Step("Save-StratoSnapshot", "gone")), "SnapshotUnsupported", ErrorCategory.InvalidOperation, "gone");
    }

    [Fact]
    public void NamesWildcardsAndIdsAreFound()
    {
        Start("a");
        Start("b");
        Run(new Step("Save-StratoSnapshot", "*", "base"));
        Run(new Step("Save-StratoSnapshot", "a", "[1]"));
        Assert.Equal(["base", "[1]"], List("a"));
        Assert.Equal(3, Run(new Step("Get-StratoSnapshot")).Output.Count);
        Assert.Equal(2, Run(new Step("Get-StratoSnapshot").With("Name", "BASE")).Output.Count);
        Assert.Equal("[1]", Run(new Step("Get-StratoSnapshot", "a", "[1]")).Single<Snapshot>().Name);
        Assert.Equal("[1]", Run(new Step("Get-StratoSnapshot", "a", Get("a", "[1]").Id)).Single<Snapshot>().Name);
        Assert.Empty(Run(new Step("Get-StratoSnapshot", "a", "x*")).Output);
        AssertError(Error(new Step("Get-StratoSnapshot", "a", "none")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "none");
        AssertError(Error(new Step("Get-StratoSnapshot").With("Name", "none")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "none");
        AssertError(Error(new Step("Restore-StratoSnapshot", "a", "none")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "none");
        Assert.Equal(2, Run(new Step("Get-StratoVm", "a"), new Step("Get-StratoSnapshot")).Output.Count);
        Run(new Step("Restore-StratoSnapshot", "a", "[1]").Switch("Force"));
    }

    [Theory]
    [InlineData("Rename-StratoSnapshot", "new")]
    [InlineData("Export-StratoSnapshot", "out")]
    [InlineData("Restore-StratoSnapshot", null)]
    public void WhereOneIsMeantSeveralAreAnError(string cmdlet, string? last)
    {
        Start("a");
        foreach (string name in (ReadOnlySpan<string>)["b1", "b2", "[b]*"])
        {
            Run(new Step("Save-StratoSnapshot", "a", name));
        }

        ErrorRecord error = Error(Command("b*"));
        AssertError(error, "SnapshotAmbiguous", ErrorCategory.InvalidArgument, "b*");
        Assert.Equal("'b*' means 2 snapshots of the VM 'a', and one is to be given: 'b1', 'b2'.", error.ToString());
        error = Error(Command("c*"));
        AssertError(error, "SnapshotNotFound", ErrorCategory.ObjectNotFound, "c*");
        Assert.Equal("The VM 'a' has no snapshot 'c*'.", error.ToString());

        // A name means itself first.
        Run(Command("[b]*"));
        Run(new Step("Remove-StratoSnapshot", "a", "b1").Switch("Force"));
        if (last == "out")
        {
            Directory.Delete(Path.Combine(Store.Root, last), recursive: true);
        }
        else if (last is not null)
        {
            Run(new Step("Remove-StratoSnapshot", "a", last).Switch("Force"));
        }

        Run(Command("b*"));
        Step Command(string name)
        {
            Step step = last is null ? new Step(cmdlet, "a", name) : new Step(cmdlet, "a", name, last);
            return cmdlet.StartsWith("Restore", StringComparison.Ordinal) ? step.Switch("Force") : step;
        }
    }

    [Fact]
    public void OneIsRenamedAndRemoved()
    {
        Start();
        foreach (string name in (ReadOnlySpan<string>)["one", "two", "three"])
        {
            Run(new Step("Save-StratoSnapshot", "web", name));
        }

        Assert.Equal("2", Run(new Step("Rename-StratoSnapshot", "web", "two", "2").Switch("PassThru")).Single<Snapshot>().Name);
        AssertError(Error(new Step("Rename-StratoSnapshot", "web", "2", "ONE")), "SnapshotExists", ErrorCategory.ResourceExists, "2");
        Assert.Equal(["Remove the snapshot '2': web"], Run(new Step("Remove-StratoSnapshot", "web", "2").Switch("WhatIf")).ShouldProcess);
        Run(new Step("Remove-StratoSnapshot", "web", "2").Switch("Force"));
        Assert.Equal("one", Get("web", "three").ParentName);
        Run(new Step("Remove-StratoSnapshot", "web", "three").Switch("Force"));
        Assert.True(Get("web", "one").IsCurrent);
        Run(new Step("Save-StratoSnapshot", "web", "four"));
        Run(new Step("Get-StratoSnapshot", "web"), new Step("Remove-StratoSnapshot").Switch("IncludeAllChildSnapshots").Switch("Force"));
        Assert.Empty(List("web"));
        Assert.Equal(["Remove the definition and the logs: web"], Run(new Step("Remove-StratoVm", "web").Switch("WhatIf")).ShouldProcess);
        Run(new Step("Save-StratoSnapshot", "web", "five"));
        Assert.Equal(["Remove the definition, the logs and 1 snapshot: web"], Run(new Step("Remove-StratoVm", "web").Switch("WhatIf")).ShouldProcess);
    }

    [Fact]
    public void DamageIsToldAndStopsARestoreBeforeAnythingIsLost()
    {
        Vm web = Start();
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        SnapshotCheck good = Run(new Step("Test-StratoSnapshot", "web")).Single<SnapshotCheck>();
        Assert.Equal((true, 512L << 20), (good.Ok, good.MemoryChecked));
        string memory = Path.Combine(Get("web", "base").Path, "memory");
        using (FileStream file = new(memory, FileMode.Open))
        {
            file.Position = 5 << 20;
            file.WriteByte(1);
        }

        SnapshotCheck bad = Run(new Step("Test-StratoSnapshot", "web", "base")).Single<SnapshotCheck>();
        Assert.False(bad.Ok);
        Assert.Contains("the mebibyte at 5,242,880 of its file", Assert.Single(bad.Faults), StringComparison.Ordinal);
        Assert.Equal([false], Run(new Step("Test-StratoSnapshot", "web").Switch("Quiet")).Output);
        AssertError(Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Verify").Switch("Force")), "SnapshotDamaged", ErrorCategory.InvalidData, "base");
        Assert.Equal(web.ProcessId, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);
        File.Delete(memory);
        AssertError(Error(new Step("Restore-StratoSnapshot", "web", "base").Switch("Force")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "base");
        Assert.Equal("Running", State("web"));

        // What can't be read at all is found by its id.
        string id = Get("web", "base").Id;
        File.WriteAllText(Path.Combine(Store.Paths.SnapshotsDirectory(web.Id), id, "snapshot.json"), "{");
        AssertError(Error(new Step("Get-StratoSnapshot", "web")), "SnapshotDamaged", ErrorCategory.InvalidData, id);
        Run(new Step("Remove-StratoSnapshot", "web", id).Switch("Force"));
        Assert.Empty(List("web"));
    }

    [Fact]
    public void OneTravelsInAFolder()
    {
        Store.WriteFile("a.img", new string('a', 512));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base").Switch("IncludeDisk"));
        Run(new Step("Export-StratoSnapshot", "web", "base", "out"));
        string folder = Path.Combine(Store.Root, "out");
        Assert.Equal(["disks", "memory", "snapshot.json", "state"], Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(new FileInfo(Path.Combine(folder, "memory")).Length > 512 << 20);
        AssertError(Error(new Step("Export-StratoSnapshot", "web", "base", "out")), "FileExists", ErrorCategory.ResourceExists, "base");
        AssertError(Error(new Step("Export-StratoSnapshot", "web", "base", "no/such")), "DirectoryNotFound", ErrorCategory.ObjectNotFound, "base");
        AssertError(Error(new Step("Import-StratoSnapshot", "out").With("VMName", "web")), "SnapshotExists", ErrorCategory.ResourceExists, "web");
        Snapshot again = Run(new Step("Import-StratoSnapshot", "out", "again").With("VMName", "web")).Single<Snapshot>();
        Assert.Equal(("again", false, "disk0"), (again.Name, again.IsCurrent, Assert.Single(again.Disks)));

        // Another VM keeps its own disk's path.
        string other = Store.WriteFile("b.img", new string('b', 512));
        New("db");
        AssertError(Error(new Step("Import-StratoSnapshot", "out").With("VMName", "db")), "SnapshotMismatch", ErrorCategory.InvalidOperation, "db");
        Run(new Step("Add-StratoDrive", "b.img").With("VMName", "db"));
        Run(new Step("Import-StratoSnapshot", "out").With("VMName", "db"));
        Run(new Step("Restore-StratoSnapshot", "db", "base").Switch("Force"));
        Assert.Equal(new string('a', 512), File.ReadAllText(other));
        Assert.Contains("restored: memory of web", File.ReadAllText(Run(new Step("Get-StratoVm", "db")).Single<Vm>().ConsoleLogPath), StringComparison.Ordinal);

        // And a folder of an engine's own, which has nothing but state and memory.
        Directory.CreateDirectory(Path.Combine(Store.Root, "bare"));
        File.Copy(Path.Combine(folder, "state"), Path.Combine(Store.Root, "bare", "state"));
        File.Copy(Path.Combine(folder, "memory"), Path.Combine(Store.Root, "bare", "memory"));
        Assert.Equal("bare", Run(new Step("Import-StratoSnapshot", "bare").With("VMName", "db")).Single<Snapshot>().Name);
        AssertError(Error(new Step("Import-StratoSnapshot", "disks").With("VMName", "db")), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "db");
    }

    private void AssertNothingLeft(string vm)
    {
        string folder = Store.Paths.SnapshotsDirectory(Store.Client.Get(vm).Id);
        Assert.Empty(Directory.Exists(folder) ? Directory.EnumerateFileSystemEntries(folder) : []);
    }

    private string[] List(string vm) => [.. Run(new Step("Get-StratoSnapshot", vm)).Output.Cast<Snapshot>().Select(snapshot => snapshot.Name)];

    private Snapshot Get(string vm, string name) => Run(new Step("Get-StratoSnapshot", vm, name)).Single<Snapshot>();
}
