using System;
using System.Diagnostics;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Watch-StratoEvent: what happens to VMs, as it happens.</summary>
[Cmdlet(VerbsCommon.Watch, "StratoEvent", DefaultParameterSetName = VMNameSet)]
[OutputType(typeof(Event))]
public sealed class WatchStratoEventCommand : EventCmdlet
{
    [Parameter(HelpMessage = "End after so many events; without end if omitted.")]
    [ValidateRange(1, int.MaxValue)]
    public int Count { get; set; }

    [Parameter(HelpMessage = "End after so many seconds; without end if omitted.")]
    [ValidateRange(0, int.MaxValue / 1000)]
    public int Timeout { get; set; }

    protected override void EndProcessing()
    {
        if (Watch() is { } open)
        {
            Try(target: null, () => Stream(open));
        }
    }

    private void Stream(Func<EventWatch> open)
    {
        TimeSpan? limit = Seconds(nameof(Timeout), Timeout);
        long start = Stopwatch.GetTimestamp();
        Predicate<VmEvent> wanted = Filter();
        using EventWatch watch = open();
        for (int seen = 0; Count == 0 || seen < Count;)
        {
            TimeSpan? left = limit - Stopwatch.GetElapsedTime(start);
            if (watch.Read(left < TimeSpan.Zero ? TimeSpan.Zero : left, Token) is not { } told)
            {
                return;
            }

            if (wanted(told))
            {
                seen++;
                WriteObject(new Event(told));
            }
            else if (left <= TimeSpan.Zero)
            {
                return;
            }
        }
    }
}
