using System;
using System.Collections.Generic;

namespace Strato.Client;

/// <summary>What a VM used between two moments. Rates are per second; null where nobody tells them.</summary>
public sealed record VmMeasurement
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>One of <see cref="VmState"/>, at its end.</summary>
    public required string State { get; init; }

    /// <summary>Its end.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>Percent of the VM's own virtual CPUs that the engine used, 0 to 100.</summary>
    public double? CpuUsage { get; init; }

    /// <summary>As <see cref="VmInfo.MemoryAssigned"/>.</summary>
    public long MemoryAssigned { get; init; }

    /// <summary>As <see cref="VmInfo.MemoryDemand"/>.</summary>
    public long MemoryDemand { get; init; }

    /// <summary>As <see cref="VmInfo.MemoryResident"/>.</summary>
    public long MemoryResident { get; init; }

    /// <summary>Exits of all virtual CPUs out of the guest; null where the host's kernel doesn't count them for others (before Linux 5.14).</summary>
    public double? Exits { get; init; }

    /// <summary>By drive.</summary>
    public IReadOnlyList<DriveRates> Drives { get; init; } = [];

    /// <summary>By network adapter.</summary>
    public IReadOnlyList<NetworkRates> NetworkAdapters { get; init; } = [];
}

/// <summary>What a drive did, per second.</summary>
/// <param name="Id">The drive's.</param>
/// <param name="ReadBytes">Bytes read.</param>
/// <param name="WriteBytes">Bytes written.</param>
/// <param name="Reads">Requests to read.</param>
/// <param name="Writes">Requests to write.</param>
/// <param name="Flushes">Requests to bring what was written to stable storage.</param>
/// <param name="ReadLatency">Milliseconds that a request to read took on average; null without one.</param>
/// <param name="WriteLatency">Milliseconds that a request to write took on average; null without one.</param>
public sealed record DriveRates(string Id, double ReadBytes, double WriteBytes, double Reads, double Writes, double Flushes, double? ReadLatency, double? WriteLatency);

/// <summary>What a network adapter moved, per second, seen from the guest; null where neither the engine nor the host's tap tells.</summary>
/// <param name="Id">The adapter's.</param>
/// <param name="ReceiveBytes">Bytes that the guest received.</param>
/// <param name="SendBytes">Bytes that the guest sent.</param>
/// <param name="ReceivePackets">Packets that the guest received.</param>
/// <param name="SendPackets">Packets that the guest sent.</param>
public sealed record NetworkRates(string Id, double? ReceiveBytes, double? SendBytes, double? ReceivePackets, double? SendPackets);
