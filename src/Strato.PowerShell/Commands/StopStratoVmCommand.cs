using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Stop-StratoVm: asks the guest to power down and waits; or turns it off. It also takes VMs whose definition is damaged.</summary>
[Cmdlet(VerbsLifecycle.Stop, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class StopStratoVmCommand : VmShutdownCmdlet
{
    [Parameter(HelpMessage = "End the VM at once, as pulling the plug does; what the guest has not written yet is lost.")]
    public SwitchParameter TurnOff { get; set; }

    private protected override string Activity => "Stopping VMs";

    protected override void BeginProcessing()
    {
        if (TurnOff && Seconds(nameof(TurnOffAfter), TurnOffAfter) is not null)
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument, "ParametersConflict", "-TurnOff ends the VM at once, -TurnOffAfter gives the guest time; only one of them can be given."));
        }
    }

    private protected override IEnumerable<VmTarget> Find(string name) => VmTarget.FindEvenDamaged(Client, name);

    private protected override void Process(VmTarget vm)
    {
        if (!ShouldProcess(vm.Name, TurnOff ? "Turn off" : "Power down"))
        {
            return;
        }

        if (TurnOff && !AcceptsLoss($"Turning off '{vm.Name}' loses what its guest has not written yet. Turn it off?", "Turn off"))
        {
            return;
        }

        StopOptions options = GetStopOptions(TurnOff) with { Seen = vm.Seen };
        Begin(vm, () => vm.Client.Stop(vm.Id, options, Token));
    }
}
