using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoVsock: takes the vsock from a stopped VM.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoVsock", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(Vm))]
public sealed class RemoveStratoVsockCommand : VmSingleDeviceCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Remove the vsock", () => vm.Client.RemoveVsock(vm.Id, Token));
}
