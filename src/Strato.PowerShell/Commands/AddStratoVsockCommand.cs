using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoVsock: lets the host and a stopped VM's guest open sockets to each other.</summary>
[Cmdlet(VerbsCommon.Add, "StratoVsock", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoVsockCommand : VmSingleDeviceCmdlet
{
    [Parameter(HelpMessage = "The guest's address, 3 to 4294967294; the first that no VM has if omitted.")]
    public long GuestCid { get; set; }

    private protected override void Process(VmTarget vm) =>
        Change(vm, "Add a vsock", () => vm.Client.AddVsock(vm.Id, Given(nameof(GuestCid), GuestCid), Token));
}
