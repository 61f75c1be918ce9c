using System;
using System.ComponentModel;
using System.Linq;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A VM as it was at one moment. <see cref="Refresh"/> asks again; no property does.</summary>
/// <remarks>Texts and plain numbers only, so that the object says the same as JSON, as CSV and on the other side of a remote session.</remarks>
[TypeConverter(typeof(VmConverter))]
public sealed class Vm
{
    private VmInfo _info;

    internal Vm(StratoClient client, VmInfo info)
    {
        Client = client;
        _info = info;
    }

    /// <summary>The store the VM is in.</summary>
    internal StratoClient Client { get; }

    /// <summary>The definition as it was then.</summary>
    internal VmDefinition Definition => _info.Definition;

    /// <summary>Unique in its store, without regard to case.</summary>
    public string Name => _info.Name;

    /// <summary>Eight characters that never change.</summary>
    public string Id => _info.Id;

    /// <summary>Stopped, Starting, Running, Paused, Halted, Failed or Unresponsive.</summary>
    public string State => _info.State;

    /// <summary>One short text about the state.</summary>
    public string Status => _info.Status;

    /// <summary>Why the VM is in this state, where that is not plain; else null.</summary>
    public string? StateReason => _info.StateReason;

    /// <summary>Process id of the engine, or null.</summary>
    public int? ProcessId => _info.ProcessId;

    /// <summary>The moment, local time, that State, Uptime, CpuUsage and the figures of memory are of.</summary>
    public DateTime Time => _info.Time.LocalDateTime;

    /// <summary>Seconds since the engine was started; zero when it isn't.</summary>
    public double Uptime => Math.Round(_info.Uptime.TotalSeconds, 3);

    /// <summary>Percent of the VM's own virtual CPUs in use, or null.</summary>
    public int? CpuUsage => _info.CpuUsage;

    /// <summary>Bytes of RAM that the running VM's guest has: what it was given, less what its balloon holds; zero when it isn't running.</summary>
    public long MemoryAssigned => _info.MemoryAssigned;

    /// <summary>Of what Restore-StratoSnapshot and Copy-StratoVm -Snapshot emit: whether the memory was copied, into huge pages, instead of mapped. Else null.</summary>
    public bool? MemoryCopied => _info.MemoryCopied;

    /// <summary>
    /// Bytes of RAM that the running VM's guest needs: as its balloon driver tells (its total less what is available), else what it has touched
    /// and not given back, which is MemoryResident. Zero when it isn't running.
    /// </summary>
    public long MemoryDemand => _info.MemoryDemand;

    /// <summary>Bytes of host memory that the engine occupies; zero when it isn't running.</summary>
    public long MemoryResident => _info.MemoryResident;

    /// <summary>Bytes of RAM the VM is defined with.</summary>
    public long Memory => _info.Memory;

    /// <summary>Bytes of the host's huge pages that hold the RAM; null for plain pages.</summary>
    public long? HugePage => _info.HugePage;

    /// <summary>Number of virtual CPUs the VM is defined with.</summary>
    public int Cpu => _info.Cpu;

    // What New-StratoVm takes by these names is here as it was given, so that a VM on its pipeline is made once more.

    /// <summary>Number of virtual CPUs that there can be; null where nothing is said, for as many as there are.</summary>
    public int? MaximumCpu => _info.Processor.Maximum;

    /// <summary>Sockets that the guest sees; null where it isn't said.</summary>
    public int? Socket => _info.Processor.Sockets;

    /// <summary>Dies of a socket; null where it isn't said.</summary>
    public int? Die => _info.Processor.Dies;

    /// <summary>Cores of a die; null where it isn't said.</summary>
    public int? Core => _info.Processor.Cores;

    /// <summary>Threads of a core; null where it isn't said.</summary>
    public int? Thread => _info.Processor.Threads;

    /// <summary>How the CPUs are grouped, such as <c>2 sockets of 4 cores of 1 thread</c>.</summary>
    public string CpuTopology => _info.CpuTopology;

    /// <summary>What the CPUs can do: <c>host</c>, <c>x86-64-v2</c> or <c>x86-64-v3</c>.</summary>
    public string CpuModel => _info.Processor.Model ?? "host";

    /// <summary>Features more or less than the model's, such as <c>+aes</c>.</summary>
    public string[] CpuFeature => [.. _info.Processor.Features];

    /// <summary>Its weight among all that want the host's CPUs; 100 where nothing is said.</summary>
    public int CpuWeight => _info.Processor.Weight ?? 100;

    /// <summary>The most of the host's CPUs that it uses, in percent of one; null for no limit.</summary>
    public int? CpuQuota => _info.Processor.Quota;

    /// <summary>Whether it has no empty slots for what is added while it runs.</summary>
    public bool NoHotPlug => _info.NoHotPlug;

    /// <summary>Whether its engine isn't shut in, even where the host allows it.</summary>
    public bool NoSandbox => _info.NoSandbox;

    /// <summary>Whether its guest's changes of disks are thrown away, and it itself when it has run.</summary>
    public bool IsEphemeral => _info.Ephemeral;

    /// <summary>Whether it has the console port of a guest agent.</summary>
    public bool GuestAgent => _info.GuestAgent;

    /// <summary>Whether the engine that runs is shut in; null when none runs.</summary>
    public bool? IsSandboxed => _info.IsSandboxed;

    /// <summary>Version of the engine that runs; null when none runs. After an update of the module it may be another one than that of the next start.</summary>
    public string? EngineVersion => _info.EngineVersion;

    /// <summary>Machine type.</summary>
    public string Machine => _info.Machine;

    /// <summary>Path of the kernel image.</summary>
    public string Kernel => _info.Kernel;

    /// <summary>Path of the initial RAM disk, or null.</summary>
    public string? Initrd => _info.Initrd;

    /// <summary>Kernel command line.</summary>
    public string CommandLine => _info.CommandLine;

    /// <summary>Disks in the order the guest sees them.</summary>
    public Drive[] Drives => [.. _info.Drives.Select(drive => new Drive(VmTarget.Of(this), drive))];

    /// <summary>Network interfaces in the order the guest sees them.</summary>
    public NetworkAdapter[] NetworkAdapters => [.. _info.NetworkAdapters.Select(adapter => new NetworkAdapter(VmTarget.Of(this), _info.Definition, adapter))];

    /// <summary>Free text.</summary>
    public string Notes => _info.Notes;

    /// <summary>When the VM was made, local time.</summary>
    public DateTime Created => _info.Created.LocalDateTime;

    /// <summary>The engine's log.</summary>
    public string LogPath => _info.LogPath;

    /// <summary>All console output since the last start.</summary>
    public string ConsoleLogPath => _info.ConsoleLogPath;

    /// <summary>The engine's QMP socket.</summary>
    public string QmpPath => _info.QmpPath;

    /// <summary>Folder of the definition and the logs.</summary>
    public string Path => System.IO.Path.GetDirectoryName(_info.LogPath) ?? "";

    /// <summary>Asks for the state of now.</summary>
    public void Refresh() => _info = Client.Snapshot(Id);

    /// <summary>The name, so that a VM can stand where a name is expected.</summary>
    public override string ToString() => Name;
}
