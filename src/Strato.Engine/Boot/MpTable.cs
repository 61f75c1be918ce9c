using System;
using System.Buffers.Binary;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>The MultiProcessor Specification 1.4's tables: CPUs and interrupts for a kernel without ACPI.</summary>
/// <remarks>
/// <code>
/// floating pointer, 16 bytes: "_MP_", table's address u32, length/16 u8, revision u8, checksum u8, 5 feature bytes
/// table header, 44 bytes: "PCMP", length u16, revision u8, checksum u8, OEM id 8, product id 12, OEM table u32 + u16,
///     entry count u16, local APIC u32, extended length u16, extended checksum u8, reserved u8
/// entries: processor (0), 20 bytes · bus (1), 8 · IOAPIC (2), 8 · I/O interrupt (3), 8 · local interrupt (4), 8
/// </code>
/// </remarks>
internal static class MpTable
{
    private const int PointerLength = 16;
    private const byte Revision = 4;
    private const byte ApicVersion = 0x14;

    private const byte Processor = 0;
    private const byte Bus = 1;
    private const byte IoApic = 2;
    private const byte IoInterrupt = 3;
    private const byte LocalInterrupt = 4;

    private const byte CpuEnabled = 1;
    private const byte CpuBoot = 2;
    private const byte IsaBus = 0;

    private const byte TypeInt = 0;
    private const byte TypeNmi = 1;
    private const byte TypeExtInt = 3;
    private const byte AllLocalApics = 0xFF;

    /// <summary>Polarity and trigger as the bus has them.</summary>
    private const ushort Conforming = 0;

    /// <summary>Active high, edge.</summary>
    private const ushort EdgeHigh = 0b0101;

    /// <summary>Writes floating pointer and table where the kernel looks for them (0xF0000–0xFFFFF).</summary>
    /// <param name="memory">The guest.</param>
    /// <param name="topology">Gives the CPUs' APIC ids.</param>
    /// <param name="isThere">Whether a CPU is there, by its number; others have no entry.</param>
    public static void Write(GuestMemory memory, CpuTopology topology, Predicate<int> isThere)
    {
        Span<byte> room = Room(memory);
        room.Clear();
        WritePointer(room);
        TableWriter writer = new(room[PointerLength..]);
        writer.Bytes("PCMP"u8);
        writer.U16(0); // length
        writer.U8(Revision);
        writer.U8(0); // checksum
        writer.Bytes("STRATO  "u8);
        writer.Bytes("STRATOMV    "u8);
        writer.U32(0);
        writer.U16(0);
        writer.U16(0); // entries
        writer.U32(Layout.LocalApic);
        writer.U32(0);

        ushort entries = 0;
        for (int cpu = 0; cpu < topology.Count; cpu++)
        {
            if (!isThere(cpu))
            {
                continue;
            }

            entries++;
            writer.U8(Processor);
            writer.U8((byte)topology.ApicId(cpu));
            writer.U8(ApicVersion);
            writer.U8((byte)(CpuEnabled | (cpu == 0 ? CpuBoot : 0)));
            writer.U32(0x600); // signature: family 6; and below, FPU and APIC. CPUID is what kernels go by.
            writer.U32(0x201);
            writer.U64(0);
        }

        writer.U8(Bus);
        writer.U8(IsaBus);
        writer.Bytes("ISA   "u8);

        // Ids of IOAPICs and CPUs are one number space (4.3.3): the first above the CPUs'.
        byte ioApicId = (byte)(topology.ApicId(topology.Count - 1) + 1);
        writer.U8(IoApic);
        writer.U8(ioApicId);
        writer.U8(0x11);
        writer.U8(1); // usable
        writer.U32(Layout.IoApic);
        entries += 2;

        // KVM joins every line to the pin of the same number, line 0 too. Lines from 16 on are no ISA lines: their
        // trigger and polarity are given.
        for (int pin = 0; pin < Layout.IoApicPins; pin++, entries++)
        {
            Interrupt(ref writer, IoInterrupt, TypeInt, pin < 16 ? Conforming : EdgeHigh, (byte)pin, ioApicId, (byte)pin);
        }

        Interrupt(ref writer, LocalInterrupt, TypeExtInt, Conforming, 0, AllLocalApics, 0);
        Interrupt(ref writer, LocalInterrupt, TypeNmi, Conforming, 0, AllLocalApics, 1);
        entries += 2;

        Span<byte> table = writer.Written;
        BinaryPrimitives.WriteUInt16LittleEndian(table[4..], (ushort)table.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(table[34..], entries);
        table[7] = TableWriter.Checksum(table);
    }

    private static Span<byte> Room(GuestMemory memory) =>
        memory.TryGetSpan(Layout.MpTable, Layout.MpTableRoom, out Span<byte> room)
            ? room
            : throw new InvalidOperationException("no RAM at the MP table's address");

    private static void WritePointer(Span<byte> room)
    {
        Span<byte> pointer = room[..PointerLength];
        TableWriter writer = new(pointer);
        writer.Bytes("_MP_"u8);
        writer.U32((uint)Layout.MpTable + PointerLength);
        writer.U8(PointerLength / 16);
        writer.U8(Revision);
        writer.U8(0);
        pointer[10] = TableWriter.Checksum(pointer);
    }

    private static void Interrupt(ref TableWriter writer, byte entry, byte type, ushort flags, byte line, byte apicId, byte pin)
    {
        writer.U8(entry);
        writer.U8(type);
        writer.U16(flags);
        writer.U8(IsaBus);
        writer.U8(line);
        writer.U8(apicId);
        writer.U8(pin);
    }
}
