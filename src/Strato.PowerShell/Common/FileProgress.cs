using System;
using System.Diagnostics;
using System.Management.Automation;

namespace Strato.PowerShell;

/// <summary>The progress of what is done with files, on the pipeline's thread. What is quick shows none.</summary>
internal sealed class FileProgress(Cmdlet cmdlet, string activity)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private readonly Stopwatch _started = Stopwatch.StartNew();
    private TimeSpan _next = Patience;

    /// <param name="file">Which.</param>
    /// <param name="done">Bytes of it.</param>
    /// <param name="all">All its bytes.</param>
    public void Show(string file, long done, long all)
    {
        if (_started.Elapsed < _next)
        {
            return;
        }

        _next = _started.Elapsed + Interval;
        cmdlet.WriteProgress(new ProgressRecord(0, activity, $"{file}: {View.Size(done)} of {View.Size(all)}") { PercentComplete = all > 0 ? (int)Math.Min(100, done * 100 / all) : -1 });
    }

    /// <summary>Takes the bar away.</summary>
    public void Complete()
    {
        if (_next > Patience)
        {
            cmdlet.WriteProgress(new ProgressRecord(0, activity, " ") { RecordType = ProgressRecordType.Completed });
        }
    }
}
