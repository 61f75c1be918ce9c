using System;
using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A cmdlet about a part of a VM: the VM comes from the pipeline (default) or by <c>-VMName</c>, which has no position.</summary>
/// <remarks>
/// The first position belongs to the device's own argument. With the name there, <c>New-StratoVm … | Add-StratoDrive root.ext4</c>
/// would take root.ext4 for a name and fail to bind.
/// </remarks>
public abstract class VmDeviceCmdlet : VmSelectingCmdlet
{
    /// <summary>Objects of Get-StratoVm or New-StratoVm.</summary>
    [Parameter(Mandatory = true, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    /// <summary>Names or wildcards.</summary>
    [Parameter(Mandatory = true, ParameterSetName = VMNameSet, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] VMName { get; set; } = null!;

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;

    /// <summary>Does something to each disk that ids or wildcards mean, after asking; then emits the VM if wished.</summary>
    private protected void ForDrives(VmTarget vm, IEnumerable<string> ids, string verb, Action<string> work, bool passThru)
    {
        foreach (string given in ids)
        {
            foreach (DriveDefinition drive in Try(given, () => DriveSelection.Find(vm.Client.GetById(vm.Id), given)) ?? [])
            {
                if (ShouldProcess(vm.Name, $"{verb} the disk '{drive.Id}'"))
                {
                    Try(drive.Id, () => work(drive.Id));
                }
            }
        }

        if (passThru)
        {
            WriteNow(vm);
        }
    }
}
