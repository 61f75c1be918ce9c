using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Add-StratoBalloon: lets a stopped VM's guest give memory back.</summary>
[Cmdlet(VerbsCommon.Add, "StratoBalloon", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class AddStratoBalloonCommand : BalloonCmdlet
{
    private protected override void Process(VmTarget vm) => Change(vm, "Add a balloon", () => vm.Client.AddBalloon(vm.Id, Settings, Token));
}
