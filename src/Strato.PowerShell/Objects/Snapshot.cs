using System;
using System.Linq;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A saved state of a VM.</summary>
public sealed class Snapshot
{
    private readonly VmSnapshot _info;

    internal Snapshot(VmTarget vm, VmSnapshot info)
    {
        Vm = vm;
        _info = info;
    }

    internal VmTarget Vm { get; }

    internal VmSnapshot Info => _info;

    /// <summary>Name of the VM it is of.</summary>
    public string VMName => Vm.Name;

    /// <summary>Id of that VM.</summary>
    public string VMId => Vm.Id;

    /// <summary>Unique within the VM.</summary>
    public string Name => _info.Name;

    /// <summary>Eight characters that never change; the name of its folder.</summary>
    public string Id => _info.Id;

    /// <summary>Name of the snapshot that it was saved after; null for the first.</summary>
    public string? ParentName => _info.ParentName;

    /// <summary>Id of that one.</summary>
    public string? ParentId => _info.ParentId;

    /// <summary>How many snapshots it stands below.</summary>
    public int Depth => _info.Depth;

    /// <summary>Whether it is the last that the VM was saved to or restored from.</summary>
    public bool IsCurrent => _info.IsCurrent;

    /// <summary>When it was saved, local time.</summary>
    public DateTime Created => _info.Created.LocalDateTime;

    /// <summary>Whether the VM ran until then; else it was paused.</summary>
    public bool WasRunning => _info.WasRunning;

    /// <summary>Bytes of RAM that the VM had.</summary>
    public long Memory => _info.Definition.Memory;

    /// <summary>Virtual CPUs that it had.</summary>
    public int Cpu => _info.Definition.Cpu;

    /// <summary>Ids of the disks that were captured.</summary>
    public string[] Disks => [.. _info.Disks.Where(disk => disk.File is not null).Select(disk => disk.DriveId)];

    /// <summary>Bytes that its files take on the disk; zeros of the memory take none.</summary>
    public long Size => _info.Size;

    /// <summary>Version of the engine that saved it.</summary>
    public string EngineVersion => _info.EngineVersion;

    /// <summary>Folder of its files.</summary>
    public string Path => _info.Folder;

    public override string ToString() => Name;
}
