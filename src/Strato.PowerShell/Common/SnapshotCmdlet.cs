using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>A cmdlet about snapshots: of VMs by <c>-VMName</c> (first position) or <c>-VM</c>, with names of snapshots behind; or snapshots themselves from the pipeline.</summary>
public abstract class SnapshotCmdlet : VmSelectingCmdlet
{
    internal const string SnapshotSet = "Snapshot";

    /// <summary>Names or wildcards of VMs.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] VMName { get; set; } = null!;

    /// <summary>Objects of Get-StratoVm or New-StratoVm.</summary>
    [Parameter(Mandatory = true, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    /// <summary>Objects of Get-StratoSnapshot.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = SnapshotSet, ValueFromPipeline = true, HelpMessage = "Snapshot object, as Get-StratoSnapshot returns it.")]
    [ValidateNotNull]
    public Snapshot[] Snapshot { get; set; } = null!;

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    /// <summary>Names or wildcards of snapshots; null for all.</summary>
    private protected abstract IReadOnlyList<string>? SnapshotNames { get; }

    protected override void ProcessRecord()
    {
        if (ParameterSetName != SnapshotSet)
        {
            base.ProcessRecord();
            return;
        }

        foreach (Snapshot snapshot in Snapshot)
        {
            Process(snapshot);
        }
    }

    private protected override void Process(VmTarget vm)
    {
        foreach (Snapshot snapshot in SnapshotFinder.Find(this, vm, SnapshotNames))
        {
            Process(snapshot);
        }
    }

    /// <summary>The work for one snapshot, on the pipeline's thread.</summary>
    private protected abstract void Process(Snapshot snapshot);
}
