using System.Collections.Generic;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>A cmdlet that acts on VMs: <c>-Name</c> (first position, wildcards, pipeline) or <c>-VM</c> (pipeline).</summary>
public abstract class VmActionCmdlet : VmSelectingCmdlet
{
    /// <summary>Names or wildcards.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed.")]
    [Alias("VMName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[] Name { get; set; } = null!;

    /// <summary>Objects of Get-StratoVm or New-StratoVm.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    private protected override IReadOnlyList<string>? Names => ParameterSetName == NameSet ? Name : null;

    private protected override IReadOnlyList<Vm>? Objects => ParameterSetName == VMSet ? VM : null;
}

/// <summary>An action that leaves the VM there to be handed on.</summary>
public abstract class VmPassThruCmdlet : VmActionCmdlet
{
    /// <summary>Emit the VM as it is after the action.</summary>
    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }
}
