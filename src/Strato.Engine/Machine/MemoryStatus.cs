using System.Collections.Generic;
using Strato.Engine.Memory;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>The machine's memory, as the host keeps it.</summary>
internal sealed record MemoryStatus
{
    public MemoryStatus()
    {
    }

    public MemoryStatus(VmConfiguration machine, GuestMemory memory)
    {
        MemoryBacking backing = machine.Backing;
        Size = machine.Memory;
        PageSize = (long)memory.HostPageSize;
        Kind = backing.Path is not null ? "file" : machine.MemShare || IsHuge ? "memfd" : "ram";
        Path = backing.Path;
        Shared = machine.MemShare;
        Preallocated = backing.Preallocate;
        Merged = backing.Merge;
        Dumped = machine.DumpGuestCore;
        List<(ulong Start, ulong Length)> regions = new(memory.Regions.Length);
        foreach (MemoryRegion region in memory.Regions)
        {
            regions.Add((region.Start, region.Length));
        }

        Regions = regions;
    }

    /// <summary>Bytes that the guest was given, those in its balloon included.</summary>
    public long Size { get; init; }

    /// <summary>Bytes of the host's pages.</summary>
    public long PageSize { get; init; }

    public bool IsHuge => PageSize > (long)GuestMemory.PageSize;

    /// <summary>As in the names of the objects: ram, memfd, or file.</summary>
    public string Kind { get; init; } = "";

    /// <summary>Folder of the file; null for other kinds.</summary>
    public string? Path { get; init; }

    /// <summary>Whether other processes can be given it.</summary>
    public bool Shared { get; init; }

    /// <summary>Whether all of it was allocated before the guest started.</summary>
    public bool Preallocated { get; init; }

    /// <summary>Whether the host may keep one copy of equal pages.</summary>
    public bool Merged { get; init; }

    /// <summary>Whether it is part of the engine's core dump.</summary>
    public bool Dumped { get; init; }

    /// <summary>Where the guest finds it.</summary>
    public IReadOnlyList<(ulong Start, ulong Length)> Regions { get; init; } = [];
}
