using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>A cmdlet about a part that a VM has one of, such as its console: <c>-VMName</c> has the first position.</summary>
public abstract class VmPartCmdlet : VmSelectingCmdlet
{
    /// <summary>Names or wildcards.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMNameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [Alias("Name")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] VMName { get; set; } = null!;

    /// <summary>Objects of Get-StratoVm or New-StratoVm.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    private protected override IReadOnlyList<string>? Names => ParameterSetName == VMNameSet ? VMName : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;
}
