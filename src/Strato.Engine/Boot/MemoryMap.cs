using System;
using System.Collections.Generic;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>What a range of the memory map is; the numbers of e820 and of PVH's memory map, which are the same.</summary>
internal enum MemoryKind : uint
{
    Ram = 1,
    Reserved = 2,
}

/// <summary>One range of the memory map that the kernel is told.</summary>
internal readonly record struct MemoryMapEntry(ulong Start, ulong Length, MemoryKind Kind);

/// <summary>The memory map: RAM but for the top of the first MiB, where the tables are.</summary>
internal static class MemoryMap
{
    /// <summary>The map for a guest's RAM, by rising address.</summary>
    public static List<MemoryMapEntry> Of(GuestMemory memory)
    {
        List<MemoryMapEntry> map =
        [
            new(0, Layout.LowMemoryEnd, MemoryKind.Ram),
            new(Layout.LowMemoryEnd, Layout.HighMemoryStart - Layout.LowMemoryEnd, MemoryKind.Reserved),
        ];
        foreach (MemoryRegion region in memory.Regions)
        {
            ulong start = Math.Max(region.Start, Layout.HighMemoryStart);
            if (region.End > start)
            {
                map.Add(new MemoryMapEntry(start, region.End - start, MemoryKind.Ram));
            }
        }

        return map;
    }
}
