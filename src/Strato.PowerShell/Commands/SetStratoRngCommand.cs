using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoRng: changes where a stopped VM's random bytes come from, and how many.</summary>
[Cmdlet(VerbsCommon.Set, "StratoRng", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoRngCommand : RngCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Change the source of random bytes", () => vm.Client.SetRng(vm.Id, Settings, Token));
}
