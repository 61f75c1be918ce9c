using System;
using Strato.Engine.Kvm;

namespace Strato.Engine.Boot;

/// <summary>The caches of an AMD CPU in the form that goes with TOPOEXT, for a host which has the older form alone.</summary>
/// <remarks>AMD APM 3, E.4.5 and E.4.6 (leaves 0x80000005, 0x80000006) and E.4.15 (0x8000001D). QEMU's software CPU is such a host.</remarks>
internal static class AmdCaches
{
    /// <summary>At most so many entries are written: four caches, and the one that ends the list.</summary>
    public const int MaxEntries = 5;

    private const uint Leaf = 0x8000_001D;
    private const uint Data = 1;
    private const uint Instructions = 2;
    private const uint Unified = 3;
    private const uint SelfInitializing = 1 << 8;
    private const uint FullyAssociative = 1 << 9;

    /// <summary>Ways by the four bits that stand for them in leaf 0x80000006; 0 for no cache, and 0xF is fully associative.</summary>
    private static ReadOnlySpan<byte> Ways => [0, 1, 2, 0, 4, 0, 8, 0, 16, 0, 32, 48, 64, 96, 128, 0xFF];

    /// <summary>Writes the leaf's entries; who shares a cache is the topology's to say.</summary>
    /// <returns>How many.</returns>
    public static int Write(ReadOnlySpan<KvmCpuidEntry> supported, Span<KvmCpuidEntry> result)
    {
        uint count = 0;
        foreach (ref readonly KvmCpuidEntry entry in supported)
        {
            if (entry.Function == 0x8000_0005)
            {
                // 31–24 KiB, 23–16 ways, 7–0 bytes of a line.
                Add(result, ref count, Data, 1, (entry.Ecx >> 24) << 10, (entry.Ecx >> 16) & 0xFF, entry.Ecx & 0xFF);
                Add(result, ref count, Instructions, 1, (entry.Edx >> 24) << 10, (entry.Edx >> 16) & 0xFF, entry.Edx & 0xFF);
            }
            else if (entry.Function == 0x8000_0006)
            {
                // ECX: 31–16 KiB, 15–12 ways. EDX: 31–18 half MiB.
                Add(result, ref count, Unified, 2, (entry.Ecx >> 16) << 10, Ways[(int)(entry.Ecx >> 12) & 0xF], entry.Ecx & 0xFF);
                Add(result, ref count, Unified, 3, (entry.Edx >> 18) << 19, Ways[(int)(entry.Edx >> 12) & 0xF], entry.Edx & 0xFF);
            }
        }

        result[(int)count] = new KvmCpuidEntry { Function = Leaf, Index = count, Flags = KvmCpuidEntry.SignificantIndex };
        return (int)count + 1;
    }

    private static void Add(Span<KvmCpuidEntry> result, ref uint count, uint type, uint level, uint bytes, uint ways, uint line)
    {
        if (bytes == 0 || ways == 0 || line == 0)
        {
            return;
        }

        bool full = ways == 0xFF;
        ways = full ? bytes / line : ways;
        result[(int)count] = new KvmCpuidEntry
        {
            Function = Leaf,
            Index = count,
            Flags = KvmCpuidEntry.SignificantIndex,
            Eax = type | (level << 5) | SelfInitializing | (full ? FullyAssociative : 0),
            Ebx = (line - 1) | (((ways - 1) & 0x3FF) << 22),
            Ecx = Math.Max(1, bytes / line / ways) - 1,
        };
        count++;
    }
}
