using System.Collections.Generic;
using System.Threading;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>This host and its KVM. Never fails for a lack of KVM or of the engine: the verdict says so.</summary>
    public HostInfo GetHost(CancellationToken token = default)
    {
        string? engine = null;
        ProbeRunner.Answer probe;
        try
        {
            engine = FindEngine();
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
            StateRoot = Paths.StateRoot,
            RuntimeRoot = Paths.RuntimeRoot,
        };
    }

    /// <summary>The checklist about this host: what VMs need, and what they may want. Nothing is changed by it.</summary>
    public IReadOnlyList<HostCheck> TestHost(CancellationToken token = default) => HostChecks.Run(Paths, GetHost(token));
}
