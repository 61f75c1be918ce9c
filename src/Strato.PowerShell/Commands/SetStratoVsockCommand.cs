using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoVsock: changes the guest's address.</summary>
[Cmdlet(VerbsCommon.Set, "StratoVsock", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoVsockCommand : VmSingleDeviceCmdlet
{
    [Parameter(Mandatory = true, HelpMessage = "The guest's address, 3 to 4294967294.")]
    public long GuestCid { get; set; }

    private protected override void Process(VmTarget vm) => Change(vm, "Change the vsock", () => vm.Client.SetVsock(vm.Id, GuestCid, Token));
}
