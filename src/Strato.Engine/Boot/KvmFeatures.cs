using System.Collections.Generic;
using System.Numerics;
using Strato.Engine.Kvm;

namespace Strato.Engine.Boot;

/// <summary>What KVM itself offers a guest, by CPUID's leaf 0x40000001 (<c>asm/kvm_para.h</c>): the names are QEMU's.</summary>
internal static class KvmFeatures
{
    private const uint Leaf = 0x4000_0001;

    // By their bits in EAX.
    private static readonly string?[] Names =
    [
        "kvmclock", "kvm-nopiodelay", "kvm-mmu", "kvmclock2", "kvm-asyncpf", "kvm-steal-time", "kvm-pv-eoi", "kvm-pv-unhalt",
        null, "kvm-pv-tlb-flush", "kvm-asyncpf-vmexit", "kvm-pv-ipi", "kvm-poll-control", "kvm-pv-sched-yield", "kvm-asyncpf-int", "kvm-msi-ext-dest-id",
        "kvm-hc-map-gpa-range", "kvm-migration-control", null, null, null, null, null, null, "kvmclock-stable-bit",
    ];

    /// <summary>Names of what a guest was told; a bit without one is called by its number.</summary>
    public static List<string> Of(KvmCpuidEntry[] entries) => NamesOf(BitsOf(entries));

    /// <summary>Names of what a guest was told, and isn't there.</summary>
    public static List<string> Missing(KvmCpuidEntry[] saved, KvmCpuidEntry[] here) => NamesOf(BitsOf(saved) & ~BitsOf(here));

    private static uint BitsOf(KvmCpuidEntry[] entries) => System.Array.Find(entries, entry => entry.Function == Leaf).Eax;

    private static List<string> NamesOf(uint bits)
    {
        List<string> names = [];
        for (; bits != 0; bits &= bits - 1)
        {
            int bit = BitOperations.TrailingZeroCount(bits);
            names.Add((bit < Names.Length ? Names[bit] : null) ?? $"kvm-feature-{bit}");
        }

        return names;
    }
}
