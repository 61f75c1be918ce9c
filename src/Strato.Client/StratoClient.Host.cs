using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>This host and its KVM. Never fails for a lack of KVM or of the engine: the verdict says so.</summary>
    public HostInfo GetHost(CancellationToken token = default)
    {
        string? engine = null;
        Task<string?>? version = null;
        Task<HostProgramInfo>[] programs = HostPrograms.Begin(token);
        ProbeRunner.Answer probe;
        try
        {
            engine = FindEngine();
            version = HostPrograms.BeginEngine(engine, token);
            probe = ProbeRunner.Run(engine, token);
        }
        catch (StratoException e)
        {
            probe = ProbeRunner.Unknown(e.Message);
        }

        HostFacts.MemoryFacts memory = HostFacts.Memory();
        return new HostInfo
        {
            Name = HostFacts.HostName(),
            Kvm = probe.Verdict,
            KvmReason = probe.Reason,
            KvmRemedy = HostFacts.Remedy(probe.Verdict),
            KvmApiVersion = probe.ApiVersion,
            KvmMips = probe.Mips,
            FirstRunMicroseconds = probe.FirstRunMicroseconds,
            CpuModel = HostFacts.CpuModel(),
            CpuCount = HostFacts.CpuCount(),
            MemoryTotal = memory.Total,
            MemoryAvailable = memory.Available,
            HugePageSize = memory.HugePageSize,
            HugePagesTotal = memory.HugePagesTotal,
            HugePagesFree = memory.HugePagesFree,
            TransparentHugePages = HostFacts.TransparentHugePages(),
            Sandbox = SandboxSupport.OfThisProcess switch { { Reason: null } => "full", { Option: null } => "none", _ => "partial" },
            SandboxReason = SandboxSupport.OfThisProcess.Reason,
            KernelRelease = HostFacts.KernelRelease(),
            EnginePath = engine,
            EngineVersion = version is null ? null : Result(version),
            ModuleVersion = typeof(StratoClient).Assembly.GetName().Version!.ToString(3),
            Devices = HostDevices.Find(),
            Programs = Array.ConvertAll(programs, Result),
            StateRoot = Paths.StateRoot,
            RuntimeRoot = Paths.RuntimeRoot,
        };
    }

    /// <summary>What was begun is at its end soon after it is cancelled.</summary>
    private static T Result<T>(Task<T> begun) => begun.GetAwaiter().GetResult();

    /// <summary>The checklist about this host: what VMs need, and what they may want. Nothing is changed by it.</summary>
    public IReadOnlyList<HostCheck> TestHost(CancellationToken token = default) => HostChecks.Run(Paths, GetHost(token));

    /// <summary>What would stop a VM from starting on this host, as a checklist. Nothing is started or changed: the engine builds the machine and lets it go again.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="allowEmulation">Whether a KVM that only emulates is good enough.</param>
    /// <param name="token">Ends the engine's looks.</param>
    /// <remarks>Errors: <c>VmNotFound</c>, <c>VmDefinitionDamaged</c>.</remarks>
    public IReadOnlyList<HostCheck> Test(string id, bool allowEmulation = false, CancellationToken token = default)
    {
        // The engine takes disks and taps for a moment: a start that comes meanwhile waits.
        using FileLock mine = Store.Lock(id, token);
        VmDefinition vm = GetById(id);
        using (EngineProcess? process = Registry.TryOpen(id))
        {
            if (process is not null)
            {
                return [VmChecks.Running(vm, process.Run.Pid)];
            }
        }

        HostInfo host = GetHost(token);
        return new VmChecks(Paths, vm, host, allowEmulation).Run(rest => DryRun.Run(rest, host.EnginePath!, allowEmulation, token));
    }
}
