using System;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Stop-StratoVm: asks the guest to power down and waits; or turns it off.</summary>
[Cmdlet(VerbsLifecycle.Stop, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class StopStratoVmCommand : VmParallelCmdlet
{
    private bool _yesToAll;
    private bool _noToAll;

    [Parameter(HelpMessage = "End the VM at once, as pulling the plug does; what the guest has not written yet is lost.")]
    public SwitchParameter TurnOff { get; set; }

    [Parameter(HelpMessage = "Seconds the guest has to power down before the VM is turned off.")]
    [ValidateRange(0, 86400)]
    public int TurnOffAfter { get; set; }

    [Parameter(HelpMessage = "Seconds to wait for the guest to power down before that is an error; 120 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 120;

    [Parameter(HelpMessage = "Don't ask before -TurnOff.")]
    public SwitchParameter Force { get; set; }

    private protected override string Activity => "Stopping VMs";

    protected override void BeginProcessing()
    {
        if (TurnOff && Seconds(nameof(TurnOffAfter), TurnOffAfter) is not null)
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument, "ParametersConflict", "-TurnOff ends the VM at once, -TurnOffAfter gives the guest time; only one of them can be given."));
        }
    }

    private protected override void Process(VmTarget vm)
    {
        if (!ShouldProcess(vm.Name, TurnOff ? "Turn off" : "Power down"))
        {
            return;
        }

        // Only with a person there: a script has said what it wants by -TurnOff.
        if (TurnOff && Consent.MayAsk(this, Force)
            && !ShouldContinue($"Turning off '{vm.Name}' loses what its guest has not written yet. Turn it off?", "Turn off", ref _yesToAll, ref _noToAll))
        {
            return;
        }

        StopOptions options = new()
        {
            TurnOff = TurnOff,
            TurnOffAfter = Seconds(nameof(TurnOffAfter), TurnOffAfter),
            Timeout = TimeSpan.FromSeconds(Timeout),
        };
        Begin(vm, () => vm.Client.Stop(vm.Id, options, Token));
    }
}
