using System;
using System.Collections.Generic;

namespace Strato.Client;

/// <summary>The states a VM is shown in. Strings, so that they read well as JSON and in scripts.</summary>
public static class VmState
{
    /// <summary>No engine runs.</summary>
    public const string Stopped = "Stopped";

    /// <summary>The engine was started and has not said yet that the guest runs.</summary>
    public const string Starting = "Starting";

    /// <summary>The virtual CPUs run.</summary>
    public const string Running = "Running";

    /// <summary>The virtual CPUs stand still and can be resumed.</summary>
    public const string Paused = "Paused";

    /// <summary>The guest has ended, the engine has not (<c>-no-shutdown</c>).</summary>
    public const string Halted = "Halted";

    /// <summary>The guest or KVM failed; the engine is still there.</summary>
    public const string Failed = "Failed";

    /// <summary>The engine's process is there but did not answer within a second.</summary>
    public const string Unresponsive = "Unresponsive";
}

/// <summary>A VM at one moment: its definition and what its engine said. Get a newer one with <see cref="StratoClient.Snapshot(string, System.Threading.CancellationToken)"/>.</summary>
public sealed record VmInfo
{
    /// <summary>The definition at that moment.</summary>
    public required VmDefinition Definition { get; init; }

    public string Name => Definition.Name;

    public string Id => Definition.Id;

    /// <summary>One of <see cref="VmState"/>.</summary>
    public required string State { get; init; }

    /// <summary>Why the VM is in this state, where that is not plain: how the engine ended, why it does not answer. Else null.</summary>
    public string? StateReason { get; init; }

    /// <summary>One short text for the table: <c>Operating normally</c>, or <see cref="StateReason"/>.</summary>
    public required string Status { get; init; }

    /// <summary>Process id of the engine, or null.</summary>
    public int? ProcessId { get; init; }

    /// <summary>Since the engine was started; zero when it isn't.</summary>
    public TimeSpan Uptime { get; init; }

    /// <summary>Percent of the VM's own virtual CPUs (0–100) that the engine used during the last moments; null if not known.</summary>
    public int? CpuUsage { get; init; }

    /// <summary>Bytes of RAM that the running VM's guest has: what it was given, less what its balloon holds; zero when it isn't running.</summary>
    public long MemoryAssigned { get; init; }

    /// <summary>
    /// Bytes of RAM that the running VM's guest needs: as its balloon driver tells (what it has less what is available to it), else those that it
    /// has touched and not given back, which is what the engine occupies. Zero when it isn't running.
    /// </summary>
    public long MemoryDemand { get; init; }

    /// <summary>The moment that all this is of.</summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UtcNow;

    /// <summary>Bytes of host memory the engine's process occupies; zero when it isn't running.</summary>
    public long MemoryResident { get; init; }

    /// <summary>Of a VM that was just restored from a snapshot, or made from one: whether its memory was copied, into huge pages, instead of mapped. Else null.</summary>
    public bool? MemoryCopied { get; init; }

    public long Memory => Definition.Memory;

    public long? HugePage => Definition.HugePage;

    /// <summary>As <see cref="VmDefinition.NoHotPlug"/>.</summary>
    public bool NoHotPlug => Definition.NoHotPlug;

    /// <summary>As <see cref="VmDefinition.NoSandbox"/>.</summary>
    public bool NoSandbox => Definition.NoSandbox;

    /// <summary>As <see cref="VmDefinition.Ephemeral"/>.</summary>
    public bool Ephemeral => Definition.Ephemeral;

    /// <summary>As <see cref="VmDefinition.GuestAgent"/>.</summary>
    public bool GuestAgent => Definition.GuestAgent;

    /// <summary>Whether the engine that runs is shut in; null when none runs.</summary>
    public bool? IsSandboxed { get; init; }

    /// <summary>Version of the engine that runs, which may be older or newer than the one that a start takes now; null when none runs, or it doesn't say.</summary>
    public string? EngineVersion { get; init; }

    public int Cpu => Definition.Cpu;

    public ProcessorDefinition Processor => Definition.Processor;

    /// <summary>How the CPUs are grouped, in words; empty where the definition's counts don't fit together.</summary>
    public string CpuTopology
    {
        get
        {
            try
            {
                return Store.ProcessorRules.ShapeOf(Definition.Cpu, Definition.Processor).ToString();
            }
            catch (StratoException)
            {
                // Written by hand, or damaged: a start tells what is wrong.
                return "";
            }
        }
    }

    public string Machine => Definition.Machine;

    public string Kernel => Definition.Kernel;

    public string? Initrd => Definition.Initrd;

    public string CommandLine => Definition.CommandLine;

    public IReadOnlyList<DriveDefinition> Drives => Definition.Drives;

    public IReadOnlyList<NetworkAdapterDefinition> NetworkAdapters => Definition.NetworkAdapters;

    public string Notes => Definition.Notes;

    public DateTimeOffset Created => Definition.Created;

    /// <summary>The engine's log.</summary>
    public required string LogPath { get; init; }

    /// <summary>All console output since the last start.</summary>
    public required string ConsoleLogPath { get; init; }

    /// <summary>The engine's QMP socket.</summary>
    public required string QmpPath { get; init; }
}
