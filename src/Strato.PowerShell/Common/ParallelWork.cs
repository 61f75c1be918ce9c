using System;
using System.Diagnostics;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;

namespace Strato.PowerShell;

/// <summary>A cmdlet's work on several VMs at once, whatever comes of it.</summary>
internal abstract class ParallelWork
{
    /// <summary>Reports what is there.</summary>
    public abstract void ReportReady();

    /// <summary>Waits for the rest and reports it.</summary>
    public abstract void ReportAll();

    /// <summary>After Ctrl-C, or an error that ended the pipeline: the shell may end next, and what was begun has to be undone before.</summary>
    public abstract void Drain();
}

/// <summary>Work whose outcomes are reported in the order in which it was begun, on the pipeline's thread.</summary>
internal sealed class ParallelWork<T> : ParallelWork
{
    // Shorter waits show no progress, so that quick work doesn't flicker.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    // Ending an engine that hangs in the kernel is given up after five seconds.
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _waited = new();
    private readonly Cmdlet _cmdlet;
    private readonly string _activity;
    private readonly CancellationToken _token;
    private readonly Action<VmTarget, Task<T>> _report;
    private readonly PendingWork<T> _work;
    private int _done;
    private bool _progressShown;

    /// <param name="cmdlet">Shows the progress.</param>
    /// <param name="activity">Title of the progress bar.</param>
    /// <param name="limit">How many VMs are worked on at once.</param>
    /// <param name="report">Writes what came of the work for one VM.</param>
    /// <param name="token">Ends the waits.</param>
    public ParallelWork(Cmdlet cmdlet, string activity, int limit, Action<VmTarget, Task<T>> report, CancellationToken token)
    {
        _cmdlet = cmdlet;
        _activity = activity;
        _report = report;
        _token = token;
        _work = new PendingWork<T>(limit, token);
    }

    /// <summary>Begins the work; its outcome is reported when it is there.</summary>
    public void Begin(VmTarget vm, Func<T> work) => _work.Add(vm, work);

    public override void ReportReady()
    {
        while (_work.Count > 0 && _work.Next.Outcome.IsCompleted)
        {
            Report(_work.Take());
        }
    }

    public override void ReportAll()
    {
        _waited.Start();
        while (_work.Count > 0)
        {
            Await(_work.Next.Outcome);
            Report(_work.Take());
        }

        if (_progressShown)
        {
            _cmdlet.WriteProgress(new ProgressRecord(0, _activity, " ") { RecordType = ProgressRecordType.Completed });
        }
    }

    public override void Drain() => _work.Drain(DrainLimit);

    private void Report(PendingWork<T>.Item item)
    {
        _done++;
        _report(item.Vm, item.Outcome);
    }

    private void Await(Task outcome)
    {
        try
        {
            while (Task.WaitAny([outcome], (int)ProgressInterval.TotalMilliseconds, _token) < 0)
            {
                if (_waited.Elapsed >= Patience)
                {
                    ShowProgress();
                }
            }
        }
        catch (OperationCanceledException)
        {
            throw new PipelineStoppedException();
        }
    }

    private void ShowProgress()
    {
        int total = _done + _work.Count;
        _progressShown = true;
        _cmdlet.WriteProgress(new ProgressRecord(0, _activity, total == 1 ? _work.Next.Vm.Name : $"{_done} of {total} done, next {_work.Next.Vm.Name}")
        {
            PercentComplete = total == 1 ? -1 : _done * 100 / total,
        });
    }
}
