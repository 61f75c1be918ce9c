using System.Management.Automation;

namespace Strato.PowerShell.Commands;

/// <summary>Suspend-StratoVm: holds the virtual CPUs.</summary>
[Cmdlet(VerbsLifecycle.Suspend, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SuspendStratoVmCommand : VmPassThruCmdlet
{
    private protected override void Process(VmTarget vm)
    {
        if (ShouldProcess(vm.Name, "Hold the virtual CPUs")
            && Try(vm.Name, () => vm.Client.Suspend(vm.Id, Token)) is { } info
            && PassThru)
        {
            Write(vm, info);
        }
    }
}
