using System.Collections.Generic;

namespace Strato.Client;

/// <summary>What this host offers to VMs.</summary>
public sealed record HostInfo
{
    /// <summary>Host name.</summary>
    public required string Name { get; init; }

    /// <summary><c>usable</c>, <c>emulated</c>, <c>no-permission</c>, <c>absent</c>, or <c>unknown</c> when the engine is missing or cannot say.</summary>
    public required string Kvm { get; init; }

    /// <summary>The engine's own words for the verdict.</summary>
    public required string KvmReason { get; init; }

    /// <summary>What to do about it; null when KVM is usable.</summary>
    public string? KvmRemedy { get; init; }

    /// <summary>KVM's API version, or null.</summary>
    public int? KvmApiVersion { get; init; }

    /// <summary>Million instructions per second of the probe's loop, or null.</summary>
    public double? KvmMips { get; init; }

    /// <summary>Microseconds from the engine's start to its first KVM_RUN, or null.</summary>
    public long? FirstRunMicroseconds { get; init; }

    /// <summary>As /proc/cpuinfo has it.</summary>
    public required string CpuModel { get; init; }

    /// <summary>Logical CPUs online.</summary>
    public required int CpuCount { get; init; }

    /// <summary>Bytes.</summary>
    public required long MemoryTotal { get; init; }

    /// <summary>Bytes that could be given out without swapping.</summary>
    public required long MemoryAvailable { get; init; }

    /// <summary>Bytes of one default huge page; zero if the kernel has none.</summary>
    public required long HugePageSize { get; init; }

    /// <summary>Huge pages of that size set aside.</summary>
    public required long HugePagesTotal { get; init; }

    /// <summary>Of those, unused.</summary>
    public required long HugePagesFree { get; init; }

    /// <summary><c>always</c>, <c>madvise</c>, <c>never</c>, or empty.</summary>
    public required string TransparentHugePages { get; init; }

    /// <summary>Whether engines are shut in: <c>full</c>, <c>partial</c>, or <c>none</c>.</summary>
    public required string Sandbox { get; init; }

    /// <summary>Why it isn't <c>full</c>, and what to do; else null.</summary>
    public string? SandboxReason { get; init; }

    /// <summary>Kernel release.</summary>
    public required string KernelRelease { get; init; }

    /// <summary>Path of the engine that would be used, or null.</summary>
    public string? EnginePath { get; init; }

    /// <summary>Version of the engine, as it tells it; null where there is none.</summary>
    public string? EngineVersion { get; init; }

    /// <summary>Version of this library.</summary>
    public required string ModuleVersion { get; init; }

    /// <summary>Devices that VMs may want.</summary>
    public required IReadOnlyList<HostDeviceInfo> Devices { get; init; }

    /// <summary>Programs that features rely on.</summary>
    public required IReadOnlyList<HostProgramInfo> Programs { get; init; }

    /// <summary>Where VM definitions are.</summary>
    public required string StateRoot { get; init; }

    /// <summary>Where running VMs have their sockets.</summary>
    public required string RuntimeRoot { get; init; }
}
