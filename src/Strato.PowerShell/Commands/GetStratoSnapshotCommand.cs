using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoSnapshot: the snapshots of VMs, each behind the one that it was saved after.</summary>
[Cmdlet(VerbsCommon.Get, "StratoSnapshot", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Snapshot))]
public sealed class GetStratoSnapshotCommand : VmSelectingCmdlet
{
    [Parameter(Position = 0, ParameterSetName = VMNameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed. All VMs if omitted.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[]? VMName { get; set; }

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Name or id of the snapshot; wildcards are allowed. All snapshots if omitted.")]
    [Alias("SnapshotName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    public string[]? Name { get; set; }

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    protected override void ProcessRecord()
    {
        if (ParameterSetName == VMNameSet && VMName is null)
        {
            bool any = false;
            foreach (VmDefinition vm in Try(target: null, () => Client.List().Definitions) ?? [])
            {
                foreach (Snapshot snapshot in SnapshotFinder.Find(this, new VmTarget(Client, vm.Id, vm.Name), Name is null ? null : [.. WithoutMissing(vm)]))
                {
                    any = true;
                    WriteObject(snapshot);
                }
            }

            foreach (string name in any ? [] : Name ?? [])
            {
                if (!WildcardPattern.ContainsWildcardCharacters(name))
                {
                    WriteError(ErrorRecords.From(new StratoException(StratoErrorKind.NotFound, "SnapshotNotFound", $"No VM has a snapshot '{name}'."), name));
                }
            }

            return;
        }

        base.ProcessRecord();
    }

    private protected override void Process(VmTarget vm) => WriteObject(SnapshotFinder.Find(this, vm, Name), enumerateCollection: true);

    /// <summary>Of all VMs, not each has each name.</summary>
    private IEnumerable<string> WithoutMissing(VmDefinition vm)
    {
        IReadOnlyList<VmSnapshot> all = Client.ListSnapshots(vm.Id).Snapshots;
        foreach (string name in Name!)
        {
            foreach (VmSnapshot snapshot in all)
            {
                if (WildcardPattern.ContainsWildcardCharacters(name) || string.Equals(snapshot.Name, name, System.StringComparison.OrdinalIgnoreCase) || snapshot.Id == name)
                {
                    yield return name;
                    break;
                }
            }
        }
    }
}
