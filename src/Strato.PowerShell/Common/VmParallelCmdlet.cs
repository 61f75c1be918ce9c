using System;
using System.Diagnostics;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>An action that takes a while: it begins for each VM as it comes through the pipeline, and runs for several at once.</summary>
public abstract class VmParallelCmdlet : VmPassThruCmdlet
{
    // Shorter waits show no progress, so that quick work doesn't flicker.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(200);

    // Ending an engine that hangs in the kernel is given up after five seconds.
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(10);

    private readonly Stopwatch _waited = new();
    private PendingWork? _work;
    private int _done;
    private bool _progressShown;

    /// <summary>How many VMs are worked on at once.</summary>
    private protected virtual int Limit => 256;

    /// <summary>Title of the progress bar.</summary>
    private protected abstract string Activity { get; }

    /// <summary>Begins the work; its outcome is written when it is there.</summary>
    private protected void Begin(VmTarget vm, Func<VmInfo> work) => (_work ??= new PendingWork(Limit, Token)).Add(vm, work);

    protected override void ProcessRecord()
    {
        base.ProcessRecord();
        while (_work is { Count: > 0 } work && work.Next.Outcome.IsCompleted)
        {
            Report(work.Take());
        }
    }

    protected override void EndProcessing()
    {
        _waited.Start();
        while (_work is { Count: > 0 } work)
        {
            Await(work.Next.Outcome, work);
            Report(work.Take());
        }

        if (_progressShown)
        {
            WriteProgress(new ProgressRecord(0, Activity, " ") { RecordType = ProgressRecordType.Completed });
        }
    }

    /// <summary>After Ctrl-C, or an error that ended the pipeline: the shell may end next, and what was begun has to be undone before.</summary>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _work?.Drain(DrainLimit);
        }
    }

    private void Await(Task outcome, PendingWork work)
    {
        try
        {
            while (Task.WaitAny([outcome], (int)ProgressInterval.TotalMilliseconds, Token) < 0)
            {
                if (_waited.Elapsed >= Patience)
                {
                    ShowProgress(work);
                }
            }
        }
        catch (OperationCanceledException)
        {
            throw new PipelineStoppedException();
        }
    }

    private void ShowProgress(PendingWork work)
    {
        int total = _done + work.Count;
        _progressShown = true;
        WriteProgress(new ProgressRecord(0, Activity, total == 1 ? work.Next.Vm.Name : $"{_done} of {total} done, next {work.Next.Vm.Name}")
        {
            PercentComplete = total == 1 ? -1 : _done * 100 / total,
        });
    }

    private void Report(PendingWork.Item item)
    {
        _done++;
        if (Try(item.Vm.Name, () => Take(item.Vm, item.Outcome)) is { } info && PassThru)
        {
            Write(item.Vm, info);
        }
    }

    /// <summary>What came of the work for one VM, on the pipeline's thread; may throw.</summary>
    private protected virtual VmInfo Take(VmTarget vm, Task<VmInfo> outcome) => outcome.GetAwaiter().GetResult();
}
