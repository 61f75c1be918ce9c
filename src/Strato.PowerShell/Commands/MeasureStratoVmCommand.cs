using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Measure-StratoVm: what VMs use, interval by interval.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "StratoVm", DefaultParameterSetName = NameSet)]
[OutputType(typeof(Measurement))]
public sealed class MeasureStratoVmCommand : StratoCmdlet
{
    private const string NameSet = "Name";
    private const string VMSet = "VM";

    private readonly List<VmTarget> _vms = [];

    [Parameter(Position = 0, ParameterSetName = NameSet, ValueFromPipeline = true, HelpMessage = "Name of the VM; wildcards are allowed. All VMs that run if omitted.")]
    [Alias("VMName")]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(VmNameCompleter))]
    public string[]? Name { get; set; }

    [Parameter(Mandatory = true, Position = 0, ParameterSetName = VMSet, ValueFromPipeline = true, HelpMessage = "VM object, as Get-StratoVm returns it.")]
    [ValidateNotNull]
    public Vm[] VM { get; set; } = null!;

    [Parameter(HelpMessage = "Seconds between measurements; 1 if omitted.")]
    [ValidateRange(1, 86400)]
    public int Interval { get; set; } = 1;

    [Parameter(HelpMessage = "End after so many measurements of each VM; without end if omitted.")]
    [ValidateRange(1, int.MaxValue)]
    public int Count { get; set; }

    [Parameter(HelpMessage = "End after so many seconds; without end if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    protected override void ProcessRecord()
    {
        if (ParameterSetName == VMSet)
        {
            foreach (Vm vm in VM)
            {
                Add(VmTarget.Of(vm), quiet: false);
            }

            return;
        }

        foreach (string name in Name ?? ["*"])
        {
            bool quiet = WildcardPattern.ContainsWildcardCharacters(name);
            foreach (VmTarget vm in Try(name, () => VmTarget.Of(Client, VmTarget.Find(Client, name))) ?? [])
            {
                Add(vm, quiet);
            }
        }
    }

    protected override void EndProcessing()
    {
        if (_vms.Count > 0)
        {
            Try(target: null, Stream);
        }
    }

    /// <param name="vm">The VM.</param>
    /// <param name="quiet">Whether one that doesn't run is left out without an error: of many some may be stopped.</param>
    private void Add(VmTarget vm, bool quiet)
    {
        Try(vm.Name, () =>
        {
            if (vm.Client.IsRunning(vm.Id))
            {
                // By its name and by a wildcard it is meant once.
                if (!_vms.Exists(other => other.Id == vm.Id))
                {
                    _vms.Add(vm);
                }
            }
            else if (!quiet)
            {
                throw new StratoException(StratoErrorKind.InvalidState, "VmNotRunning", $"The VM '{vm.Name}' is not running; there is nothing to measure.") { VmName = vm.Name };
            }
        });
    }

    private void Stream()
    {
        TimeSpan? limit = Seconds(nameof(Timeout), Timeout);
        long start = Stopwatch.GetTimestamp();
        StratoClient client = _vms[0].Client;
        using MeasurementStream stream = client.Measure(_vms.ConvertAll(vm => client.GetById(vm.Id)), TimeSpan.FromSeconds(Interval), Token);
        for (int seen = 0; !stream.IsOver && (Count == 0 || seen < Count); seen++)
        {
            TimeSpan? left = limit - Stopwatch.GetElapsedTime(start);
            if (stream.Read(left < TimeSpan.Zero ? TimeSpan.Zero : left, Token) is not { } measurements)
            {
                return;
            }

            foreach (VmMeasurement measurement in measurements)
            {
                WriteObject(new Measurement(measurement));
            }
        }
    }
}
