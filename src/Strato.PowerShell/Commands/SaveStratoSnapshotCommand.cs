using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Save-StratoSnapshot: saves VMs as they are in this moment.</summary>
[Cmdlet(VerbsData.Save, "StratoSnapshot", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[Alias("Checkpoint-StratoVm")]
[OutputType(typeof(Snapshot))]
public sealed class SaveStratoSnapshotCommand : VmSelectingCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] VMName { get; set; } = null!;

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Name of the snapshot, unique within the VM; of the VM's name and the time if omitted.")]
    [Alias("SnapshotName")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    [Parameter(HelpMessage = "Capture the disks that the guest can write to as well, while the VM stands still.")]
    public SwitchParameter IncludeDisk { get; set; }

    [Parameter(HelpMessage = "Leave the VM paused afterwards; Resume-StratoVm lets it go on.")]
    public SwitchParameter Paused { get; set; }

    [Parameter(HelpMessage = "Emit the snapshot; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    private protected override void Process(VmTarget vm)
    {
        FileProgress progress = new(this, $"Saving '{vm.Name}'");
        try
        {
            Try(vm.Name, () => Save(vm, progress));
        }
        finally
        {
            progress.Complete();
        }
    }

    private void Save(VmTarget vm, FileProgress progress)
    {
        SnapshotSaveOptions options = new() { Name = Name, IncludeDisk = IncludeDisk, Paused = Paused, Progress = (disk, done, all) => progress.Show(disk ?? "memory", done, all) };

        // Checked first, so that -WhatIf tells what would be refused.
        vm.Client.CheckSave(vm.Id, options);
        if (!ShouldProcess(vm.Name, $"Hold the VM and save it{(Name is null ? "" : $" as '{Name}'")}"))
        {
            return;
        }

        VmSnapshot snapshot = vm.Client.SaveSnapshot(vm.Id, options, Token);
        if (PassThru)
        {
            WriteObject(new Snapshot(vm, snapshot));
        }
    }
}
