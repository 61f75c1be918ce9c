using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoCpu: pins VMs' threads to the host's CPUs.</summary>
[Cmdlet(VerbsCommon.Set, "StratoCpu", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoCpuCommand : VmSingleDeviceCmdlet
{
    [Parameter(HelpMessage = "Numbers of the virtual CPUs that are pinned, from 0.")]
    [ValidateNotNull]
    public int[] Cpu { get; set; } = [];

    [Parameter(HelpMessage = "Ids of the iothreads that are pinned.")]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string[] IoThread { get; set; } = [];

    [Parameter(HelpMessage = "The engine's main thread and all others that are neither virtual CPUs nor iothreads.")]
    public SwitchParameter Emulator { get; set; }

    [Parameter(Mandatory = true, HelpMessage = "The host's CPUs that they run on, such as 0-3,^2; an empty string for all.")]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public string[] Affinity { get; set; } = null!;

    private protected override void Process(VmTarget vm)
    {
        string cpus = string.Join(',', Affinity);
        string action = cpus.Length == 0 ? "Let threads run on all of the host's CPUs" : $"Pin threads to the host's CPUs {cpus}";
        Change(vm, action, () => vm.Client.SetAffinity(vm.Id, new AffinityTarget(Cpu, IoThread, Emulator), cpus, Token));
    }
}
