using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Resume-StratoVm: lets the virtual CPUs go on.</summary>
[Cmdlet(VerbsLifecycle.Resume, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class ResumeStratoVmCommand : VmPassThruCmdlet
{
    private protected override void Process(VmTarget vm)
    {
        if (ShouldProcess(vm.Name, "Let the virtual CPUs go on")
            && Try(vm.Name, () => vm.Client.Resume(vm.Id, Token)) is { } info
            && PassThru)
        {
            Write(vm, info);
        }
    }
}
