using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class CpuidTests
{
    internal static readonly (uint B, uint D, uint C) Intel = (0x756E6547, 0x49656E69, 0x6C65746E);
    internal static readonly (uint B, uint D, uint C) Amd = (0x68747541, 0x69746E65, 0x444D4163);

    internal static List<KvmCpuidEntry> Host((uint B, uint D, uint C) vendor, uint highest = 0x1F) =>
    [
        new() { Function = 0, Eax = highest, Ebx = vendor.B, Ecx = vendor.C, Edx = vendor.D },
        new() { Function = 1, Eax = 0x806F8, Ebx = 0x2A40_0800, Ecx = 0x0020_0001, Edx = 0x1FCB_FBFF },
        new() { Function = 4, Index = 0, Flags = 1, Eax = 0xFC00_4121, Ebx = 0x02C0_003F },
        new() { Function = 4, Index = 1, Flags = 1, Eax = 0xFC00_4143 },
        new() { Function = 4, Index = 2, Flags = 1, Eax = 0xFC1F_C163 },
        new() { Function = 4, Index = 3, Flags = 1 },
        new() { Function = 0xB, Index = 0, Flags = 1, Eax = 1, Ebx = 2, Ecx = 0x100, Edx = 0x2A },
        new() { Function = 0xB, Index = 1, Flags = 1, Eax = 7, Ebx = 96, Ecx = 0x201, Edx = 0x2A },
        new() { Function = 0x1F, Index = 0, Flags = 1, Eax = 1, Ebx = 2, Ecx = 0x100, Edx = 0x2A },
        new() { Function = 0x4000_0000, Eax = 0x4000_0001, Ebx = 0x4B4D_564B },
        new() { Function = 0x8000_0001, Ecx = 0x0040_0020 },
        new() { Function = 0x8000_0002, Eax = 0x1234 },
        new() { Function = 0x8000_0007, Edx = 0x100 },
        new() { Function = 0x8000_0008, Eax = 0x3030, Ecx = 0x707F },
        new() { Function = 0x8000_001D, Index = 0, Flags = 1, Eax = 0x4121 },
        new() { Function = 0x8000_001D, Index = 3, Flags = 1, Eax = 0x3C163 },
        new() { Function = 0x8000_001E, Eax = 0x2A, Ebx = 0x115, Ecx = 1 },
    ];

    internal static List<KvmCpuidEntry> Build(List<KvmCpuidEntry> host, CpuTopology topology, int cpu)
    {
        KvmCpuidEntry[] result = new KvmCpuidEntry[host.Count + Cpuid.ExtraEntries];
        int count = Cpuid.Build(CpuFilter.Apply(CpuModel.Host, host.ToArray()), topology, cpu, result);
        return [.. result[..count]];
    }

    internal static KvmCpuidEntry Leaf(List<KvmCpuidEntry> entries, uint function, uint index = 0)
    {
        KvmCpuidEntry found = Assert.Single(entries.FindAll(entry => entry.Function == function && entry.Index == index));
        return found;
    }

    [Fact]
    public void EachCpuHasItsIdEverywhere()
    {
        CpuTopology topology = new(2, 3, 2);
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            uint id = (uint)topology.ApicId(cpu);
            List<KvmCpuidEntry> entries = Build(Host(Intel), topology, cpu);
            Assert.Equal(id, Leaf(entries, 1).Ebx >> 24);
            foreach (uint leaf in (uint[])[0xB, 0x1F])
            {
                for (uint index = 0; index < 3; index++)
                {
                    Assert.Equal((id, index), (Leaf(entries, leaf, index).Edx, Leaf(entries, leaf, index).Ecx & 0xFF));
                }
            }

            Assert.Equal(id, Leaf(entries, 0x8000_001E).Eax);
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 254, 1)]
    [InlineData(254, 1, 1)]
    [InlineData(1, 8, 2)]
    [InlineData(3, 5, 2)]
    public void ShiftsTakeTheIdApart(int sockets, int cores, int threads)
    {
        CpuTopology topology = new(sockets, cores, threads);
        HashSet<(uint Socket, uint Core, uint Thread)> seen = [];
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            List<KvmCpuidEntry> entries = Build(Host(Intel), topology, cpu);
            KvmCpuidEntry smt = Leaf(entries, 0xB, 0);
            KvmCpuidEntry core = Leaf(entries, 0xB, 1);
            Assert.Equal((1u, 2u, 0u), ((smt.Ecx >> 8) & 0xFF, (core.Ecx >> 8) & 0xFF, Leaf(entries, 0xB, 2).Ecx >> 8));
            Assert.Equal(((uint)threads, (uint)(threads * cores)), (smt.Ebx, core.Ebx));
            uint id = smt.Edx;
            (uint Socket, uint Core, uint Thread) place =
                (id >> (int)core.Eax, (id & ((1u << (int)core.Eax) - 1)) >> (int)smt.Eax, id & ((1u << (int)smt.Eax) - 1));
            Assert.True(place.Socket < sockets && place.Core < cores && place.Thread < threads, $"CPU {cpu}: {place}");
            Assert.True(seen.Add(place));
        }

        Assert.Equal(topology.Count, seen.Count);
    }

    [Fact]
    public void FeaturesOfAGuestAreSet()
    {
        List<KvmCpuidEntry> entries = Build(Host(Intel), new CpuTopology(), 0);
        KvmCpuidEntry features = Leaf(entries, 1);
        Assert.Equal(0x8120_0001u, features.Ecx); // HYPERVISOR, TSC_DEADLINE, and what was there
        Assert.Equal(0x0001_0800u, features.Ebx);
        Assert.Equal(0u, features.Edx & (1 << 28)); // one CPU in the package
        Assert.Equal(0u, Leaf(entries, 0x8000_0007).Edx & 0x100); // no invariant TSC
        Assert.Equal(0x4B4D_564Bu, Leaf(entries, 0x4000_0000).Ebx);
        Assert.Equal(0x1234u, Leaf(entries, 0x8000_0002).Eax);
        Assert.Equal(48, Cpuid.PhysicalAddressBits(Host(Intel).ToArray()));
        Assert.Equal(36, Cpuid.PhysicalAddressBits([]));
    }

    [Fact]
    public void CachesAreSharedByCoreAndPackage()
    {
        List<KvmCpuidEntry> entries = Build(Host(Intel), new CpuTopology(2, 6, 2), 0);
        Assert.Equal((1u, 7u), Shares(Leaf(entries, 4, 0).Eax));
        Assert.Equal((1u, 7u), Shares(Leaf(entries, 4, 1).Eax));
        Assert.Equal((15u, 7u), Shares(Leaf(entries, 4, 2).Eax));
        Assert.Equal(0u, Leaf(entries, 4, 3).Eax);
        Assert.Equal(0x0121u, Leaf(entries, 4, 0).Eax & 0x3FFF);
        Assert.Equal(0x02C0_003Fu, Leaf(entries, 4, 0).Ebx);
        Assert.Equal(1u << 28, Leaf(entries, 1).Edx & (1u << 28));
        Assert.Equal(16u, (Leaf(entries, 1).Ebx >> 16) & 0xFF);

        // Fields are as wide as they are: 254 cores.
        entries = Build(Host(Intel), new CpuTopology(1, 254, 1), 253);
        Assert.Equal((255u, 63u), Shares(Leaf(entries, 4, 2).Eax));
        Assert.Equal(0xFDFF_0800u, Leaf(entries, 1).Ebx);

        static (uint Sharing, uint Cores) Shares(uint eax) => ((eax >> 14) & 0xFFF, eax >> 26);
    }

    [Fact]
    public void AnAmdCpuHasItsOwnLeaves()
    {
        List<KvmCpuidEntry> entries = Build(Host(Amd, highest: 0x1F), new CpuTopology(2, 4, 2), 13);
        Assert.Equal(13u, Leaf(entries, 0x8000_001E).Eax);
        Assert.Equal((0x102u, 1u), (Leaf(entries, 0x8000_001E).Ebx, Leaf(entries, 0x8000_001E).Ecx)); // core 2 of socket 1
        Assert.Equal(0x3007u, Leaf(entries, 0x8000_0008).Ecx);
        Assert.Equal(0x0040_0022u, Leaf(entries, 0x8000_0001).Ecx); // TOPOEXT and CMP_LEGACY
        Assert.Equal(0x4121u & 0x3FFF, Leaf(entries, 0x8000_001D, 0).Eax & 0x3FFF);
        Assert.Equal(1u, Leaf(entries, 0x8000_001D, 0).Eax >> 14);
        Assert.Equal(7u, Leaf(entries, 0x8000_001D, 3).Eax >> 14);
        Assert.Empty(entries.FindAll(entry => entry.Function == 0x1F));

        entries = Build(Host(Intel), new CpuTopology(1, 4, 1), 0);
        Assert.Equal((0x707Fu, 0x0040_0020u), (Leaf(entries, 0x8000_0008).Ecx, Leaf(entries, 0x8000_0001).Ecx));
    }

    [Theory]
    [InlineData(0xA, 0)]
    [InlineData(0xB, 3)]
    [InlineData(0x1E, 3)]
    [InlineData(0x1F, 6)]
    public void TopologyLeavesAreThoseThatTheCpuHas(uint highest, int expected)
    {
        List<KvmCpuidEntry> entries = Build(Host(Intel, highest), new CpuTopology(1, 2, 1), 1);
        Assert.Equal(expected, entries.FindAll(entry => entry.Function is 0xB or 0x1F).Count);
    }

    [Theory]
    [InlineData(1, 1, 1, 0)]
    [InlineData(1, 254, 1, 253)]
    [InlineData(254, 1, 1, 253)]
    [InlineData(2, 3, 1, 6)]
    [InlineData(2, 127, 1, 254)]
    public void HighestIdFollowsTheShape(int sockets, int cores, int threads, int expected)
    {
        CpuTopology topology = new(sockets, cores, threads);
        Assert.Equal(expected, topology.ApicId(topology.Count - 1));
    }

    [Theory]
    [InlineData(1, 255, 1, "1 socket of 255 cores of 1 thread are more than 254 CPUs")]
    [InlineData(65536, 65536, 65536, "are more than 254 CPUs")]
    [InlineData(3, 65, 1, "With 3 sockets of 65 cores of 1 thread the last CPU has the APIC id 320; 254 is the highest that interrupts reach")]
    public void ShapesThatInterruptsCannotReachAreRefused(int sockets, int cores, int threads, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => new CpuTopology(sockets, cores, threads));
        Assert.Equal(("InvalidTopology", "-smp"), (error.Id, error.Where));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }
}
