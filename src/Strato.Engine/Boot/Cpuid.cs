using System;
using Strato.Engine.Kvm;

namespace Strato.Engine.Boot;

/// <summary>What the CPUID instruction answers on each vCPU: what KVM supports, as far as <see cref="CpuFilter"/> lets it through, with our topology and this CPU's APIC id.</summary>
/// <remarks>
/// Intel SDM 2A, CPUID; AMD APM 3, appendix E. What isn't named here passes through from KVM: features, brand string,
/// KVM's own leaves (0x40000000 and on), which give the guest kvmclock.
/// </remarks>
internal static class Cpuid
{
    /// <summary>By how many entries the result may be longer than what KVM gave: sub-leaves of 0xB (3), 0x1F (4), 0x8000001D, and 0x8000001E.</summary>
    public const int ExtraEntries = 3 + 4 + AmdCaches.MaxEntries + 1;

    private const uint LeafBasic = 0x0;
    private const uint LeafFeatures = 0x1;
    private const uint LeafCaches = 0x4;
    private const uint LeafTopology = 0xB;
    private const uint LeafTopologyV2 = 0x1F;
    private const uint LeafExtended = 0x8000_0000;
    private const uint LeafExtendedFeatures = 0x8000_0001;
    private const uint LeafSizes = 0x8000_0008;
    private const uint LeafAmdCaches = 0x8000_001D;
    private const uint LeafAmdTopology = 0x8000_001E;

    private const uint MultiThreading = 1 << 28; // leaf 1 EDX: "HTT", more than one APIC id in the package
    private const uint CmpLegacy = 1 << 1; // leaf 0x80000001 ECX, AMD: HTT means cores
    private const uint TopologyExtensions = 1 << 22; // leaf 0x80000001 ECX, AMD: 0x8000001D and 0x8000001E count

    private const uint LevelSmt = 1;
    private const uint LevelCore = 2;
    private const uint LevelDie = 5;

    /// <summary>Makes a vCPU's entries.</summary>
    /// <param name="supported">KVM_GET_SUPPORTED_CPUID's, filtered.</param>
    /// <param name="topology">The machine's CPUs.</param>
    /// <param name="cpu">This one, from 0.</param>
    /// <param name="result">At least <see cref="ExtraEntries"/> longer than <paramref name="supported"/>.</param>
    /// <returns>How many entries of the result count.</returns>
    public static int Build(ReadOnlySpan<KvmCpuidEntry> supported, CpuTopology topology, int cpu, Span<KvmCpuidEntry> result)
    {
        uint apicId = (uint)topology.ApicId(cpu);
        bool isAmd = IsAmd(supported);

        // Only 0x1F tells dies, and it is asked only where 0xB is: so they make leaves that the host may lack.
        uint highest = Math.Max(Find(supported, LeafBasic)?.Eax ?? 0, topology.Dies > 1 ? LeafTopologyV2 : 0);
        // A CPU alone in its socket is told nothing new.
        bool addsAmdTopology = isAmd && topology.PerSocket > 1 && Find(supported, LeafAmdTopology) is null;
        int count = 0;
        foreach (ref readonly KvmCpuidEntry entry in supported)
        {
            // The topology leaves are made anew, for KVM's describe the host CPU it was asked on.
            if (entry.Function is not (LeafTopology or LeafTopologyV2) && !(addsAmdTopology && entry.Function == LeafAmdCaches))
            {
                result[count++] = entry;
            }
        }

        if (addsAmdTopology)
        {
            count += AmdCaches.Write(supported, result[count..]);
            result[count++] = new KvmCpuidEntry { Function = LeafAmdTopology };
        }

        foreach (ref KvmCpuidEntry entry in result[..count])
        {
            Adapt(ref entry, topology, apicId, isAmd, highest);
        }

        // EAX: bits of the id to shift out to get to the next level. EBX: logical CPUs at this level.
        if (highest >= LeafTopology)
        {
            result[count++] = Level(LeafTopology, 0, topology.ThreadBits, topology.Threads, LevelSmt, apicId);
            result[count++] = Level(LeafTopology, 1, topology.SocketShift, topology.PerSocket, LevelCore, apicId);
            result[count++] = Level(LeafTopology, 2, 0, 0, 0, apicId);
        }

        if (topology.Dies > 1 || (highest >= LeafTopologyV2 && !isAmd))
        {
            uint index = 0;
            result[count++] = Level(LeafTopologyV2, index++, topology.ThreadBits, topology.Threads, LevelSmt, apicId);
            result[count++] = Level(LeafTopologyV2, index++, topology.DieShift, topology.PerDie, LevelCore, apicId);
            if (topology.Dies > 1)
            {
                result[count++] = Level(LeafTopologyV2, index++, topology.SocketShift, topology.PerSocket, LevelDie, apicId);
            }

            result[count++] = Level(LeafTopologyV2, index, 0, 0, 0, apicId);
        }

        return count;
    }

    /// <summary>Physical address bits of the guest's CPUs; RAM above 2^bits can't be used. 36 where KVM doesn't say.</summary>
    public static int PhysicalAddressBits(ReadOnlySpan<KvmCpuidEntry> supported) =>
        Find(supported, LeafSizes) is { } sizes && (sizes.Eax & 0xFF) != 0 ? (int)(sizes.Eax & 0xFF) : 36;

    private static KvmCpuidEntry? Find(ReadOnlySpan<KvmCpuidEntry> entries, uint function)
    {
        foreach (ref readonly KvmCpuidEntry entry in entries)
        {
            if (entry.Function == function)
            {
                return entry;
            }
        }

        return null;
    }

    /// <summary>"AuthenticAMD" or "HygonGenuine" in EBX, EDX, ECX of leaf 0.</summary>
    private static bool IsAmd(ReadOnlySpan<KvmCpuidEntry> entries) =>
        Find(entries, LeafBasic) is { } basic
        && ((basic.Ebx, basic.Edx, basic.Ecx) is (0x68747541, 0x69746E65, 0x444D4163) or (0x6F677948, 0x6E65476E, 0x656E6975));

    private static KvmCpuidEntry Level(uint leaf, uint index, int shift, int cpus, uint type, uint apicId) => new()
    {
        Function = leaf,
        Index = index,
        Flags = KvmCpuidEntry.SignificantIndex,
        Eax = (uint)shift,
        Ebx = (uint)cpus,
        Ecx = index | (type << 8),
        Edx = apicId,
    };

    private static void Adapt(ref KvmCpuidEntry entry, CpuTopology topology, uint apicId, bool isAmd, uint highest)
    {
        uint threads = (uint)topology.Threads;
        uint perSocket = (uint)topology.PerSocket;
        uint socketIds = 1u << topology.SocketShift;
        uint dieIds = 1u << topology.DieShift;
        uint threadIds = 1u << topology.ThreadBits;
        switch (entry.Function)
        {
            case LeafBasic:
                entry.Eax = highest;
                break;

            case LeafFeatures:
                // EBX: 31–24 APIC id, 23–16 ids in the package (a byte: 255 at most), 15–8 CLFLUSH size, 7–0 brand.
                entry.Ebx = (entry.Ebx & 0xFFFF) | (apicId << 24) | (Math.Min(socketIds, 255) << 16);
                entry.Edx = perSocket > 1 ? entry.Edx | MultiThreading : entry.Edx & ~MultiThreading;
                break;

            case LeafCaches when (entry.Eax & 0x1F) != 0:
                // EAX: 31–26 core ids in the package - 1 (six bits), 25–14 ids that share the cache - 1, 7–5 level.
                uint coreIds = Math.Min(socketIds / threadIds, 64);
                entry.Eax = (entry.Eax & 0x3FFF) | ((coreIds - 1) << 26) | ((Sharing(entry.Eax) - 1) << 14);
                break;

            case LeafAmdCaches when (entry.Eax & 0x1F) != 0:
                // EAX: 25–14 CPUs that share the cache - 1, 7–5 level.
                entry.Eax = (entry.Eax & ~(0xFFFu << 14)) | ((Sharing(entry.Eax) - 1) << 14);
                break;

            case LeafExtended when isAmd && perSocket > 1:
                entry.Eax = Math.Max(entry.Eax, LeafAmdTopology);
                break;

            case LeafExtendedFeatures when isAmd:
                entry.Ecx = perSocket > 1 ? entry.Ecx | CmpLegacy | TopologyExtensions : entry.Ecx & ~CmpLegacy;
                break;

            case LeafSizes when isAmd:
                // ECX: 15–12 bits of the id within the package, 7–0 CPUs in the package - 1.
                entry.Ecx = (entry.Ecx & ~0xF0FFu) | ((uint)topology.SocketShift << 12) | (perSocket - 1);
                break;

            case LeafAmdTopology:
                // EAX APIC id; EBX 15–8 threads in the core - 1, 7–0 core; ECX 10–8 nodes in the package - 1, 7–0 node,
                // which is a die here, as in QEMU.
                entry.Eax = apicId;
                entry.Ebx = ((threads - 1) << 8) | ((apicId & (socketIds - 1)) >> topology.ThreadBits);
                entry.Ecx = ((uint)Math.Min(topology.Dies - 1, 7) << 8) | (apicId >> topology.DieShift);
                break;

            default:
                break;
        }

        // First and second level belong to a core, the third to the die.
        uint Sharing(uint eax) => ((eax >> 5) & 7) >= 3 ? dieIds : threadIds;
    }
}
