using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Protocol;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>What is in a virtio slot.</summary>
internal enum SlotKind : byte
{
    /// <summary>A device that stays.</summary>
    Device,

    /// <summary>A disk, or a place for one.</summary>
    Disk,

    /// <summary>A network interface, or a place for one.</summary>
    Net,
}

/// <summary>One virtio slot of a snapshot's machine.</summary>
/// <param name="Kind">What is in it.</param>
/// <param name="Id">Id of the device; empty for a place where none is.</param>
/// <param name="Mac">A network interface's address; empty for others.</param>
internal readonly record struct SlotState(SlotKind Kind, string Id, string Mac)
{
    public bool IsEmpty => Kind != SlotKind.Device && Id.Length == 0;
}

/// <summary>How a snapshot's machine is wired: what the guest found when it booted, and doesn't look for again.</summary>
/// <param name="Topology">The CPUs.</param>
/// <param name="AnnouncedBy">How the guest learned of CPUs and devices.</param>
/// <param name="HasSerial">Whether there is a COM1.</param>
/// <param name="Slots">In the order of their numbers.</param>
internal sealed record BoardState(CpuTopology Topology, Announcement AnnouncedBy, bool HasSerial, IReadOnlyList<SlotState> Slots)
{
    public const string SectionName = "board";

    public SnapshotSection ToSection()
    {
        StateWriter writer = new();
        writer.U32((uint)Topology.Sockets);
        writer.U32((uint)Topology.Dies);
        writer.U32((uint)Topology.Cores);
        writer.U32((uint)Topology.Threads);
        writer.U32((uint)Topology.Present);
        writer.U8((byte)AnnouncedBy);
        writer.Bool(HasSerial);
        writer.U32((uint)Slots.Count);
        foreach (SlotState slot in Slots)
        {
            writer.U8((byte)slot.Kind);
            writer.Text(slot.Id);
            writer.Text(slot.Mac);
        }

        return writer.ToSection(SectionName);
    }

    /// <exception cref="UserErrorException">SnapshotDamaged, SnapshotVersion.</exception>
    public static BoardState Parse(StateFile state)
    {
        StateReader reader = state.Require(SectionName).Read();
        (int sockets, int dies, int cores, int threads) = (CpuCount(reader), CpuCount(reader), CpuCount(reader), CpuCount(reader));
        CpuTopology topology;
        try
        {
            topology = new CpuTopology(sockets, cores, threads, dies);
        }
        catch (UserErrorException error)
        {
            throw reader.Damaged(error.Message);
        }

        topology = topology with { Present = CpuCount(reader) };
        byte announced = reader.U8();
        bool hasSerial = reader.Bool();
        List<SlotState> slots = [];
        for (int left = reader.Count(Layout.VirtioSlots); left > 0; left--)
        {
            SlotState slot = new((SlotKind)reader.U8(), reader.Text(), reader.Text());
            slots.Add(slot.Kind <= SlotKind.Net ? slot : throw reader.Damaged($"a slot of kind {slot.Kind} can't be"));
        }

        reader.End();
        return topology.Present <= topology.Count && announced <= (byte)Announcement.CommandLine
            ? new BoardState(topology, (Announcement)announced, hasSerial, slots)
            : throw reader.Damaged($"{topology.Present} CPUs of {topology.Count} can't be");
    }

    private static int CpuCount(StateReader reader) =>
        reader.Count(Layout.MaxCpus) is var count and > 0 ? count : throw reader.Damaged("0 CPUs can't be");
}
