using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>A cmdlet that works on VMs, each given by its object, its name, or a wildcard.</summary>
/// <remarks>The parameters stand in the classes below: action cmdlets call them Name and VM, device cmdlets VMName and VM.</remarks>
public abstract class VmSelectingCmdlet : StratoCmdlet
{
    internal const string NameSet = "Name";
    internal const string VMNameSet = "VMName";
    internal const string VMSet = "VM";

    private ParallelWork? _work;

    private protected abstract IReadOnlyList<string>? Names { get; }

    private protected abstract IReadOnlyList<Vm>? Objects { get; }

    protected override void ProcessRecord()
    {
        foreach (VmTarget vm in Targets())
        {
            Process(vm);
        }

        _work?.ReportReady();
    }

    protected override void EndProcessing() => _work?.ReportAll();

    /// <summary>After Ctrl-C, or an error that ended the pipeline: the shell may end next, and what was begun has to be undone before.</summary>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _work?.Drain();
        }
    }

    /// <summary>Work that goes on for several VMs at once while others come through the pipeline; its outcomes are reported as they come.</summary>
    /// <param name="activity">Title of the progress bar.</param>
    /// <param name="limit">How many VMs are worked on at once.</param>
    /// <param name="report">Writes what came of the work for one VM.</param>
    private protected ParallelWork<T> Parallel<T>(string activity, int limit, Action<VmTarget, Task<T>> report)
    {
        ParallelWork<T> work = new(this, activity, limit, report, Token);
        _work = work;
        return work;
    }

    /// <summary>The work for one VM, on the pipeline's thread.</summary>
    private protected abstract void Process(VmTarget vm);

    private protected IEnumerable<VmTarget> Targets()
    {
        foreach (Vm vm in Objects ?? [])
        {
            yield return VmTarget.Of(vm);
        }

        foreach (string name in Names ?? [])
        {
            foreach (VmTarget vm in Try(name, () => Find(name)) ?? [])
            {
                yield return vm;
            }
        }
    }

    /// <summary>The VMs that a name or wildcard means.</summary>
    private protected virtual IEnumerable<VmTarget> Find(string name) => VmTarget.Of(Client, VmTarget.Find(Client, name));

    private protected void Write(VmTarget vm, VmInfo info) => WriteObject(new Vm(vm.Client, info));

    /// <summary>Emits the VM as it is now.</summary>
    private protected void WriteNow(VmTarget vm)
    {
        if (Try(vm.Name, () => vm.Client.Snapshot(vm.Id, Token)) is { } info)
        {
            Write(vm, info);
        }
    }
}
