using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoRng: takes the source of random bytes from a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoRng", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoRngCommand : VmSingleDeviceCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Remove the source of random bytes", () => vm.Client.RemoveRng(vm.Id, Token));
}
