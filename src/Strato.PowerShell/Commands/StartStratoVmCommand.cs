using System;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Start-StratoVm: starts an engine for each VM, several at once.</summary>
[Cmdlet(VerbsLifecycle.Start, "StratoVm", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class StartStratoVmCommand : VmParallelCmdlet
{
    [Parameter(HelpMessage = "Leave the virtual CPUs standing; Resume-StratoVm lets them run.")]
    public SwitchParameter Paused { get; set; }

    [Parameter(HelpMessage = "Start even where KVM only emulates, which is too slow for a stock kernel.")]
    public SwitchParameter AllowEmulation { get; set; }

    [Parameter(HelpMessage = "Seconds the engine may take until the guest runs; 60 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Timeout { get; set; } = 60;

    [Parameter(HelpMessage = "How many VMs are started at once; 8 if omitted.")]
    [ValidateRange(1, 1024)]
    public int ThrottleLimit { get; set; } = 8;

    private protected override int Limit => ThrottleLimit;

    private protected override string Activity => "Starting VMs";

    private protected override void Process(VmTarget vm)
    {
        VmInfo? now = Try(vm.Name, () => vm.Client.Snapshot(vm.Id, Token));
        if (now is null)
        {
            return;
        }

        if (now.State is VmState.Running or VmState.Paused)
        {
            WarnOf(now);
            Begin(vm, () => now);
            return;
        }

        if (ShouldProcess(vm.Name, "Start"))
        {
            foreach (string warning in vm.Client.GetWarnings(now.Definition))
            {
                WriteWarning(warning);
            }

            StartOptions options = new() { Force = AllowEmulation, Paused = Paused, Timeout = TimeSpan.FromSeconds(Timeout) };
            Begin(vm, () => vm.Client.Start(vm.Id, options, Token));
        }
    }

    /// <summary>Who comes second of two that start a VM finds it running, as who comes later does.</summary>
    private protected override VmInfo Take(VmTarget vm, Task<VmInfo> outcome)
    {
        try
        {
            return base.Take(vm, outcome);
        }
        catch (StratoException e) when (e.Id == "VmRunning")
        {
            VmInfo now = vm.Client.Snapshot(vm.Id, Token);
            if (now.State is not (VmState.Running or VmState.Paused))
            {
                throw;
            }

            WarnOf(now);
            return now;
        }
    }

    private void WarnOf(VmInfo vm) => WriteWarning($"The VM '{vm.Name}' is {vm.State} already.");
}
