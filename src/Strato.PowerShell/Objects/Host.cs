using System.Linq;
using Strato.Client;

namespace Strato;

/// <summary>What this host offers to VMs, as it was at one moment.</summary>
public sealed class Host
{
    private readonly StratoClient _client;
    private HostInfo _info;

    internal Host(StratoClient client, HostInfo info)
    {
        _client = client;
        _info = info;
    }

    /// <summary>Host name.</summary>
    public string Name => _info.Name;

    /// <summary>usable, emulated, no-permission, absent, or unknown.</summary>
    public string Kvm => _info.Kvm;

    /// <summary>Why.</summary>
    public string KvmReason => _info.KvmReason;

    /// <summary>What to do about it; null when KVM is usable.</summary>
    public string? KvmRemedy => _info.KvmRemedy;

    /// <summary>KVM's API version, or null.</summary>
    public int? KvmApiVersion => _info.KvmApiVersion;

    /// <summary>Million instructions per second of the probe's loop, or null.</summary>
    public double? KvmMips => _info.KvmMips;

    /// <summary>Microseconds from the engine's start to its first KVM_RUN, or null.</summary>
    public long? FirstRunMicroseconds => _info.FirstRunMicroseconds;

    /// <summary>CPU model.</summary>
    public string CpuModel => _info.CpuModel;

    /// <summary>Logical CPUs online.</summary>
    public int CpuCount => _info.CpuCount;

    /// <summary>Bytes.</summary>
    public long MemoryTotal => _info.MemoryTotal;

    /// <summary>Bytes that could be given out without swapping.</summary>
    public long MemoryAvailable => _info.MemoryAvailable;

    /// <summary>Bytes of one huge page; zero if the kernel has none.</summary>
    public long HugePageSize => _info.HugePageSize;

    /// <summary>Huge pages set aside.</summary>
    public long HugePagesTotal => _info.HugePagesTotal;

    /// <summary>Of those, unused.</summary>
    public long HugePagesFree => _info.HugePagesFree;

    /// <summary>always, madvise, never, or empty.</summary>
    public string TransparentHugePages => _info.TransparentHugePages;

    /// <summary>Whether engines are shut in: full, partial, or none.</summary>
    public string Sandbox => _info.Sandbox;

    /// <summary>Why it isn't full, and what to do; else null.</summary>
    public string? SandboxReason => _info.SandboxReason;

    /// <summary>Kernel release.</summary>
    public string KernelRelease => _info.KernelRelease;

    /// <summary>The engine that would be used, or null.</summary>
    public string? EnginePath => _info.EnginePath;

    /// <summary>Its version; null where there is none.</summary>
    public string? EngineVersion => _info.EngineVersion;

    /// <summary>Version of this module.</summary>
    public string ModuleVersion => _info.ModuleVersion;

    /// <summary>Devices that VMs may want, and whether they can be used.</summary>
    public HostDevice[] Devices => [.. _info.Devices.Select(device => new HostDevice(device))];

    /// <summary>Programs that features rely on, and their versions.</summary>
    public HostProgram[] Programs => [.. _info.Programs.Select(program => new HostProgram(program))];

    /// <summary>Where VM definitions are.</summary>
    public string StateRoot => _info.StateRoot;

    /// <summary>Where running VMs have their sockets.</summary>
    public string RuntimeRoot => _info.RuntimeRoot;

    /// <summary>Asks again.</summary>
    public void Refresh() => _info = _client.GetHost();

    public override string ToString() => Name;
}

/// <summary>A device of the host that VMs may want.</summary>
public sealed class HostDevice
{
    private readonly HostDeviceInfo _info;

    internal HostDevice(HostDeviceInfo info)
    {
        _info = info;
    }

    /// <summary>Tap, VhostNet, VhostVsock or Vfio.</summary>
    public string Name => _info.Name;

    /// <summary>Where it is.</summary>
    public string Path => _info.Path;

    /// <summary>Whether this process may use it.</summary>
    public bool Usable => _info.Usable;

    /// <summary>What it is for.</summary>
    public string Use => _info.Use;

    /// <summary>What was found.</summary>
    public string Detail => _info.Detail;

    /// <summary>What to do about it; null where there is nothing to do.</summary>
    public string? Remedy => _info.Remedy;

    public override string ToString() => Usable ? Name : $"{Name} (no)";
}

/// <summary>A program of the host that a feature relies on.</summary>
public sealed class HostProgram
{
    private readonly HostProgramInfo _info;

    internal HostProgram(HostProgramInfo info)
    {
        _info = info;
    }

    /// <summary>passt, virtiofsd, dnsmasq or nft.</summary>
    public string Name => _info.Name;

    /// <summary>Where it is; null where it isn't installed.</summary>
    public string? Path => _info.Path;

    /// <summary>As it tells it; null where it tells none.</summary>
    public string? Version => _info.Version;

    /// <summary>What it is for.</summary>
    public string Use => _info.Use;

    /// <summary>What to do about it; null where it is there.</summary>
    public string? Remedy => _info.Remedy;

    public override string ToString() => Path is null ? $"{Name} (missing)" : $"{Name} {Version}".TrimEnd();
}
