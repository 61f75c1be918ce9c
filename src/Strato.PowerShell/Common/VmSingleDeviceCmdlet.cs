using System;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>Changes a device that a VM has one of.</summary>
public abstract class VmSingleDeviceCmdlet : VmPartCmdlet
{
    [Parameter(HelpMessage = "Emit the VM as it is after the action; by default nothing is emitted.")]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Does the work for one VM, after asking; then emits the VM if wished.</summary>
    private protected void Change(VmTarget vm, string action, Action work) => Try(vm.Name, () =>
    {
        if (!ShouldProcess(vm.Name, action))
        {
            return;
        }

        work();
        if (PassThru)
        {
            WriteNow(vm);
        }
    });

    /// <summary>The value of a parameter; null where it wasn't given.</summary>
    private protected T? Given<T>(string parameter, T value)
        where T : struct => MyInvocation.BoundParameters.ContainsKey(parameter) ? value : null;
}
