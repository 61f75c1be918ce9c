using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoRng: gives a stopped VM's guest random bytes of the host.</summary>
[Cmdlet(VerbsCommon.Add, "StratoRng", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoRngCommand : RngCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Add a source of random bytes", () => vm.Client.AddRng(vm.Id, Settings, Token));
}
