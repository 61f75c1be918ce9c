using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client;

/// <summary>A saved state of a VM: its memory and devices, its definition of then, and its disks where they were captured.</summary>
public sealed record VmSnapshot
{
    /// <summary>Eight characters of a–z and 0–9, unique within the VM; names the snapshot's folder.</summary>
    public required string Id { get; init; }

    /// <summary>Unique within the VM without regard to case.</summary>
    public required string Name { get; init; }

    /// <summary>The snapshot that the VM was at when this one was saved; null for the first.</summary>
    public string? ParentId { get; init; }

    /// <summary>When it was saved.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>The VM as it was then, with what had been added to it while it ran.</summary>
    public required VmDefinition Definition { get; init; }

    /// <summary>Whether the virtual CPUs ran until then; else it was paused.</summary>
    public bool WasRunning { get; init; }

    /// <summary>Whether it was started to run even where KVM only emulates: what goes on from it does the same.</summary>
    internal bool Forced { get; init; }

    /// <summary>Version of the engine that saved it.</summary>
    public string EngineVersion { get; init; } = "";

    /// <summary>The disks that the guest could write to, captured or not.</summary>
    public IReadOnlyList<SnapshotDisk> Disks { get; init; } = [];

    /// <summary>The VM that it is of, now.</summary>
    public string VmId { get; init; } = "";

    /// <summary>That VM's name of now.</summary>
    public string VmName { get; init; } = "";

    /// <summary>Its folder: <c>snapshot.json</c>, <c>state</c>, <c>memory</c>, <c>disks/</c>.</summary>
    public string Folder { get; init; } = "";

    /// <summary>Name of the parent; null for none.</summary>
    public string? ParentName { get; init; }

    /// <summary>How many snapshots it stands below.</summary>
    public int Depth { get; init; }

    /// <summary>Whether it is the last that the VM was saved to or restored from.</summary>
    public bool IsCurrent { get; init; }

    /// <summary>Bytes that its files take on the disk.</summary>
    public long Size { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>A disk that the guest could write to when a snapshot was saved.</summary>
/// <param name="DriveId">Of the drive.</param>
/// <param name="Size">Bytes.</param>
/// <param name="File">Name of the copy in the snapshot's folder of disks; null for one that wasn't captured.</param>
/// <param name="Written">When the disk was written to last; null for a block device.</param>
public sealed record SnapshotDisk(string DriveId, long Size, string? File, DateTimeOffset? Written);

/// <summary>A snapshot that can't be read; others are listed all the same.</summary>
/// <param name="VmId">The VM's.</param>
/// <param name="Id">Its folder's name.</param>
/// <param name="Error">What is wrong (id <c>SnapshotDamaged</c>).</param>
public sealed record DamagedSnapshot(string VmId, string Id, StratoException Error);

/// <summary>All snapshots of a VM.</summary>
/// <param name="Snapshots">Each below its parent, brothers by time.</param>
/// <param name="Damaged">Those that can't be read.</param>
public sealed record SnapshotListing(IReadOnlyList<VmSnapshot> Snapshots, IReadOnlyList<DamagedSnapshot> Damaged);

/// <summary>How a snapshot is saved.</summary>
public sealed record SnapshotSaveOptions
{
    /// <summary>Null for one made of the VM's name and the time.</summary>
    public string? Name { get; init; }

    /// <summary>Capture the disks that the guest can write to as well.</summary>
    public bool IncludeDisk { get; init; }

    /// <summary>Whether the VM doesn't go on afterwards.</summary>
    public bool Paused { get; init; }

    /// <summary>Told of what is written (a drive's id, or null for the memory), bytes done, and all.</summary>
    public Action<string?, long, long>? Progress { get; init; }
}

/// <summary>How a snapshot is restored.</summary>
public sealed record SnapshotRestoreOptions
{
    /// <summary>Leave the virtual CPUs standing.</summary>
    public bool Paused { get; init; }

    /// <summary>The guest's clock goes on from where it was; else it is set to the time of now.</summary>
    public bool KeepTime { get; init; }

    /// <summary>Verify the checksums of the memory before anything is lost.</summary>
    public bool Verify { get; init; }

    /// <summary>As <see cref="StartOptions.Force"/>.</summary>
    public bool Force { get; init; }

    /// <summary>As <see cref="StartOptions.Timeout"/>.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>As of <see cref="SnapshotSaveOptions.Progress"/>.</summary>
    public Action<string?, long, long>? Progress { get; init; }
}

/// <summary>A VM that was restored.</summary>
/// <param name="Vm">As it is now.</param>
/// <param name="Warnings">What else changed with it, one sentence each.</param>
public sealed record SnapshotRestoreResult(VmInfo Vm, IReadOnlyList<string> Warnings);

/// <summary>What a test of a snapshot found.</summary>
/// <param name="Faults">One sentence each; none for a good one.</param>
/// <param name="MemoryChecked">Bytes of memory whose checksums were verified.</param>
public sealed record SnapshotCheck(IReadOnlyList<string> Faults, long MemoryChecked);

/// <summary>How VMs are made from a snapshot.</summary>
public sealed record CloneOptions
{
    /// <summary>Give them no disks of their own: what their guests write is thrown away, and they themselves when they have run.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>Absolute path of the folder for the copied disks; null for that of each disk.</summary>
    public string? DiskDirectory { get; init; }

    /// <summary>How many are to be made.</summary>
    public int Count { get; init; } = 1;

    /// <summary>How they are started.</summary>
    public SnapshotRestoreOptions Start { get; init; } = new();
}

/// <summary>VMs that can be made from a snapshot, as <see cref="StratoClient.PlanClones"/> has found.</summary>
public sealed class ClonePlan
{
    internal ClonePlan(VmSnapshot snapshot, CloneOptions options, IReadOnlyDictionary<string, string> addresses, bool givesAddresses, IReadOnlyList<string> warnings)
    {
        Snapshot = snapshot;
        Options = options;
        Addresses = addresses;
        GivesAddresses = givesAddresses;
        Warnings = warnings;
    }

    /// <summary>What they are made from.</summary>
    public VmSnapshot Snapshot { get; }

    /// <summary>What they lose or share, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    internal CloneOptions Options { get; }

    /// <summary>MAC addresses that the snapshot's guest knows, by ids of adapters.</summary>
    internal IReadOnlyDictionary<string, string> Addresses { get; }

    /// <summary>Whether their guests' agents are told to take others.</summary>
    internal bool GivesAddresses { get; }
}
