using System;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>An action that takes a while: it begins for each VM as it comes through the pipeline, and runs for several at once.</summary>
public abstract class VmParallelCmdlet : VmPassThruCmdlet
{
    private ParallelWork<VmInfo>? _work;

    /// <summary>How many VMs are worked on at once.</summary>
    private protected virtual int Limit => 256;

    /// <summary>Title of the progress bar.</summary>
    private protected abstract string Activity { get; }

    /// <summary>Begins the work; its outcome is written when it is there.</summary>
    private protected void Begin(VmTarget vm, Func<VmInfo> work) => (_work ??= Parallel<VmInfo>(Activity, Limit, Report)).Begin(vm, work);

    private void Report(VmTarget vm, Task<VmInfo> outcome)
    {
        if (Try(vm.Name, () => Take(vm, outcome)) is { } info && PassThru)
        {
            Write(vm, info);
        }
    }

    /// <summary>What came of the work for one VM, on the pipeline's thread; may throw.</summary>
    private protected virtual VmInfo Take(VmTarget vm, Task<VmInfo> outcome) => outcome.GetAwaiter().GetResult();
}
