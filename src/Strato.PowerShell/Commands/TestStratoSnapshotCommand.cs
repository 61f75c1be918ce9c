using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Test-StratoSnapshot: verifies snapshots: state, memory, disks.</summary>
[Cmdlet(VerbsDiagnostic.Test, "StratoSnapshot", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(SnapshotCheck), typeof(bool))]
public sealed class TestStratoSnapshotCommand : SnapshotCmdlet
{
    [Parameter(Position = 1, ParameterSetName = VMNameSet, HelpMessage = "Name or id of the snapshot; wildcards are allowed. All snapshots if omitted.")]
    [Parameter(Position = 0, ParameterSetName = VMSet, HelpMessage = "Name or id of the snapshot; wildcards are allowed. All snapshots if omitted.")]
    [Alias("SnapshotName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter(HelpMessage = "Emit only whether each is good: true or false.")]
    public SwitchParameter Quiet { get; set; }

    private protected override IReadOnlyList<string>? SnapshotNames => Name;

    private protected override void Process(Snapshot snapshot)
    {
        FileProgress progress = new(this, $"Verifying '{snapshot.Name}' of '{snapshot.VMName}'");
        try
        {
            Try(snapshot.Name, () =>
            {
                SnapshotCheck check = new(snapshot, snapshot.Vm.Client.TestSnapshot(snapshot.VMId, snapshot.Id, (done, all) => progress.Show("memory", done, all), Token));
                WriteObject(Quiet ? check.Ok : check);
            });
        }
        finally
        {
            progress.Complete();
        }
    }
}
