using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>The virtual CPUs that a VM has, or will have at its start. Errors: <c>QmpTimeout</c>, <c>QmpDisconnected</c>.</summary>
    public IReadOnlyList<CpuInfo> GetCpus(string id, CancellationToken token = default)
    {
        VmDefinition vm = GetById(id);
        CpuShape shape = ProcessorRules.ShapeOf(vm.Cpu, vm.Processor);
        List<CpuInfo> cpus = [];
        using EngineProcess? process = Registry.TryOpen(id);
        if (process is null)
        {
            for (int index = 0; index < vm.Cpu; index++)
            {
                cpus.Add(new CpuInfo { Index = index, Place = shape.PlaceOf(index), Affinity = AffinityOf(vm.Processor.Affinity, index)?.HostCpus });
            }

            return cpus;
        }

        int pid = process.Run.Pid;
        foreach (JsonElement cpu in InvokeQmp(id, "query-cpus", token: token).EnumerateArray())
        {
            int index = cpu.GetProperty("CPU").GetInt32();
            int thread = cpu.GetProperty("thread_id").GetInt32();
            cpus.Add(new CpuInfo
            {
                Index = index,
                Place = shape.PlaceOf(index),
                ThreadId = thread,
                HostCpu = Procfs.TryReadTaskCpu(pid, thread),
                Affinity = Affinity.Get(pid, thread)?.ToString(),
                Time = TimeSpan.FromTicks((Procfs.TryReadTaskNanoseconds(pid, thread) ?? 0) / 100),
            });
        }

        return cpus;
    }

    /// <summary>Pins threads of a VM to the host's CPUs: at once where it runs, and from its next start on.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="threads">Which threads.</param>
    /// <param name="affinity">Such as <c>0-3,^2</c>; empty to pin them no longer.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    /// <remarks>Errors: <c>CpuNotFound</c>, <c>IoThreadNotFound</c>, <c>InvalidAffinity</c>, <c>HostCpuOffline</c>, <c>HostCpuOutsideCgroup</c>, <c>AffinityFailed</c>.</remarks>
    public void SetAffinity(string id, AffinityTarget threads, string affinity, CancellationToken token = default)
    {
        HostCpus? cpus = affinity.Length == 0 ? null : HostCpus.Parse(affinity, "-Affinity");
        Store.Update(
            id,
            rename: false,
            before =>
            {
                List<AffinityDefinition> changed = Resolve(before, threads, cpus?.ToString() ?? "");
                using (EngineProcess? process = Registry.TryOpen(id))
                {
                    if (cpus is not null)
                    {
                        // Of CPUs that come later, too, and for the next start.
                        Affinity.Check(cpus, process is null ? CpuShare.CpusOf(before) : Affinity.AllowedOf(process.Run.Pid));
                    }

                    if (process is not null)
                    {
                        Pin(id, process, changed, token);
                    }
                }

                // Those of threads that are no more go with all others, whatever the definition says that there is.
                List<AffinityDefinition> all = threads.IsAll ? [] : [.. before.Processor.Affinity];
                all.RemoveAll(old => changed.Exists(one => one.Cpu == old.Cpu && one.IoThread == old.IoThread));
                all.AddRange(changed.FindAll(one => one.HostCpus.Length > 0));
                all.Sort(static (a, b) => (a.Cpu ?? int.MaxValue).CompareTo(b.Cpu ?? int.MaxValue));
                return before with { Processor = before.Processor with { Affinity = all.Count == 0 ? [] : all } };
            },
            token);
    }

    /// <summary>Refuses what a definition pins threads to, where the host hasn't it. Errors: <c>InvalidAffinity</c>, <c>HostCpuOffline</c>, <c>HostCpuOutsideCgroup</c>.</summary>
    internal static void CheckPins(VmDefinition vm)
    {
        HostCpus? allowed = vm.Processor.Affinity.Count > 0 ? CpuShare.CpusOf(vm) : null;
        foreach (AffinityDefinition one in vm.Processor.Affinity)
        {
            Affinity.Check(HostCpus.Parse(one.HostCpus, "-Affinity"), allowed);
        }
    }

    /// <summary>Pins a started VM's threads as its definition says.</summary>
    private void PinStarted(VmDefinition vm, CancellationToken token)
    {
        using EngineProcess process = OpenRunning(vm.Id);
        Pin(vm.Id, process, vm.Processor.Affinity, token);
    }

    private void Pin(string id, EngineProcess process, IReadOnlyList<AffinityDefinition> affinity, CancellationToken token)
    {
        int pid = process.Run.Pid;
        Dictionary<int, int> cpus = [];
        Dictionary<string, int> ioThreads = new(StringComparer.Ordinal);
        foreach (JsonElement cpu in InvokeQmp(id, "query-cpus", token: token).EnumerateArray())
        {
            cpus[cpu.GetProperty("CPU").GetInt32()] = cpu.GetProperty("thread_id").GetInt32();
        }

        foreach ((string name, int thread) in GetIoThreadIds(id, token))
        {
            ioThreads[name] = thread;
        }

        foreach (AffinityDefinition one in affinity)
        {
            HostCpus? on = one.HostCpus.Length == 0 ? null : HostCpus.Parse(one.HostCpus, "-Affinity");
            foreach (int thread in ThreadsOf(one, pid, cpus, ioThreads))
            {
                Affinity.Pin(pid, thread, on);
            }
        }
    }

    private static IEnumerable<int> ThreadsOf(AffinityDefinition one, int pid, Dictionary<int, int> cpus, Dictionary<string, int> ioThreads)
    {
        if (one.Cpu is { } index)
        {
            return cpus.TryGetValue(index, out int thread) ? [thread] : [];
        }

        if (one.IoThread is { } name)
        {
            return ioThreads.TryGetValue(name, out int thread) ? [thread] : [];
        }

        // The emulator is all that is left; threads that come later take their maker's CPUs.
        List<int> others = [];
        foreach (string task in Directory.EnumerateDirectories($"/proc/{pid}/task"))
        {
            int thread = int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture);
            if (!cpus.ContainsValue(thread) && !ioThreads.ContainsValue(thread))
            {
                others.Add(thread);
            }
        }

        return others;
    }

    private static List<AffinityDefinition> Resolve(VmDefinition vm, AffinityTarget threads, string hostCpus)
    {
        int most = ProcessorRules.ShapeOf(vm.Cpu, vm.Processor).MaxCpus;
        List<AffinityDefinition> result = [];
        for (int index = 0; threads.IsAll && index < most; index++)
        {
            result.Add(new AffinityDefinition { Cpu = index, HostCpus = hostCpus });
        }

        foreach (int index in threads.Cpus)
        {
            if (index < 0 || index >= most)
            {
                throw new StratoException(StratoErrorKind.NotFound, "CpuNotFound", $"The VM '{vm.Name}' has no virtual CPU {index}; it has 0 to {most - 1}.") { Where = "-Cpu", VmName = vm.Name };
            }

            result.Add(new AffinityDefinition { Cpu = index, HostCpus = hostCpus });
        }

        foreach (string name in threads.IsAll ? Each(vm.IoThreads, thread => thread.Id) : threads.IoThreads)
        {
            result.Add(new AffinityDefinition { IoThread = FindIoThread(vm, name).Id, HostCpus = hostCpus });
        }

        if (threads.IsAll || threads.Emulator)
        {
            result.Add(new AffinityDefinition { HostCpus = hostCpus });
        }

        return result;
    }

    private static AffinityDefinition? AffinityOf(IReadOnlyList<AffinityDefinition> affinity, int cpu)
    {
        foreach (AffinityDefinition one in affinity)
        {
            if (one.Cpu == cpu)
            {
                return one;
            }
        }

        return null;
    }
}
