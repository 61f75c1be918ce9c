using System;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Restart-StratoVm: powers the guest down and starts it again; or resets the machine.</summary>
[Cmdlet(VerbsLifecycle.Restart, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class RestartStratoVmCommand : VmParallelCmdlet
{
    private bool _yesToAll;
    private bool _noToAll;

    [Parameter(HelpMessage = "Reset the machine at once, as its reset button does; what the guest has not written yet is lost.")]
    public SwitchParameter Reset { get; set; }

    [Parameter(HelpMessage = "Seconds the guest has to power down before the VM is turned off.")]
    [ValidateRange(0, 86400)]
    public int TurnOffAfter { get; set; }

    [Parameter(HelpMessage = "Seconds to wait for the guest to power down before that is an error; 120 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 120;

    [Parameter(HelpMessage = "Don't ask before -Reset.")]
    public SwitchParameter Force { get; set; }

    private protected override string Activity => "Restarting VMs";

    private protected override void Process(VmTarget vm)
    {
        if (!ShouldProcess(vm.Name, Reset ? "Reset" : "Power down and start"))
        {
            return;
        }

        if (Reset && Consent.MayAsk(this, Force)
            && !ShouldContinue($"Resetting '{vm.Name}' loses what its guest has not written yet. Reset it?", "Reset", ref _yesToAll, ref _noToAll))
        {
            return;
        }

        StopOptions options = new()
        {
            TurnOffAfter = Seconds(nameof(TurnOffAfter), TurnOffAfter),
            Timeout = TimeSpan.FromSeconds(Timeout),
        };
        Begin(vm, () => vm.Client.Restart(vm.Id, Reset ? RestartKind.Reset : RestartKind.Reboot, options, Token));
    }
}
