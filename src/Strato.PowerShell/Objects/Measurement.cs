using System;
using System.Linq;
using Strato.Client;

namespace Strato;

/// <summary>What a VM used during one interval. Rates are plain numbers per second.</summary>
public sealed class Measurement
{
    private readonly VmMeasurement _measured;

    internal Measurement(VmMeasurement measured)
    {
        _measured = measured;
        Drives = [.. measured.Drives.Select(drive => new DriveMeasurement(drive))];
        NetworkAdapters = [.. measured.NetworkAdapters.Select(adapter => new NetworkMeasurement(adapter))];
    }

    /// <summary>The VM's name.</summary>
    public string VMName => _measured.Name;

    /// <summary>The VM's id.</summary>
    public string VMId => _measured.Id;

    /// <summary>End of the interval, local time.</summary>
    public DateTime Time => _measured.Time.LocalDateTime;

    /// <summary>Seconds that it lasted.</summary>
    public double Interval => Math.Round(_measured.Interval.TotalSeconds, 3);

    /// <summary>The VM's state at its end; Unresponsive where the engine didn't answer, and all that it tells is missing then.</summary>
    public string State => _measured.State;

    /// <summary>Percent of the VM's own virtual CPUs in use, or null.</summary>
    public double? CpuUsage => _measured.CpuUsage;

    /// <summary>Bytes of RAM that the guest has at the end.</summary>
    public long MemoryAssigned => _measured.MemoryAssigned;

    /// <summary>Bytes of RAM that the guest needs at the end, as MemoryDemand of a Strato.Vm.</summary>
    public long MemoryDemand => _measured.MemoryDemand;

    /// <summary>Bytes of host memory that the engine occupies at the end.</summary>
    public long MemoryResident => _measured.MemoryResident;

    /// <summary>Bytes a second read, of all drives.</summary>
    public double DiskReadBytes => Drives.Sum(drive => drive.ReadBytes);

    /// <summary>Bytes a second written, of all drives.</summary>
    public double DiskWriteBytes => Drives.Sum(drive => drive.WriteBytes);

    /// <summary>Requests a second to read, of all drives.</summary>
    public double DiskReads => Drives.Sum(drive => drive.Reads);

    /// <summary>Requests a second to write, of all drives.</summary>
    public double DiskWrites => Drives.Sum(drive => drive.Writes);

    /// <summary>Bytes a second that the guest received, of all adapters; null where nobody tells.</summary>
    public double? NetworkReceiveBytes => Sum(adapter => adapter.ReceiveBytes);

    /// <summary>Bytes a second that the guest sent, of all adapters; null where nobody tells.</summary>
    public double? NetworkSendBytes => Sum(adapter => adapter.SendBytes);

    /// <summary>Packets a second that the guest received, of all adapters; null where nobody tells.</summary>
    public double? NetworkReceivePackets => Sum(adapter => adapter.ReceivePackets);

    /// <summary>Packets a second that the guest sent, of all adapters; null where nobody tells.</summary>
    public double? NetworkSendPackets => Sum(adapter => adapter.SendPackets);

    /// <summary>Exits a second of all virtual CPUs out of the guest; null where the host's kernel doesn't tell (before Linux 5.14).</summary>
    public double? Exits => _measured.Exits;

    /// <summary>The same by drive.</summary>
    public DriveMeasurement[] Drives { get; }

    /// <summary>The same by network adapter.</summary>
    public NetworkMeasurement[] NetworkAdapters { get; }

    public override string ToString() => VMName;

    // Null as a whole where one is not known: the sum of the others would look like all.
    private double? Sum(Func<NetworkMeasurement, double?> rate) =>
        Array.TrueForAll(NetworkAdapters, adapter => rate(adapter) is not null) ? NetworkAdapters.Sum(rate) : null;
}

/// <summary>What a drive did during one interval, per second.</summary>
public sealed class DriveMeasurement
{
    private readonly DriveRates _rates;

    internal DriveMeasurement(DriveRates rates)
    {
        _rates = rates;
    }

    /// <summary>The drive's id.</summary>
    public string Id => _rates.Id;

    /// <summary>Bytes a second read.</summary>
    public double ReadBytes => _rates.ReadBytes;

    /// <summary>Bytes a second written.</summary>
    public double WriteBytes => _rates.WriteBytes;

    /// <summary>Requests a second to read.</summary>
    public double Reads => _rates.Reads;

    /// <summary>Requests a second to write.</summary>
    public double Writes => _rates.Writes;

    /// <summary>Requests a second to bring what was written to stable storage.</summary>
    public double Flushes => _rates.Flushes;

    /// <summary>Milliseconds that a request to read took on average; null when there was none.</summary>
    public double? ReadLatency => _rates.ReadLatency;

    /// <summary>Milliseconds that a request to write took on average; null when there was none.</summary>
    public double? WriteLatency => _rates.WriteLatency;

    public override string ToString() => Id;
}

/// <summary>What a network adapter moved during one interval, per second, seen from the guest; null where neither engine nor tap tells.</summary>
public sealed class NetworkMeasurement
{
    private readonly NetworkRates _rates;

    internal NetworkMeasurement(NetworkRates rates)
    {
        _rates = rates;
    }

    /// <summary>The adapter's id.</summary>
    public string Id => _rates.Id;

    /// <summary>Bytes a second that the guest received.</summary>
    public double? ReceiveBytes => _rates.ReceiveBytes;

    /// <summary>Bytes a second that the guest sent.</summary>
    public double? SendBytes => _rates.SendBytes;

    /// <summary>Packets a second that the guest received.</summary>
    public double? ReceivePackets => _rates.ReceivePackets;

    /// <summary>Packets a second that the guest sent.</summary>
    public double? SendPackets => _rates.SendPackets;

    public override string ToString() => Id;
}
