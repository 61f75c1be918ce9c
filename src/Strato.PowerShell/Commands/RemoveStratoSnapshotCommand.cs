using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoSnapshot: removes snapshots, with the disks that they captured.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoSnapshot", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(void))]
public sealed class RemoveStratoSnapshotCommand : SnapshotCmdlet
{
    private readonly HashSet<string> _removed = [];

    [Parameter(Mandatory = true, Position = 1, ParameterSetName = VMNameSet, HelpMessage = "Name or id of the snapshot; wildcards are allowed.")]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, HelpMessage = "Name or id of the snapshot; wildcards are allowed.")]
    [Alias("SnapshotName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    public string[] Name { get; set; } = null!;

    [Parameter(HelpMessage = "Remove those below it, too.")]
    public SwitchParameter IncludeAllChildSnapshots { get; set; }

    [Parameter(HelpMessage = "Don't ask.")]
    public SwitchParameter Force { get; set; }

    private protected override IReadOnlyList<string>? SnapshotNames => Name;

    private protected override void Process(VmTarget vm)
    {
        string[] damaged = [.. Try(vm.Name, () => SnapshotFinder.FindDamaged(vm, Name).ToArray()) ?? []];
        foreach (string id in damaged)
        {
            if (Consent.Given(this, Force, vm.Name, $"Remove the damaged snapshot '{id}'"))
            {
                Try(id, () => vm.Client.RemoveSnapshot(vm.Id, id, token: Token));
            }
        }

        string[] names = [.. Name.Except(damaged, StringComparer.Ordinal)];
        foreach (Snapshot snapshot in names.Length == 0 ? [] : SnapshotFinder.Find(this, vm, names).ToArray())
        {
            Process(snapshot);
        }
    }

    private protected override void Process(Snapshot snapshot)
    {
        // One that went with its parent is no error.
        if (_removed.Contains(snapshot.VMId + snapshot.Id))
        {
            return;
        }

        string below = IncludeAllChildSnapshots ? " and those below it" : "";
        if (Consent.Given(this, Force, snapshot.VMName, $"Remove the snapshot '{snapshot.Name}'{below}"))
        {
            Try(snapshot.Name, () =>
            {
                string[] before = [.. snapshot.Vm.Client.ListSnapshots(snapshot.VMId).Snapshots.Select(item => item.Id)];
                snapshot.Vm.Client.RemoveSnapshot(snapshot.VMId, snapshot.Id, IncludeAllChildSnapshots, Token);
                string[] after = [.. snapshot.Vm.Client.ListSnapshots(snapshot.VMId).Snapshots.Select(item => item.Id)];
                _removed.UnionWith(before.Except(after, StringComparer.Ordinal).Select(id => snapshot.VMId + id));
            });
        }
    }
}
