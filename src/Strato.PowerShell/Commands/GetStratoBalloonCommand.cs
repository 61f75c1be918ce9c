using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Get-StratoBalloon: what VMs' guests may give back, and, of those that run, have.</summary>
[Cmdlet(VerbsCommon.Get, "StratoBalloon", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Balloon))]
public sealed class GetStratoBalloonCommand : VmPartCmdlet
{
    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        VmDefinition definition = vm.Client.GetById(vm.Id);
        if (definition.Balloon is { } balloon)
        {
            WriteObject(new Balloon(vm, balloon, definition.Memory, vm.Client.GetBalloonActual(vm.Id, Token)));
        }
    });
}
