using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Set-StratoBalloon: asks running VMs' guests to have so much memory; changes what stopped VMs' balloons do by themselves.</summary>
[Cmdlet(VerbsCommon.Set, "StratoBalloon", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class SetStratoBalloonCommand : BalloonCmdlet
{
    private const string Activity = "Waiting for guests to have the memory of their target";

    // Shorter waits show no progress, so that quick work doesn't flicker.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private readonly List<(VmTarget Vm, long Target)> _asked = [];
    private bool _progressShown;

    [Parameter(HelpMessage = "Bytes of memory that a running guest shall have.")]
    [ValidateRange(1, long.MaxValue)]
    public long Target { get; set; }

    [Parameter(HelpMessage = "Wait until the guests have as much as the target says.")]
    public SwitchParameter Wait { get; set; }

    [Parameter(HelpMessage = "Seconds to wait before that is an error; for ever if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    private bool HasTarget => MyInvocation.BoundParameters.ContainsKey(nameof(Target));

    protected override void BeginProcessing()
    {
        bool changes = Settings != new BalloonChange();
        if (HasTarget && changes)
        {
            throw Terminating(Conflict("-Target is for running VMs, -DeflateOnOom and -FreePageReporting are for stopped ones; give one or the other."));
        }

        if (!HasTarget && (Wait || Seconds(nameof(Timeout), Timeout) is not null))
        {
            throw Terminating(Conflict("-Wait and -Timeout go with -Target."));
        }
    }

    private protected override void Process(VmTarget vm)
    {
        if (!HasTarget)
        {
            Change(vm, "Change the balloon", () => vm.Client.SetBalloon(vm.Id, Settings, Token));
        }
        else if (ShouldProcess(vm.Name, $"Ask the guest to have {View.Size(Target)} of memory"))
        {
            // All guests are at it while the first is waited for.
            Try(vm.Name, () => _asked.Add((vm, vm.Client.SetBalloonTarget(vm.Id, Target, Token))));
        }
    }

    protected override void EndProcessing()
    {
        Stopwatch waited = Stopwatch.StartNew();
        foreach ((VmTarget vm, long target) in _asked)
        {
            if ((!Wait || Try(vm.Name, () => Await(vm, target, waited))) && PassThru)
            {
                WriteNow(vm);
            }
        }

        if (_progressShown)
        {
            WriteProgress(new ProgressRecord(0, Activity, " ") { RecordType = ProgressRecordType.Completed });
        }
    }

    private void Await(VmTarget vm, long target, Stopwatch waited)
    {
        TimeSpan? left = Seconds(nameof(Timeout), Timeout) - waited.Elapsed;
        long? first = null;
        vm.Client.WaitForBalloon(
            vm.Id,
            target,
            left < TimeSpan.Zero ? TimeSpan.Zero : left,
            actual =>
            {
                first ??= actual;
                if (waited.Elapsed >= Patience)
                {
                    _progressShown = true;
                    WriteProgress(new ProgressRecord(0, Activity, $"{vm.Name}: {View.Size(actual)}, on the way to {View.Size(target)}")
                    {
                        PercentComplete = (int)Math.Clamp((first.Value - actual) * 100 / (first.Value - target), 0, 100),
                    });
                }
            },
            Token);
    }

    private static StratoException Conflict(string message) => new(StratoErrorKind.InvalidArgument, "ParametersConflict", message);
}
