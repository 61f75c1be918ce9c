using System;
using System.Collections.Generic;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoCpu: pins VMs' threads to the host's CPUs, and gives VMs their share of them.</summary>
[Cmdlet(VerbsCommon.Set, "StratoCpu", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoCpuCommand : VmSingleDeviceCmdlet
{
    private const string CpuSet = "Cpu";

    // By store and id: several CPUs of a VM come by pipeline, and its share is one.
    private readonly HashSet<(string, string)> _shared = [];

    [Parameter(Mandatory = true, ParameterSetName = CpuSet, ValueFromPipeline = true, HelpMessage = "CPU object, as Get-StratoCpu returns it.")]
    [ValidateNotNull]
    public Cpu[]? InputObject { get; set; }

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "Numbers of the virtual CPUs that are pinned, from 0.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Numbers of the virtual CPUs that are pinned, from 0.")]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(VirtualCpuCompleter))]
    public int[] Cpu { get; set; } = [];

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "Ids of the iothreads that are pinned.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "Ids of the iothreads that are pinned.")]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(IoThreadIdCompleter))]
    public string[] IoThread { get; set; } = [];

    [Parameter(ParameterSetName = VMNameSet, HelpMessage = "The engine's main thread and all others that are neither virtual CPUs nor iothreads.")]
    [Parameter(ParameterSetName = VMSet, HelpMessage = "The engine's main thread and all others that are neither virtual CPUs nor iothreads.")]
    public SwitchParameter Emulator { get; set; }

    [Parameter(HelpMessage = "The host's CPUs that they run on, such as 0-3,^2; an empty string for all.")]
    [AllowEmptyString]
    [AllowEmptyCollection]
    [ValidateNotNull]
    [ArgumentCompleter(typeof(HostCpuCompleter))]
    public string[] Affinity { get; set; } = null!;

    [Parameter(HelpMessage = "The VM's weight beside others, 1 to 10000; those without one have 100; 0 takes it back.")]
    public int Weight { get; set; }

    [Parameter(HelpMessage = "The most that the VM uses, in percent of one of the host's CPUs: 50 for half of one, 200 for two; 0 for no limit.")]
    public int Quota { get; set; }

    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        string? missing = Has(nameof(Affinity))
            ? null
            : Has(nameof(Cpu)) || Has(nameof(IoThread)) || Has(nameof(Emulator))
                ? "-Affinity is missing: -Cpu, -IoThread and -Emulator say which threads it pins. -Weight and -Quota are the whole VM's."
                : Has(nameof(Weight)) || Has(nameof(Quota)) ? null : "Nothing is to be set; allowed: -Affinity, -Weight, -Quota.";
        if (missing is not null)
        {
            ThrowTerminatingError(new ErrorRecord(new ArgumentException(missing), "NothingToSet", ErrorCategory.InvalidArgument, null));
        }
    }

    protected override void ProcessRecord()
    {
        foreach (Cpu cpu in InputObject ?? [])
        {
            Set(cpu.Vm, new AffinityTarget([cpu.Index], [], Emulator: false));
        }

        base.ProcessRecord();
    }

    private protected override void Process(VmTarget vm) => Set(vm, new AffinityTarget(Cpu, IoThread, Emulator));

    private bool Has(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    private void Set(VmTarget vm, AffinityTarget threads)
    {
        bool shares = (Has(nameof(Weight)) || Has(nameof(Quota))) && _shared.Add((vm.Client.Paths.StateRoot, vm.Id));
        if (!shares && !Has(nameof(Affinity)))
        {
            return;
        }

        string cpus = string.Join(',', Affinity ?? []);
        List<string> actions = [];
        if (shares)
        {
            actions.Add($"Set{(Has(nameof(Weight)) ? $" the weight to {Weight}" : "")}{(Has(nameof(Quota)) ? $" the quota to {Quota} % of a CPU" : "")}");
        }

        if (Has(nameof(Affinity)))
        {
            actions.Add(cpus.Length == 0 ? "Let threads run on all of the host's CPUs" : $"Pin threads to the host's CPUs {cpus}");
        }

        Change(vm, string.Join("; ", actions), () =>
        {
            if (shares)
            {
                vm.Client.SetCpuShare(vm.Id, Given(nameof(Weight), Weight), Given(nameof(Quota), Quota), Token);
            }

            if (Has(nameof(Affinity)))
            {
                vm.Client.SetAffinity(vm.Id, threads, cpus, Token);
            }
        });
    }
}
