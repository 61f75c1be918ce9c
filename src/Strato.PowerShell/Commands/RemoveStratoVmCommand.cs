using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Remove-StratoVm: removes the definition and the logs, never a disk.</summary>
[Cmdlet(VerbsCommon.Remove, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(void))]
public sealed class RemoveStratoVmCommand : VmActionCmdlet
{
    [Parameter(HelpMessage = "Don't ask. A running VM is refused all the same.")]
    public SwitchParameter Force { get; set; }

    private protected override void Process(VmTarget vm)
    {
        if (Consent.Given(this, Force, vm.Name, "Remove the definition and the logs"))
        {
            Try(vm.Name, () => vm.Client.Delete(vm.Id, Token));
        }
    }
}
