using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class LayoutTests
{
    private const ulong MiB = 1 << 20;

    [Theory]
    [InlineData(256, 256, 0)]
    [InlineData(3072, 3072, 0)]
    [InlineData(3073, 3072, 1)]
    [InlineData(6144, 3072, 3072)]
    [InlineData(512 * 1024, 3072, (512 * 1024) - 3072)]
    public void RamGoesRoundTheHole(ulong sizeMiB, ulong lowMiB, ulong highMiB)
    {
        (ulong Start, ulong Length)[] expected = highMiB == 0
            ? [(0UL, lowMiB * MiB)]
            : [(0UL, lowMiB * MiB), (0x1_0000_0000UL, highMiB * MiB)];
        Assert.Equal(expected, Layout.RamRanges(sizeMiB * MiB));
    }

    [Theory]
    [InlineData((256 * MiB) - 4096)]
    [InlineData((512 * 1024 * MiB) + 4096)]
    [InlineData((256 * MiB) + 1)]
    public void OtherSizesAreFaultsOfTheCaller(ulong size) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Layout.RamRanges(size));

    [Fact]
    public void SlotsHaveTheAddressesAndLinesThatUsersKnow()
    {
        Assert.Equal((0xF010_0000UL, 5U), (Layout.VirtioMmioBase(0), Layout.VirtioMmioGsi(0)));
        Assert.Equal((0xF010_1400UL, 15U), (Layout.VirtioMmioBase(10), Layout.VirtioMmioGsi(10)));
        Assert.Equal((0xF010_1600UL, 17U), (Layout.VirtioMmioBase(11), Layout.VirtioMmioGsi(11)));
        Assert.Equal((0xF010_2200UL, 23U), (Layout.VirtioMmioBase(17), Layout.VirtioMmioGsi(17)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Layout.VirtioMmioGsi(18));
        Assert.Throws<ArgumentOutOfRangeException>(() => Layout.VirtioMmioBase(-1));
    }

    [Fact]
    public void NoLineIsGivenTwice()
    {
        HashSet<uint> lines = [0, Layout.Com1Gsi, Layout.GedGsi];
        for (int slot = 0; slot < Layout.VirtioSlots; slot++)
        {
            Assert.True(lines.Add(Layout.VirtioMmioGsi(slot)));
            Assert.InRange(Layout.VirtioMmioGsi(slot), 0u, (uint)Layout.IoApicPins - 1);
        }
    }

    [Fact]
    public void NothingOverlaps()
    {
        (ulong Start, ulong Length)[] map =
        [
            (0, 0x500), // real-mode vectors, BIOS data area
            (Layout.Gdt, 0x20),
            (Layout.Idt, 8),
            (Layout.PvhStartInfo, 0x1000),
            (Layout.ZeroPage, 0x1000),
            (Layout.BootStack - 0xFF0, 0xFF0),
            (Layout.Pml4, 6 * 0x1000),
            (Layout.CommandLine, Layout.CommandLineRoom),
            (Layout.AcpiTables, Layout.AcpiTablesRoom),
            (Layout.MpTable, Layout.MpTableRoom),
            (Layout.ResetVector, 0x10),
            (Layout.HighMemoryStart, Layout.LowRamEnd - Layout.HighMemoryStart),
            (Layout.VirtioMmio, Layout.VirtioMmioLength * Layout.VirtioSlots),
            (Layout.IoApic, 0x1000),
            (Layout.LocalApic, 0x1000),
            (Layout.IdentityMap, 0x1000),
            (Layout.Tss, 0x3000),
            (Layout.HighRamStart, Layout.MaxRam),
        ];
        Array.Sort(map);
        for (int i = 1; i < map.Length; i++)
        {
            Assert.True(map[i - 1].Start + map[i - 1].Length <= map[i].Start, $"0x{map[i - 1].Start:x} runs into 0x{map[i].Start:x}");
        }
    }
}
