using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoVsock: the sockets between the host and VMs' guests.</summary>
[Cmdlet(VerbsCommon.Get, "StratoVsock", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Vsock))]
public sealed class GetStratoVsockCommand : VmPartCmdlet
{
    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        if (vm.Client.GetById(vm.Id).Vsock is { } vsock)
        {
            WriteObject(new Vsock(vm, vsock));
        }
    });
}
