using Strato.Engine.Boot;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Refuses a configuration that a snapshot can't be restored into, by the first thing that differs; devices and processors are checked where they are made.</summary>
internal static class RestoreCheck
{
    /// <exception cref="UserErrorException">SnapshotMismatch.</exception>
    public static void Check(RestoredMachine restored, VmConfiguration configuration, CpuTopology topology, bool hasSerial)
    {
        if (restored.Memory.Size != configuration.Memory)
        {
            throw Mismatch($"has {ByteSize.Describe(restored.Memory.Size)} of memory, and {ByteSize.Describe(configuration.Memory)} are configured", "-m");
        }

        (ulong Start, ulong Length)[] ranges = Layout.RamRanges((ulong)configuration.Memory);
        bool same = ranges.Length == restored.Memory.Ranges.Count;
        for (int i = 0; same && i < ranges.Length; i++)
        {
            same = ranges[i] == restored.Memory.Ranges[i];
        }

        if (!same)
        {
            throw Mismatch("has its memory at other addresses than a microvm", "-incoming");
        }

        CpuTopology saved = restored.Board.Topology;
        if (saved != topology)
        {
            throw Mismatch($"has {Describe(saved)}, and {Describe(topology)} are configured", "-smp");
        }

        if (restored.Board.HasSerial != hasSerial)
        {
            throw Mismatch(hasSerial ? "has no serial port, and one is configured" : "has a serial port, and none is configured", "-serial");
        }
    }

    private static string Describe(CpuTopology topology) =>
        $"{topology.Present} CPUs of {topology.Count} ({CpuShape.Describe(topology.Sockets, topology.Dies, topology.Cores, topology.Threads)})";

    private static UserErrorException Mismatch(string what, string where) => new("SnapshotMismatch", $"The snapshot's machine {what}.", where);
}
