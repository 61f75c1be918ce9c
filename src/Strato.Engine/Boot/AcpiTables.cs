using System;
using System.Buffers.Binary;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>RSDP, XSDT, FADT, MADT and DSDT (ACPI 6.5, 5.2), of a hardware-reduced machine.</summary>
/// <remarks>
/// Hardware-reduced (4.1) on purpose: there are no PM1 registers, PM timer, SCI, FACS or GPEs to emulate, nor a legacy
/// mode to leave. Linux then powers off by SLEEP_CONTROL_REG (it uses that register on such machines only), hears the
/// power button by the GED, and doesn't set up PIT and PICs; it needs neither here, for KVM gives it kvmclock and
/// the TSC deadline timer, and its devices' lines come from the DSDT.
/// </remarks>
internal static class AcpiTables
{
    private const int RsdpLength = 36;

    // FADT flags (table 5.10).
    private const uint Wbinvd = 1 << 0;
    private const uint NoFixedPowerButton = 1 << 4;
    private const uint NoFixedSleepButton = 1 << 5;
    private const uint ResetRegister = 1 << 10;
    private const uint HardwareReduced = 1 << 20;

    // IA-PC boot architecture flags (table 5.11). Clear: LEGACY_DEVICES (no PnP BIOS to look for), 8042 (an i8042 that
    // half answers costs Linux 500 ms of probing), MSI not supported.
    private const ushort VgaNotPresent = 1 << 2;
    private const ushort NoCmosRtc = 1 << 5;

    // MADT (5.2.12).
    private const uint PcatCompatible = 1;
    private const uint Enabled = 1;
    private const uint OnlineCapable = 1 << 1;

    /// <summary>Writes all tables.</summary>
    /// <param name="memory">The guest.</param>
    /// <param name="topology">Gives the CPUs' APIC ids.</param>
    /// <param name="isThere">Whether a CPU is there, by its number: one may have come since power-on.</param>
    /// <param name="slots">virtio-mmio slots in the order their devices shall be found.</param>
    /// <param name="hasSerial">Whether there is a COM1.</param>
    /// <returns>Address of the RSDP.</returns>
    public static ulong Write(GuestMemory memory, CpuTopology topology, Predicate<int> isThere, ReadOnlySpan<int> slots, bool hasSerial)
    {
        if (!memory.TryGetSpan(Layout.AcpiTables, Layout.AcpiTablesRoom, out Span<byte> room))
        {
            throw new InvalidOperationException("no RAM at the ACPI tables' address");
        }

        room.Clear();
        TableWriter writer = new(room);
        writer.Zeros(RsdpLength);
        ulong dsdt = WriteDsdt(ref writer, slots, hasSerial, topology);
        ulong fadt = WriteFadt(ref writer, dsdt);
        ulong madt = WriteMadt(ref writer, topology, isThere);
        ulong xsdt = WriteXsdt(ref writer, fadt, madt);
        WriteRsdp(room, xsdt);
        return Layout.AcpiTables;
    }

    private static ulong WriteDsdt(ref TableWriter writer, ReadOnlySpan<int> slots, bool hasSerial, CpuTopology topology)
    {
        int start = Begin(ref writer, "DSDT"u8, 2);
        writer.Bytes(Dsdt.Build(slots, hasSerial, topology).Bytes);
        return End(ref writer, start);
    }

    private static ulong WriteFadt(ref TableWriter writer, ulong dsdt)
    {
        int start = Begin(ref writer, "FACP"u8, 6);
        writer.U32(0); // FIRMWARE_CTRL: a hardware-reduced machine needs no FACS
        writer.U32((uint)dsdt);
        writer.Zeros(109 - 44); // reserved to CENTURY: registers that there aren't, SCI_INT, latencies
        writer.U16(VgaNotPresent | NoCmosRtc);
        writer.U8(0);
        writer.U32(Wbinvd | NoFixedPowerButton | NoFixedSleepButton | ResetRegister | HardwareReduced);
        IoRegister(ref writer, Layout.PowerReset);
        writer.U8(Layout.PowerResetValue);
        writer.U16(0); // ARM_BOOT_ARCH
        writer.U8(5); // FADT minor version: 6.5
        writer.U64(0); // X_FIRMWARE_CTRL
        writer.U64(dsdt);
        writer.Zeros(244 - 148); // X_PM1a_EVT_BLK to X_GPE1_BLK
        IoRegister(ref writer, Layout.PowerSleepControl);
        IoRegister(ref writer, Layout.PowerSleepStatus);
        writer.Bytes("STRATO\0\0"u8); // hypervisor vendor identity
        return End(ref writer, start);
    }

    private static ulong WriteMadt(ref TableWriter writer, CpuTopology topology, Predicate<int> isThere)
    {
        int start = Begin(ref writer, "APIC"u8, 5);
        writer.U32(Layout.LocalApic);
        writer.U32(PcatCompatible); // KVM's irqchip has the two 8259s as well
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            // 5.2.12.2: processor local APIC. One that isn't there yet may come: so the kernel keeps room for it.
            writer.U8(0);
            writer.U8(8);
            writer.U8((byte)cpu);
            writer.U8((byte)topology.ApicId(cpu));
            writer.U32(isThere(cpu) ? Enabled : OnlineCapable);
        }

        // 5.2.12.3: IOAPIC. Its id is that of KVM's register at reset. Lines are its pins one to one, edges and active
        // high like ISA lines: so there is nothing to override (see the interrupt lines in Layout).
        writer.U8(1);
        writer.U8(12);
        writer.U8(0);
        writer.U8(0);
        writer.U32(Layout.IoApic);
        writer.U32(0);

        // 5.2.12.7: LINT1 is NMI on all processors.
        writer.U8(4);
        writer.U8(6);
        writer.U8(0xFF);
        writer.U16(0);
        writer.U8(1);
        return End(ref writer, start);
    }

    private static ulong WriteXsdt(ref TableWriter writer, ulong fadt, ulong madt)
    {
        int start = Begin(ref writer, "XSDT"u8, 1);
        writer.U64(fadt);
        writer.U64(madt);
        return End(ref writer, start);
    }

    /// <summary>5.2.5.3: root pointer, revision 2; the first checksum covers 20 bytes, the second all 36.</summary>
    private static void WriteRsdp(Span<byte> room, ulong xsdt)
    {
        Span<byte> rsdp = room[..RsdpLength];
        TableWriter writer = new(rsdp);
        writer.Bytes("RSD PTR "u8);
        writer.U8(0);
        writer.Bytes("STRATO"u8);
        writer.U8(2);
        writer.U32(0); // no RSDT
        writer.U32(RsdpLength);
        writer.U64(xsdt);
        rsdp[8] = TableWriter.Checksum(rsdp[..20]);
        rsdp[32] = TableWriter.Checksum(rsdp);
    }

    /// <summary>Begins a table with its header (5.2.6); length and checksum come with <see cref="End"/>.</summary>
    private static int Begin(ref TableWriter writer, ReadOnlySpan<byte> signature, byte revision)
    {
        writer.Align(16);
        int start = writer.Length;
        writer.Bytes(signature);
        writer.U32(0);
        writer.U8(revision);
        writer.U8(0);
        writer.Bytes("STRATO"u8);
        writer.Bytes("STRATOMV"u8);
        writer.U32(1);
        writer.Bytes("STRA"u8);
        writer.U32(1);
        return start;
    }

    private static ulong End(ref TableWriter writer, int start)
    {
        Span<byte> table = writer.Written[start..];
        BinaryPrimitives.WriteInt32LittleEndian(table[4..], table.Length);
        table[9] = TableWriter.Checksum(table);
        return Layout.AcpiTables + (uint)start;
    }

    /// <summary>Generic address (5.2.3.2) of an 8-bit register of the power device: system I/O, 8 bits wide, byte access.</summary>
    private static void IoRegister(ref TableWriter writer, int offset)
    {
        writer.U8(1);
        writer.U8(8);
        writer.U8(0);
        writer.U8(1);
        writer.U64((ulong)(Layout.Power + offset));
    }
}
