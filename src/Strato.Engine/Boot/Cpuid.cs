using System;
using Strato.Engine.Kvm;

namespace Strato.Engine.Boot;

/// <summary>What the CPUID instruction answers on each vCPU: what KVM supports, with our topology and this CPU's APIC id.</summary>
/// <remarks>
/// Intel SDM 2A, CPUID; AMD APM 3, appendix E. What isn't named here passes through from KVM: features, brand string,
/// KVM's own leaves (0x40000000 and on), which give the guest kvmclock.
/// </remarks>
internal static class Cpuid
{
    /// <summary>By how many entries the result may be longer than what KVM gave: three sub-leaves each of 0xB and 0x1F.</summary>
    public const int ExtraEntries = 6;

    private const uint LeafBasic = 0x0;
    private const uint LeafFeatures = 0x1;
    private const uint LeafCaches = 0x4;
    private const uint LeafTopology = 0xB;
    private const uint LeafTopologyV2 = 0x1F;
    private const uint LeafExtendedFeatures = 0x8000_0001;
    private const uint LeafPower = 0x8000_0007;
    private const uint LeafSizes = 0x8000_0008;
    private const uint LeafAmdCaches = 0x8000_001D;
    private const uint LeafAmdTopology = 0x8000_001E;

    private const uint TscDeadline = 1 << 24; // leaf 1 ECX
    private const uint Hypervisor = 1u << 31; // leaf 1 ECX
    private const uint MultiThreading = 1 << 28; // leaf 1 EDX: "HTT", more than one APIC id in the package
    private const uint CmpLegacy = 1 << 1; // leaf 0x80000001 ECX, AMD: HTT means cores
    private const uint InvariantTsc = 1 << 8; // leaf 0x80000007 EDX

    private const uint LevelSmt = 1;
    private const uint LevelCore = 2;

    /// <summary>Makes a vCPU's entries.</summary>
    /// <param name="supported">KVM_GET_SUPPORTED_CPUID's.</param>
    /// <param name="topology">The machine's CPUs.</param>
    /// <param name="cpu">This one, from 0.</param>
    /// <param name="result">At least <see cref="ExtraEntries"/> longer than <paramref name="supported"/>.</param>
    /// <returns>How many entries of the result count.</returns>
    public static int Build(ReadOnlySpan<KvmCpuidEntry> supported, CpuTopology topology, int cpu, Span<KvmCpuidEntry> result)
    {
        uint apicId = (uint)topology.ApicId(cpu);
        uint highest = Find(supported, LeafBasic)?.Eax ?? 0;
        bool isAmd = IsAmd(supported);
        int count = 0;
        foreach (ref readonly KvmCpuidEntry entry in supported)
        {
            // The topology leaves are made anew, for KVM's describe the host CPU it was asked on.
            if (entry.Function is not (LeafTopology or LeafTopologyV2))
            {
                result[count] = entry;
                Adapt(ref result[count], topology, apicId, isAmd);
                count++;
            }
        }

        foreach (uint leaf in (ReadOnlySpan<uint>)[LeafTopology, LeafTopologyV2])
        {
            if (highest >= leaf && (leaf == LeafTopology || !isAmd))
            {
                // EAX: bits of the id to shift out to get to the next level. EBX: logical CPUs at this level.
                result[count++] = Level(leaf, 0, topology.ThreadBits, topology.Threads, LevelSmt, apicId);
                result[count++] = Level(leaf, 1, topology.SocketShift, topology.PerSocket, LevelCore, apicId);
                result[count++] = Level(leaf, 2, 0, 0, 0, apicId);
            }
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

    private static void Adapt(ref KvmCpuidEntry entry, CpuTopology topology, uint apicId, bool isAmd)
    {
        uint threads = (uint)topology.Threads;
        uint perSocket = (uint)topology.PerSocket;
        uint socketIds = 1u << topology.SocketShift;
        uint threadIds = 1u << topology.ThreadBits;
        switch (entry.Function)
        {
            case LeafFeatures:
                // EBX: 31–24 APIC id, 23–16 ids in the package (a byte: 255 at most), 15–8 CLFLUSH size, 7–0 brand.
                entry.Ebx = (entry.Ebx & 0xFFFF) | (apicId << 24) | (Math.Min(socketIds, 255) << 16);
                entry.Ecx |= Hypervisor | TscDeadline;
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

            case LeafExtendedFeatures when isAmd:
                entry.Ecx = perSocket > 1 ? entry.Ecx | CmpLegacy : entry.Ecx & ~CmpLegacy;
                break;

            case LeafPower:
                // A guest that trusts the TSC to be invariant doesn't use kvmclock, which is what a pause or restore corrects.
                entry.Edx &= ~InvariantTsc;
                break;

            case LeafSizes when isAmd:
                // ECX: 15–12 bits of the id within the package, 7–0 CPUs in the package - 1.
                entry.Ecx = (entry.Ecx & ~0xF0FFu) | ((uint)topology.SocketShift << 12) | (perSocket - 1);
                break;

            case LeafAmdTopology:
                // EAX APIC id; EBX 15–8 threads in the core - 1, 7–0 core; ECX 10–8 nodes in the package - 1, 7–0 node.
                entry.Eax = apicId;
                entry.Ebx = ((threads - 1) << 8) | ((apicId & (socketIds - 1)) >> topology.ThreadBits);
                entry.Ecx = apicId >> topology.SocketShift;
                break;

            default:
                break;
        }

        // First and second level belong to a core, the third to the package.
        uint Sharing(uint eax) => ((eax >> 5) & 7) >= 3 ? socketIds : threadIds;
    }
}
