using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoCpu: pins VMs' threads to the host's CPUs.</summary>
[Cmdlet(VerbsCommon.Set, "StratoCpu", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoCpuCommand : VmSingleDeviceCmdlet
{
    private const string CpuSet = "Cpu";

    [Parameter(Mandatory = true, ParameterSetName = CpuSet, ValueFromPipeline = true, HelpMessage = "CPU object, as Get-StratoCpu returns it.")]
    [ValidateNotNull]
    public Cpu[]? InputObject { get; set; }

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "Numbers of the virtual CPUs that are pinned, from 0.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Numbers of the virtual CPUs that are pinned, from 0.")]
    [ValidateNotNull]
    public int[] Cpu { get; set; } = [];

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "Ids of the iothreads that are pinned.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Ids of the iothreads that are pinned.")]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string[] IoThread { get; set; } = [];

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "The engine's main thread and all others that are neither virtual CPUs nor iothreads.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "The engine's main thread and all others that are neither virtual CPUs nor iothreads.")]
    public SwitchParameter Emulator { get; set; }

    [Parameter(Mandatory = true, HelpMessage = "The host's CPUs that they run on, such as 0-3,^2; an empty string for all.")]
    [AllowEmptyString]
    [AllowEmptyCollection]
    public string[] Affinity { get; set; } = null!;

    protected override void ProcessRecord()
    {
        foreach (Cpu cpu in InputObject ?? [])
        {
            Pin(cpu.Vm, new AffinityTarget([cpu.Index], [], Emulator: false));
        }

        base.ProcessRecord();
    }

    private protected override void Process(VmTarget vm) => Pin(vm, new AffinityTarget(Cpu, IoThread, Emulator));

    private void Pin(VmTarget vm, AffinityTarget threads)
    {
        string cpus = string.Join(',', Affinity);
        string action = cpus.Length == 0 ? "Let threads run on all of the host's CPUs" : $"Pin threads to the host's CPUs {cpus}";
        Change(vm, action, () => vm.Client.SetAffinity(vm.Id, threads, cpus, Token));
    }
}
