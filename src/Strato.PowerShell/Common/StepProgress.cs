using System;
using System.Diagnostics;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>The progress of work in steps, whose length nobody knows, on the pipeline's thread. What is quick shows none.</summary>
internal sealed class StepProgress(Cmdlet cmdlet, string activity)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private readonly Stopwatch _started = Stopwatch.StartNew();
    private bool _shown;

    /// <param name="step">What is done now.</param>
    public void Show(string step)
    {
        if (_started.Elapsed >= Patience)
        {
            _shown = true;
            cmdlet.WriteProgress(new ProgressRecord(0, activity, step));
        }
    }

    /// <summary>Takes the bar away.</summary>
    public void Complete()
    {
        if (_shown)
        {
            cmdlet.WriteProgress(new ProgressRecord(0, activity, " ") { RecordType = ProgressRecordType.Completed });
        }
    }
}
