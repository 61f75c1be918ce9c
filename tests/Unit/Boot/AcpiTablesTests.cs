using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class AcpiTablesTests
{
    private static readonly int[] AllSlots = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];

    [Fact]
    public void TheRootPointsToEveryTable()
    {
        using BootFixture boot = new();
        ulong rsdp = AcpiTables.Write(boot.Memory, new CpuTopology(1, 2, 1), _ => true, [0], hasSerial: true);
        Assert.Equal(0xE_0000UL, rsdp);
        byte[] root = boot.Read(rsdp, 36);
        Assert.Equal("RSD PTR "u8, root.AsSpan(0, 8));
        Assert.Equal("STRATO"u8, root.AsSpan(9, 6));
        Assert.Equal(2, root[15]);
        Assert.Equal(0, Sum(root[..20]));
        Assert.Equal(0, Sum(root));
        byte[] xsdt = Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(root.AsSpan(24)), "XSDT");
        Assert.Equal(36 + 16, xsdt.Length);
        byte[] fadt = Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(36)), "FACP");
        Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(44)), "APIC");
        Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(140)), "DSDT");
        Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(40)), BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(140)));
    }

    [Fact]
    public void TheFadtIsOfAHardwareReducedMachineWithItsRegisters()
    {
        using BootFixture boot = new();
        byte[] fadt = Tables(boot)["FACP"];
        Assert.Equal(276, fadt.Length);
        Assert.Equal((6, 5), (fadt[8], fadt[131]));
        Assert.Equal(0x0010_0431u, BinaryPrimitives.ReadUInt32LittleEndian(fadt.AsSpan(112)));
        ushort bootFlags = BinaryPrimitives.ReadUInt16LittleEndian(fadt.AsSpan(109));
        Assert.Equal(0, bootFlags & 2); // no 8042
        Assert.Equal(0x20, bootFlags & 0x20); // no CMOS RTC
        Assert.Equal("0108000100060000" + "00000000", Convert.ToHexString(fadt.AsSpan(116, 12))); // RESET_REG
        Assert.Equal(Layout.PowerResetValue, fadt[128]);
        Assert.Equal("0108000101060000" + "00000000", Convert.ToHexString(fadt.AsSpan(244, 12))); // SLEEP_CONTROL_REG
        Assert.Equal("0108000102060000" + "00000000", Convert.ToHexString(fadt.AsSpan(256, 12))); // SLEEP_STATUS_REG
        Assert.Equal(new byte[109 - 44], fadt[44..109]);
        Assert.Equal(new byte[244 - 148], fadt[148..244]);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 254, 1)]
    [InlineData(254, 1, 1)]
    [InlineData(3, 3, 2)]
    public void TheMadtHasEveryCpu(int sockets, int cores, int threads)
    {
        using BootFixture boot = new();
        CpuTopology topology = new(sockets, cores, threads);
        byte[] madt = Tables(boot, topology)["APIC"];
        Assert.Equal("0000E0FE" + "01000000", Convert.ToHexString(madt.AsSpan(36, 8)));
        int at = 44;
        for (int cpu = 0; cpu < topology.Count; cpu++, at += 8)
        {
            Assert.Equal([0, 8, (byte)cpu, (byte)topology.ApicId(cpu), 1, 0, 0, 0], madt[at..(at + 8)]);
        }

        Assert.Equal("010C0000" + "0000C0FE" + "00000000" + "0406FF000001", Convert.ToHexString(madt.AsSpan(at)));
    }

    [Fact]
    public void CpusThatMayComeAreOnlineCapable()
    {
        using BootFixture boot = new();
        byte[] madt = Tables(boot, new CpuTopology(2, 3, 1) { Present = 4 })["APIC"];
        Assert.Equal([0, 8, 3, 4, 1, 0, 0, 0], madt[68..76]);
        Assert.Equal([0, 8, 4, 5, 2, 0, 0, 0], madt[76..84]);
        Assert.Equal([0, 8, 5, 6, 2, 0, 0, 0], madt[84..92]);
        Assert.Equal(1, madt[92]);

        // At a reset one that came is as the others.
        madt = Tables(boot, new CpuTopology(2, 3, 1) { Present = 4 }, isThere: cpu => cpu != 4)["APIC"];
        Assert.Equal([0, 8, 4, 5, 2, 0, 0, 0], madt[76..84]);
        Assert.Equal([0, 8, 5, 6, 1, 0, 0, 0], madt[84..92]);
    }

    [Fact]
    public void CpusThatMayComeHaveDevices()
    {
        using BootFixture boot = new();
        string dsl = Disassemble(boot, Tables(boot, new CpuTopology(2, 3, 1) { Present = 4 })["DSDT"], "dsdt");
        Assert.DoesNotContain("Device (C003)", dsl, StringComparison.Ordinal);
        string device = dsl[dsl.IndexOf("Device (C004)", StringComparison.Ordinal)..dsl.IndexOf("Device (C005)", StringComparison.Ordinal)];
        foreach (string part in (string[])["Name (_HID, \"ACPI0007\"", "Name (_UID, 0x04)", "Name (_MAT, Buffer (0x08)", "0x00, 0x08, 0x04, 0x05, 0x01, 0x00, 0x00, 0x00", "Return (CPSM (0x04))", "CPEJ = 0x04", "CPOM (0x04, Arg0, Arg1)"])
        {
            Assert.Contains(part, device, StringComparison.Ordinal);
        }

        Assert.Contains("CPOS = ((Arg0 | ((Arg1 & 0xFF) << 0x08) ) | ((Arg2 & 0xFF) << 0x10))", Flat(dsl), StringComparison.Ordinal);
        Assert.Contains("If ((Arg0 == 0x05)) { Notify (C005, Arg1) }", Flat(dsl), StringComparison.Ordinal);
        Assert.Contains("While (Local0) { CPNM ((Local0 & 0xFF), (Local0 >> 0x08)) Local0 = CPEV", Flat(dsl), StringComparison.Ordinal);
        Assert.Contains("If ((Local0 & 0x02)) { \\_SB.CPTE () }", Flat(dsl), StringComparison.Ordinal);
        Assert.Contains("OperationRegion (CPR3, SystemIO, 0x061C, 0x04)", dsl, StringComparison.Ordinal);
    }

    [Fact]
    public void TheLargestMachineFits()
    {
        using BootFixture boot = new();
        Dictionary<string, byte[]> tables = Tables(boot, new CpuTopology(1, 254, 1), AllSlots);
        int total = 36;
        foreach (byte[] table in tables.Values)
        {
            total += table.Length + 16;
        }

        Assert.InRange(total, 1, Layout.AcpiTablesRoom / 4);
        Assert.InRange(Tables(boot, new CpuTopology(1, 254, 1) { Present = 1 }, AllSlots)["DSDT"].Length, 1, Layout.AcpiTablesRoom / 2);
    }

    [Fact]
    public void TheDisassemblerUnderstandsTheDsdt()
    {
        using BootFixture boot = new();
        string dsl = Disassemble(boot, Tables(boot, slots: [2, 0, 11])["DSDT"], "dsdt");
        int[] devices =
        [
            dsl.IndexOf("Device (COM1)", StringComparison.Ordinal), dsl.IndexOf("Device (VR00)", StringComparison.Ordinal),
            dsl.IndexOf("Device (VR01)", StringComparison.Ordinal), dsl.IndexOf("Device (VR02)", StringComparison.Ordinal),
            dsl.IndexOf("Device (PWRB)", StringComparison.Ordinal), dsl.IndexOf("Device (GED)", StringComparison.Ordinal),
        ];
        Assert.DoesNotContain(-1, devices);
        Assert.Equal(devices, Sorted(devices));

        string first = dsl[devices[1]..devices[2]];
        Assert.Contains("Name (_HID, \"LNRO0005\")", first, StringComparison.Ordinal);
        Assert.Contains("Name (_UID, Zero)", first, StringComparison.Ordinal);
        Assert.Contains("Name (_CCA, One)", first, StringComparison.Ordinal);
        Assert.Contains("0xF0100400,         // Address Base", first, StringComparison.Ordinal);
        Assert.Contains("Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive", first, StringComparison.Ordinal);
        Assert.Contains("0x00000007,", first, StringComparison.Ordinal);
        Assert.Contains("0x00000011,", dsl[devices[3]..devices[4]], StringComparison.Ordinal); // slot 11, GSI 17

        string serial = dsl[devices[0]..devices[1]];
        Assert.Contains("EisaId (\"PNP0501\")", serial, StringComparison.Ordinal);
        Assert.Contains("0x03F8,             // Range Minimum", serial, StringComparison.Ordinal);
        Assert.Contains("EisaId (\"PNP0C0C\")", dsl[devices[4]..devices[5]], StringComparison.Ordinal);
        string events = dsl[devices[5]..];
        Assert.Contains("Name (_HID, \"ACPI0013\"", events, StringComparison.Ordinal);
        Assert.Contains("OperationRegion (EVTR, SystemIO, 0x0604, 0x04)", events, StringComparison.Ordinal);
        Assert.Contains("Method (_EVT, 1, Serialized)", events, StringComparison.Ordinal);
        Assert.Contains("Local0 = EVTS", events, StringComparison.Ordinal);
        Assert.Contains("Notify (\\_SB.PWRB, 0x80)", events, StringComparison.Ordinal);
        Assert.Contains("Name (\\_S5, Package (0x04)", events, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutSerialThereIsNoCom1()
    {
        Assert.True(Dsdt.Build([], hasSerial: true, new CpuTopology()).Bytes.IndexOf("COM1"u8) >= 0);
        Assert.True(Dsdt.Build([], hasSerial: false, new CpuTopology()).Bytes.IndexOf("COM1"u8) < 0);
    }

    [Theory]
    [InlineData("DSDT")]
    [InlineData("FACP")]
    [InlineData("APIC")]
    [InlineData("XSDT")]
    public void TheCompilerTakesWhatTheDisassemblerGave(string signature)
    {
        using BootFixture boot = new();
        byte[] table = Tables(boot, new CpuTopology(2, 4, 1) { Present = 3 }, AllSlots)[signature];
        string source = boot.PathOf("again.dsl");
        string text = Disassemble(boot, table, "table");
        File.WriteAllText(source, text);
        string output = Iasl(boot, source);
        Assert.Contains("0 Errors, 0 Warnings", output, StringComparison.Ordinal);
    }

    /// <summary>With each run of blanks as one.</summary>
    private static string Flat(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static int[] Sorted(int[] values)
    {
        int[] copy = [.. values];
        Array.Sort(copy);
        return copy;
    }

    private static string Disassemble(BootFixture boot, byte[] table, string name)
    {
        string file = boot.PathOf(name + ".aml");
        File.WriteAllBytes(file, table);
        string output = Iasl(boot, "-d", file);
        Assert.DoesNotContain("rror", output.Replace("Error counts", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.DoesNotContain("arning", output, StringComparison.Ordinal);
        return File.ReadAllText(boot.PathOf(name + ".dsl"));
    }

    private static string Iasl(BootFixture boot, params string[] arguments)
    {
        ProcessStartInfo start = new("iasl", arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(boot.PathOf("x")),
        };
        Process? process = null;
        try
        {
            process = Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("iasl isn't installed (Debian: acpica-tools)");
        }

        using (process)
        {
            StringBuilder errors = new();
            process!.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
            process.BeginErrorReadLine();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return output + errors;
        }
    }

    private static Dictionary<string, byte[]> Tables(BootFixture boot, CpuTopology? topology = null, int[]? slots = null, Predicate<int>? isThere = null)
    {
        CpuTopology cpus = topology ?? new CpuTopology();
        ulong rsdp = AcpiTables.Write(boot.Memory, cpus, isThere ?? (cpu => cpu < cpus.Present), slots ?? [0], hasSerial: true);
        byte[] xsdt = Table(boot, boot.U64(rsdp + 24), "XSDT");
        byte[] fadt = Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(36)), "FACP");
        return new Dictionary<string, byte[]>(StringComparer.Ordinal)
        {
            ["XSDT"] = xsdt,
            ["FACP"] = fadt,
            ["APIC"] = Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.AsSpan(44)), "APIC"),
            ["DSDT"] = Table(boot, BinaryPrimitives.ReadUInt64LittleEndian(fadt.AsSpan(140)), "DSDT"),
        };
    }

    private static byte[] Table(BootFixture boot, ulong address, string signature)
    {
        Assert.InRange(address, Layout.AcpiTables, Layout.AcpiTables + Layout.AcpiTablesRoom - 36);
        byte[] table = boot.Read(address, (int)boot.U32(address + 4));
        Assert.Equal(signature, Encoding.ASCII.GetString(table, 0, 4));
        Assert.Equal("STRATOSTRATOMV", Encoding.ASCII.GetString(table, 10, 14));
        Assert.Equal(0, Sum(table));
        return table;
    }

    private static byte Sum(byte[] bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return sum;
    }
}
