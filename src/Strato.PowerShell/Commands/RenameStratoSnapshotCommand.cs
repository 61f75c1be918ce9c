using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Rename-StratoSnapshot: another name for a snapshot.</summary>
[Cmdlet(VerbsCommon.Rename, "StratoSnapshot", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Snapshot))]
public sealed class RenameStratoSnapshotCommand : OneSnapshotCmdlet
{
    [Parameter(Mandatory = true, Position = 2, ParameterSetName = VMNameSet, HelpMessage = "New name of the snapshot, unique within the VM.")]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = VMSet, HelpMessage = "New name of the snapshot, unique within the VM.")]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = SnapshotSet, HelpMessage = "New name of the snapshot, unique within the VM.")]
    [ValidateNotNullOrEmpty]
    public string NewName { get; set; } = null!;

    [Parameter(HelpMessage = "Emit the snapshot; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(Snapshot snapshot)
    {
        if (ShouldProcess(snapshot.VMName, $"Rename the snapshot '{snapshot.Name}' to '{NewName}'"))
        {
            Try(snapshot.Name, () =>
            {
                Snapshot renamed = new(snapshot.Vm, snapshot.Vm.Client.RenameSnapshot(snapshot.VMId, snapshot.Id, NewName, Token));
                if (PassThru)
                {
                    WriteObject(renamed);
                }
            });
        }
    }
}
