using System;
using System.IO;
using System.Linq;
using System.Management.Automation;
using Strato.Tests.CmdletHost;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>What the cmdlets of snapshots say where something is wrong; nothing has changed then.</summary>
[Collection(CmdletCollection.Name)]
public sealed class SnapshotErrorTests : CmdletTests
{
    [Fact]
    public void NamesThatNobodyHasOrSomebodyHas()
    {
        Start();
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Run(new Step("Save-StratoSnapshot", "web", "next"));
        foreach (string cmdlet in (ReadOnlySpan<string>)["Save", "Get", "Restore", "Remove", "Test"])
        {
            Fails(new Step($"{cmdlet}-StratoSnapshot", "none", "base"), "VmNotFound", ErrorCategory.ObjectNotFound, "There is no VM named 'none'.");
        }

        Fails(new Step("Import-StratoSnapshot", "x").With("VMName", "none"), "VmNotFound", ErrorCategory.ObjectNotFound, "There is no VM named 'none'.");
        foreach (string cmdlet in (ReadOnlySpan<string>)["Get", "Restore", "Remove", "Test"])
        {
            Fails(new Step($"{cmdlet}-StratoSnapshot", "web", "none"), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "The VM 'web' has no snapshot 'none'.");
        }

        Fails(new Step("Copy-StratoVm", "web").With("Snapshot", "none"), "SnapshotNotFound", ErrorCategory.ObjectNotFound, "No VM of web has a snapshot 'none'.");
        const string Taken = "The VM 'web' has a snapshot 'base' already.";
        Fails(new Step("Save-StratoSnapshot", "web", "BASE"), "SnapshotExists", ErrorCategory.ResourceExists, Taken);
        Fails(new Step("Rename-StratoSnapshot", "web", "next", "base"), "SnapshotExists", ErrorCategory.ResourceExists, Taken);
        Fails(new Step("Copy-StratoVm").With("Snapshot", "base").With("NewName", "web"), "VmExists", ErrorCategory.ResourceExists, "A VM named 'web' exists already.");
    }

    [Fact]
    public void WhatIsLostIsAskedFor()
    {
        Vm web = Start();
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        Assert.Equal(["Restore the snapshot 'base'; what is lost: what runs in it now: web"], Run(new Step("Restore-StratoSnapshot", "web", "base").Switch("WhatIf")).ShouldProcess);
        Assert.Equal(web.ProcessId, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);
    }

    [Fact]
    public void DamageIsToldByWhereItIs()
    {
        Vm web = Start();
        Run(new Step("Save-StratoSnapshot", "web", "base"));
        string folder = Run(new Step("Get-StratoSnapshot", "web")).Single<Snapshot>().Path;
        string memory = Path.Combine(folder, "memory"), state = Path.Combine(folder, "state");
        byte[] good = File.ReadAllBytes(state);
        Flip(memory, 5 << 20);
        Refuses("The snapshot 'base' of VM 'web' is damaged: The memory is damaged in chunk 5, the mebibyte at 5,242,880 of its file (guest address 0x500000): the checksum is wrong.", "SnapshotDamaged", verify: true);
        Flip(memory, 5 << 20);

        // Its end, of which a restore knows that it is whole.
        Flip(memory, (int)new FileInfo(memory).Length - 4096);
        Refuses($"The snapshot's memory '{memory}' isn't that of its state, or its end is damaged.", "SnapshotDamaged");
        using (FileStream file = new(memory, FileMode.Open))
        {
            file.SetLength(4096);
        }

        Refuses($"The snapshot's memory '{memory}' has 4096 bytes, and {(512 << 20) + 4096} were saved.", "SnapshotDamaged");
        File.Delete(memory);
        Refuses($"The snapshot's memory '{memory}' does not exist.", "SnapshotNotFound");
        Flip(state, 60);
        ErrorRecord error = Error(Restore(verify: false));
        Assert.Equal("SnapshotDamaged", error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.Contains("checksum", error.ToString(), StringComparison.Ordinal);
        File.WriteAllBytes(state, good[..^1]);
        Assert.Equal("SnapshotDamaged", Error(Restore(verify: false)).FullyQualifiedErrorId.Split(',')[0]);
        File.Delete(state);
        Refuses($"The snapshot's state '{state}' does not exist.", "SnapshotNotFound");
        Assert.Equal(web.ProcessId, Run(new Step("Get-StratoVm", "web")).Single<Vm>().ProcessId);

        void Refuses(string message, string id, bool verify = false)
        {
            ErrorRecord refused = Error(Restore(verify));
            AssertError(refused, id, id == "SnapshotDamaged" ? ErrorCategory.InvalidData : ErrorCategory.ObjectNotFound, "base");
            Assert.Equal(message, refused.ToString());
            AssertError(Error(verify ? new Step("Restore-StratoSnapshot", "web", "base").Switch("Force").Switch("Verify") : new Step("Copy-StratoVm").With("Snapshot", "base")), id, refused.CategoryInfo.Category, "base");
        }
    }

    [Fact]
    public void CapturedDisksThatAreGoneOrCutAreDamage()
    {
        Store.WriteFile("a.img", new string('a', 1024));
        New();
        Run(new Step("Add-StratoDrive", "a.img").With("VMName", "web"));
        Run(new Step("Start-StratoVm", "web"));
        Run(new Step("Save-StratoSnapshot", "web", "base").Switch("IncludeDisk"));
        string disk = Directory.EnumerateFiles(Path.Combine(Run(new Step("Get-StratoSnapshot", "web")).Single<Snapshot>().Path, "disks")).Single();
        File.WriteAllText(disk, "short");
        Fails(Restore(verify: false), "SnapshotDamaged", ErrorCategory.InvalidData, $"The snapshot 'base' of VM 'web' is damaged: The captured disk 'disk0' has 5 bytes, and 1024 were saved: '{disk}'.");
        File.Delete(disk);
        Fails(Restore(verify: false), "SnapshotDamaged", ErrorCategory.InvalidData, $"The snapshot 'base' of VM 'web' is damaged: The captured disk 'disk0' is missing: there is no file '{disk}'.");
    }

    [Fact]
    public void WhatCannotBeSavedSaysWhy()
    {
        Start("full", "save=full");
        Fails(new Step("Save-StratoSnapshot", "full"), "SnapshotFailed", ErrorCategory.NotSpecified, "The snapshot of VM 'full' could not be saved: write of the snapshot's memory: No space left on device. Nothing of it is left, and the VM goes on as before.");
        Start("never", "save=never");
        Fails(new Step("Save-StratoSnapshot", "never"), "SnapshotUnsupported", ErrorCategory.InvalidOperation, "The VM 'never' can't be saved: The machine can't be saved: the device 'fs0' is served by another program.");
        Start("die", "save=die");
        Fails(new Step("Save-StratoSnapshot", "die"), "VmEnded", ErrorCategory.OperationStopped, "The VM 'die' ended while its snapshot was saved; nothing of that is left.");
        New("still");
        Fails(new Step("Save-StratoSnapshot", "still"), "VmNotRunning", ErrorCategory.InvalidOperation, "The VM 'still' is stopped: there is no memory to save.");
    }

    private static Step Restore(bool verify)
    {
        Step step = new Step("Restore-StratoSnapshot", "web", "base").Switch("Force");
        return verify ? step.Switch("Verify") : step;
    }

    private static void Flip(string path, int at)
    {
        using FileStream file = new(path, FileMode.Open);
        file.Position = at;
        int value = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(value ^ 1));
    }

    private void Fails(Step step, string id, ErrorCategory category, string message)
    {
        ErrorRecord error = Error(step);
        Assert.Equal((id, category, message), (error.FullyQualifiedErrorId.Split(',')[0], error.CategoryInfo.Category, error.ToString()));
    }
}
