using System;
using System.Collections.Generic;
using System.Numerics;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Boot;

/// <summary>The topology as kernels take it from CPUID: the leaves of each vendor tell the same as what was asked for.</summary>
public class CpuTopologyTests
{
    public static TheoryData<int, int, int, int> Shapes => new()
    {
        { 1, 1, 1, 1 }, { 4, 1, 1, 1 }, { 1, 1, 4, 1 }, { 1, 1, 4, 2 }, { 2, 1, 3, 1 }, { 1, 1, 3, 3 }, { 3, 1, 5, 2 }, { 2, 2, 2, 2 }, { 1, 3, 3, 2 },
        { 1, 8, 4, 2 }, { 1, 1, 127, 2 }, { 1, 1, 254, 1 }, { 254, 1, 1, 1 }, { 1, 127, 1, 2 }, { 7, 1, 1, 17 },
    };

    // Intel SDM 3, 9.9.2: leaf 0x1F where there is one, else 0xB; leaves 1 and 4 for older kernels.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void IntelsLeavesTellTheShape(int sockets, int dies, int cores, int threads)
    {
        CpuTopology topology = new(sockets, cores, threads, dies);
        HashSet<CpuPlace> seen = [];
        foreach (uint highest in (uint[])[0xB, 0x1F])
        {
            seen.Clear();
            for (int cpu = 0; cpu < topology.Count; cpu++)
            {
                List<KvmCpuidEntry> entries = CpuidTests.Build(CpuidTests.Host(CpuidTests.Intel, highest), topology, cpu);
                List<(uint Type, int Shift, uint Cpus, uint Id)> levels = Levels(entries, dies > 1 || highest == 0x1F ? 0x1Fu : 0xB);
                CpuPlace place = Decode(levels);
                Assert.Equal(topology.PlaceOf(cpu), place);
                Assert.True(seen.Add(place));
                Assert.Equal(dies > 1 ? [1, 2, 5] : (uint[])[1, 2], levels.ConvertAll(level => level.Type));
                Assert.Equal((uint)(dies * cores * threads), levels[^1].Cpus);

                // The older leaf knows no dies: a socket's cores are all one.
                List<(uint Type, int Shift, uint Cpus, uint Id)> older = Levels(entries, 0xB);
                Assert.Equal([(1u, (uint)threads), (2u, (uint)(dies * cores * threads))], older.ConvertAll(level => (level.Type, level.Cpus)));
                Assert.Equal(place.Socket, (int)(older[0].Id >> older[1].Shift));

                // Leaf 1: ids in the package. Leaf 4: of them cores, in six bits; who shares the caches of each level.
                uint ids = 1u << levels[^1].Shift;
                Assert.Equal(Math.Min(ids, 255), (CpuidTests.Leaf(entries, 1).Ebx >> 16) & 0xFF);
                Assert.Equal(topology.PerSocket > 1, (CpuidTests.Leaf(entries, 1).Edx & (1 << 28)) != 0);
                uint first = CpuidTests.Leaf(entries, 4, 0).Eax;
                uint third = CpuidTests.Leaf(entries, 4, 2).Eax;
                Assert.Equal(Math.Min(ids >> levels[0].Shift, 64), (first >> 26) + 1);
                Assert.Equal(1u << levels[0].Shift, ((first >> 14) & 0xFFF) + 1);
                Assert.Equal(1u << levels[1].Shift, ((third >> 14) & 0xFFF) + 1);
                Assert.True(CpuidTests.Leaf(entries, 0).Eax >= (dies > 1 ? 0x1Fu : highest));
            }
        }
    }

    // AMD APM 3, E.4.7, E.4.15, E.4.16.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void AmdsLeavesTellTheShape(int sockets, int dies, int cores, int threads)
    {
        CpuTopology topology = new(sockets, cores, threads, dies);
        HashSet<uint> ids = [];
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            List<KvmCpuidEntry> entries = CpuidTests.Build(CpuidTests.Host(CpuidTests.Amd, 0x10), topology, cpu);
            KvmCpuidEntry node = CpuidTests.Leaf(entries, 0x8000_001E);
            KvmCpuidEntry sizes = CpuidTests.Leaf(entries, 0x8000_0008);
            CpuPlace place = topology.PlaceOf(cpu);
            Assert.True(ids.Add(node.Eax));
            Assert.Equal((uint)place.Socket, node.Eax >> (int)((sizes.Ecx >> 12) & 0xF));
            Assert.Equal((uint)topology.PerSocket, (sizes.Ecx & 0xFF) + 1);
            Assert.Equal((uint)threads, ((node.Ebx >> 8) & 0xFF) + 1);
            Assert.Equal((uint)Math.Min(dies, 8), ((node.Ecx >> 8) & 7) + 1);
            Assert.Equal(((uint)place.Socket << BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)dies))) | (uint)place.Die, node.Ecx & 0xFF);
            Assert.Equal(topology.PerSocket > 1, (CpuidTests.Leaf(entries, 0x8000_0001).Ecx & 2) != 0);
            Assert.Equal(dies > 1 ? 0x1Fu : 0x10u, CpuidTests.Leaf(entries, 0).Eax);
            Assert.Equal(place, Decode(Levels(entries, dies > 1 ? 0x1Fu : 0xB)));

            // Who shares a cache: Linux takes ids by blocks of this many.
            uint core = ((CpuidTests.Leaf(entries, 0x8000_001D, 0).Eax >> 14) & 0xFFF) + 1;
            uint die = ((CpuidTests.Leaf(entries, 0x8000_001D, 3).Eax >> 14) & 0xFFF) + 1;
            Assert.Equal((uint)topology.ApicId(cpu - place.Thread), node.Eax / core * core);
            Assert.Equal((uint)topology.ApicId(cpu - (cpu % topology.PerDie)), node.Eax / die * die);
        }
    }

    // A host without TOPOEXT, such as QEMU's software CPU: its caches are told in the newer form too.
    [Fact]
    public void AnAmdHostWithoutTopologyLeavesGetsThem()
    {
        List<KvmCpuidEntry> host = CpuidTests.Host(CpuidTests.Amd, 0xD);
        host.RemoveAll(entry => entry.Function is 0x8000_0001 or 0x8000_001D or 0x8000_001E);
        host.Add(new KvmCpuidEntry { Function = 0x8000_0000, Eax = 0x8000_000A });
        host.Add(new KvmCpuidEntry { Function = 0x8000_0001 });
        host.Add(new KvmCpuidEntry { Function = 0x8000_0005, Ecx = 0x4002_0140, Edx = 0x4002_0140 });
        host.Add(new KvmCpuidEntry { Function = 0x8000_0006, Ecx = 0x0200_8140, Edx = 0x0080_8140 });
        List<KvmCpuidEntry> entries = CpuidTests.Build(host, new CpuTopology(4, 1, 1), 3);
        Assert.Equal((0x8000_000Au, 0u), (CpuidTests.Leaf(entries, 0x8000_0000).Eax, CpuidTests.Leaf(entries, 0x8000_0001).Ecx));
        Assert.Empty(entries.FindAll(entry => entry.Function is 0x8000_001D or 0x8000_001E));
        entries = CpuidTests.Build(host, new CpuTopology(1, 3, 2), 3);
        Assert.Equal(0x8000_001Eu, CpuidTests.Leaf(entries, 0x8000_0000).Eax);
        Assert.Equal(0x0040_0002u, CpuidTests.Leaf(entries, 0x8000_0001).Ecx);
        Assert.Equal((3u, 0x101u, 0u), (CpuidTests.Leaf(entries, 0x8000_001E).Eax, CpuidTests.Leaf(entries, 0x8000_001E).Ebx, CpuidTests.Leaf(entries, 0x8000_001E).Ecx));

        // Type, level, bytes, ways, CPUs that share it.
        List<(uint, uint, uint, uint, uint)> caches = [];
        foreach (KvmCpuidEntry entry in entries.FindAll(entry => entry.Function == 0x8000_001D && entry.Eax != 0))
        {
            Assert.Equal((uint)caches.Count, entry.Index);
            uint ways = (entry.Ebx >> 22) + 1;
            caches.Add((entry.Eax & 0x1F, (entry.Eax >> 5) & 7, ((entry.Ebx & 0xFFF) + 1) * ways * (entry.Ecx + 1), ways, ((entry.Eax >> 14) & 0xFFF) + 1));
        }

        Assert.Equal([(1, 1, 65536, 2, 2), (2, 1, 65536, 2, 2), (3, 2, 512 << 10, 16, 2), (3, 3, 16 << 20, 16, 8)], caches);
        Assert.Equal(0u, CpuidTests.Leaf(entries, 0x8000_001D, 4).Eax);
    }

    // All shapes that a machine can have: ids are unique, in order, and decode to where the CPU is.
    [Fact]
    public void IdsOfAllShapesAreUniqueAndDecode()
    {
        int shapes = 0;
        for (int sockets = 1; sockets <= 254; sockets = sockets < 9 ? sockets + 1 : sockets * 2 + 1)
        {
            for (int dies = 1; sockets * dies <= 254; dies++)
            {
                for (int cores = 1; sockets * dies * cores <= 254; cores++)
                {
                    for (int threads = 1; sockets * dies * cores * threads <= 254; threads++)
                    {
                        shapes += Check(sockets, dies, cores, threads) ? 1 : 0;
                    }
                }
            }
        }

        Assert.True(shapes > 1000, $"{shapes} shapes");
    }

    private static bool Check(int sockets, int dies, int cores, int threads)
    {
        CpuTopology topology;
        try
        {
            topology = new CpuTopology(sockets, cores, threads, dies);
        }
        catch (UserErrorException error)
        {
            Assert.Contains("is the highest that interrupts reach", error.Message, StringComparison.Ordinal);
            return false;
        }

        int last = -1;
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            int id = topology.ApicId(cpu);
            CpuPlace decoded = new(
                id >> topology.SocketShift,
                (id & ((1 << topology.SocketShift) - 1)) >> topology.DieShift,
                (id & ((1 << topology.DieShift) - 1)) >> topology.ThreadBits,
                id & ((1 << topology.ThreadBits) - 1));
            Assert.True(id > last && id <= CpuShape.HighestApicId && decoded == topology.PlaceOf(cpu), $"{topology}: CPU {cpu} has id {id}, {decoded}");
            last = id;
        }

        return true;
    }

    private static List<(uint Type, int Shift, uint Cpus, uint Id)> Levels(List<KvmCpuidEntry> entries, uint leaf)
    {
        List<(uint Type, int Shift, uint Cpus, uint Id)> levels = [];
        for (uint index = 0; ; index++)
        {
            KvmCpuidEntry entry = CpuidTests.Leaf(entries, leaf, index);
            Assert.Equal(index, entry.Ecx & 0xFF);
            if (entry.Ecx >> 8 == 0)
            {
                return levels;
            }

            levels.Add((entry.Ecx >> 8, (int)entry.Eax, entry.Ebx, entry.Edx));
        }
    }

    private static CpuPlace Decode(List<(uint Type, int Shift, uint Cpus, uint Id)> levels)
    {
        uint id = levels[0].Id;
        int thread = Field(0, levels[0].Shift);
        int core = Field(levels[0].Shift, levels[1].Shift);
        int die = levels.Count > 2 ? Field(levels[1].Shift, levels[2].Shift) : 0;
        return new CpuPlace((int)(id >> levels[^1].Shift), die, core, thread);

        int Field(int from, int to) => (int)((id & ((1u << to) - 1)) >> from);
    }
}
