using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoBalloon: takes the balloon from a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoBalloon", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoBalloonCommand : VmSingleDeviceCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Remove the balloon", () => vm.Client.RemoveBalloon(vm.Id, Token));
}
