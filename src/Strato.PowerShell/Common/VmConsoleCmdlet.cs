using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>A cmdlet about the part of a VM that needs no argument of its own, the console: <c>-VMName</c> has the first position.</summary>
public abstract class VmConsoleCmdlet : VmSelectingCmdlet
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
