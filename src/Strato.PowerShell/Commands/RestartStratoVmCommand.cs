using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Restart-StratoVm: powers the guest down and starts it again; or resets the machine.</summary>
[Cmdlet(VerbsLifecycle.Restart, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class RestartStratoVmCommand : VmShutdownCmdlet
{
    [Parameter(HelpMessage = "Reset the machine at once, as its reset button does; what the guest has not written yet is lost.")]
    public SwitchParameter Reset { get; set; }

    private protected override string Activity => "Restarting VMs";

    protected override void BeginProcessing()
    {
        if (Reset && (Seconds(nameof(TurnOffAfter), TurnOffAfter) ?? Seconds(nameof(Timeout), Timeout)) is not null)
        {
            throw Terminating(new StratoException(
                StratoErrorKind.InvalidArgument, "ParametersConflict", "-Reset resets the machine at once; -TurnOffAfter and -Timeout, which give the guest time, can't be given with it."));
        }
    }

    private protected override void Process(VmTarget vm)
    {
        if (!ShouldProcess(vm.Name, Reset ? "Reset" : "Power down and start"))
        {
            return;
        }

        if (Reset && !AcceptsLoss($"Resetting '{vm.Name}' loses what its guest has not written yet. Reset it?", "Reset"))
        {
            return;
        }

        StopOptions options = GetStopOptions(turnOff: false);
        Begin(vm, () => vm.Client.Restart(vm.Id, Reset ? RestartKind.Reset : RestartKind.Reboot, options, Token));
    }
}
