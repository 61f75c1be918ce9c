using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>How long a starting engine may be silent before it is called unresponsive.</summary>
    private static readonly TimeSpan StartingLimit = TimeSpan.FromSeconds(60);

    /// <summary>How long an engine may take to say its state. With all around it an engine that hangs is known as such within a second.</summary>
    internal static readonly TimeSpan StatusLimit = TimeSpan.FromMilliseconds(800);

    /// <summary>Span over which the CPU usage is measured.</summary>
    private static readonly TimeSpan UsageSpan = TimeSpan.FromMilliseconds(40);

    /// <summary>The VM at this moment, also where its definition is damaged, which its status then tells. Takes a second at most. Error <c>VmNotFound</c>.</summary>
    public VmInfo Snapshot(string id, CancellationToken token = default) => Snapshot([Store.GetEvenDamaged(id)], token)[0];

    /// <summary>A listing at this moment: its VMs, then those with a damaged definition that run; a second at most over all.</summary>
    public IReadOnlyList<VmInfo> Snapshot(VmListing vms, CancellationToken token = default)
    {
        List<VmDefinition> all = [.. vms.Definitions];
        foreach (DamagedVm damaged in vms.Damaged)
        {
            all.Add(damaged.StandIn);
        }

        List<VmInfo> infos = [.. Snapshot(all, token)];
        infos.RemoveAll(vm => vm.Definition.Damage is not null && vm.ProcessId is null);
        return infos;
    }

    /// <summary>Many VMs at this moment, all asked at once, in the order given; a second at most over all.</summary>
    public IReadOnlyList<VmInfo> Snapshot(IReadOnlyList<VmDefinition> vms, CancellationToken token = default)
    {
        EngineRegistry registry = Registry;
        EngineProcess?[] processes = new EngineProcess?[vms.Count];
        string?[] sockets = new string?[vms.Count];
        long?[] usedBefore = new long?[vms.Count];
        VmInfo[] infos = new VmInfo[vms.Count];
        try
        {
            bool anyRuns = false;
            for (int i = 0; i < vms.Count; i++)
            {
                processes[i] = registry.TryOpen(vms[i].Id);
                if (processes[i] is { } process)
                {
                    anyRuns = true;
                    sockets[i] = RuntimeFolder.IsSafe(process.Run.Runtime) ? process.Run.QmpSocket : null;
                    usedBefore[i] = Procfs.TryReadCpuNanoseconds(process.Run.Pid);
                }
            }

            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            StatusProbe.Result[] answers = StatusProbe.Ask(sockets, StatusLimit, token);
            if (anyRuns && UsageSpan - System.Diagnostics.Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } rest)
            {
                token.WaitHandle.WaitOne(rest);
                token.ThrowIfCancellationRequested();
            }

            for (int i = 0; i < vms.Count; i++)
            {
                infos[i] = processes[i] is { } process && !process.HasEnded
                    ? Living(vms[i], process.Run, answers[i], usedBefore[i], System.Diagnostics.Stopwatch.GetElapsedTime(start))
                    : Dead(vms[i], processes[i] is { } ended ? registry.WhyEnded(vms[i].Id, ended.Run) : registry.WhyStopped(vms[i].Id));
            }

            return infos;
        }
        finally
        {
            foreach (EngineProcess? process in processes)
            {
                process?.Dispose();
            }
        }
    }

    private VmInfo Dead(VmDefinition vm, string? reason)
    {
        // Of an engine that ended when nobody looked.
        Registry.RemoveCgroup(vm.Id, patient: false);
        return new VmInfo
        {
            Definition = vm,
            State = VmState.Stopped,
            StateReason = reason ?? vm.Damage,
            Status = reason ?? vm.Damage ?? "Operating normally",
            LogPath = Paths.EngineLog(vm.Id),
            ConsoleLogPath = Paths.ConsoleLog(vm.Id),
            QmpPath = System.IO.Path.Combine(Paths.RuntimeDirectory(vm.Id), "qmp.sock"),
        };
    }

    private VmInfo Living(VmDefinition vm, RunRecord run, StatusProbe.Result answer, long? usedBefore, TimeSpan span)
    {
        Procfs.Stat stat = Procfs.TryReadStat(run.Pid) ?? default;
        TimeSpan age = Procfs.Age(stat);
        (string state, string? reason) = StateOf(run, answer, stat, age);
        long assigned = answer.Memory ?? vm.Memory;
        long resident = (stat.ResidentPages * Environment.SystemPageSize) + (vm.HugePage is null ? 0 : Procfs.HugePageBytes(run.Pid));
        return new VmInfo
        {
            Definition = vm,
            State = state,
            StateReason = reason ?? vm.Damage,
            Status = reason ?? vm.Damage ?? (state == VmState.Starting ? "Starting" : "Operating normally"),
            ProcessId = run.Pid,
            IsSandboxed = run.Sandboxed,
            EngineVersion = answer.Package is { } package ? HostPrograms.ParseVersion(package) : null,
            Uptime = age,
            CpuUsage = Usage(usedBefore, Procfs.TryReadCpuNanoseconds(run.Pid), span, vm.Cpu),
            MemoryAssigned = assigned,
            MemoryDemand = GuestMemory.Demand(answer.Used, assigned, resident),
            MemoryResident = resident,
            LogPath = Paths.EngineLog(vm.Id),
            ConsoleLogPath = Paths.ConsoleLog(vm.Id),
            QmpPath = run.QmpSocket,
        };
    }

    private static (string State, string? Reason) StateOf(RunRecord run, StatusProbe.Result answer, Procfs.Stat stat, TimeSpan age)
    {
        bool starting = !run.Ready && age < StartingLimit;
        if (answer.Outcome == StatusProbe.Outcome.Answered)
        {
            string state = QmpCommand.State(answer.Status);
            return (starting && state == VmState.Paused ? VmState.Starting : state, state == VmState.Failed ? "The guest or KVM failed; see the engine's log." : null);
        }

        if (starting)
        {
            return (VmState.Starting, null);
        }

        string why = answer.Outcome == StatusProbe.Outcome.Nobody
            ? $"The engine (process {run.Pid}) is there, but its socket '{run.QmpSocket}' is gone or refuses connections."
            : stat.State is 'T' or 't'
                ? $"The engine (process {run.Pid}) was stopped by a signal; kill -CONT {run.Pid} lets it go on."
                : $"The engine (process {run.Pid}) did not answer within {StatusLimit.TotalMilliseconds:0} ms.";
        return (VmState.Unresponsive, why);
    }

    private static int? Usage(long? before, long? after, TimeSpan span, int cpus) =>
        before is null || after is null || span <= TimeSpan.Zero || cpus == 0
            ? null
            : (int)Math.Clamp(Math.Round((after.Value - before.Value) / (span.TotalNanoseconds * cpus) * 100), 0, 100);
}
