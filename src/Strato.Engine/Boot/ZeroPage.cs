using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>struct boot_params, the "zero page" of the Linux boot protocol (Documentation/arch/x86/zero-page.rst).</summary>
/// <remarks>
/// <code>
/// 0x070 acpi_rsdp_addr u64      0x1e8 e820_entries u8          0x218 ramdisk_image u32
/// 0x0c0 ext_ramdisk_image u32   0x1f1 setup header             0x21c ramdisk_size u32
/// 0x0c4 ext_ramdisk_size u32    0x206 version u16              0x228 cmd_line_ptr u32
/// 0x0c8 ext_cmd_line_ptr u32    0x210 type_of_loader u8        0x230 kernel_alignment u32
///                               0x211 loadflags u8             0x238 cmdline_size u32
///                               0x214 code32_start u32         0x2d0 e820_table, 128 × { addr u64, size u64, type u32 }
/// </code>
/// All else stays zero: no video (screen_info), no EFI, no EDD.
/// </remarks>
internal static class ZeroPage
{
    private const int Length = 4096;
    private const int E820Max = 128;
    private const int SetupHeader = 0x1F1;
    private const byte LoadedHigh = 1;

    /// <summary>type_of_loader of a loader that has no number assigned.</summary>
    private const byte UnknownLoader = 0xFF;

    /// <summary>Writes the page.</summary>
    /// <param name="memory">The guest.</param>
    /// <param name="kernel">Seeds the page with its setup header.</param>
    /// <param name="initrd">Where the initrd was loaded, if there is one.</param>
    /// <param name="map">The memory map.</param>
    /// <param name="rsdp">Address of the ACPI tables' root; 0 for none.</param>
    public static void Write(GuestMemory memory, LoadedKernel kernel, AddressRange? initrd, List<MemoryMapEntry> map, ulong rsdp)
    {
        if (!memory.TryGetSpan(Layout.ZeroPage, Length, out Span<byte> page))
        {
            throw new InvalidOperationException("no RAM at the zero page's address");
        }

        page.Clear();
        if (kernel.SetupHeader.Length != 0)
        {
            kernel.SetupHeader.CopyTo(page[SetupHeader..]);
        }
        else
        {
            // An ELF kernel has no header of its own, and believes only one with its marks and a protocol of its time.
            U16(page, 0x1FE, 0xAA55);
            "HdrS"u8.CopyTo(page[0x202..]);
            U16(page, 0x206, 0x020F);
            U32(page, 0x230, 0x100_0000);
            U32(page, 0x238, kernel.CommandLineMax);
        }

        U64(page, 0x070, rsdp);
        page[0x210] = UnknownLoader;
        page[0x211] |= LoadedHigh;
        U32(page, 0x214, (uint)kernel.Used[0].Start);
        U32(page, 0x228, (uint)Layout.CommandLine);
        U32(page, 0x0C8, (uint)(Layout.CommandLine >> 32));
        if (initrd is { } range)
        {
            U32(page, 0x218, (uint)range.Start);
            U32(page, 0x0C0, (uint)(range.Start >> 32));
            U32(page, 0x21C, (uint)range.Length);
            U32(page, 0x0C4, (uint)(range.Length >> 32));
        }

        TableWriter table = new(page[0x2D0..]);
        page[0x1E8] = (byte)Math.Min(map.Count, E820Max);
        foreach (MemoryMapEntry entry in map)
        {
            table.U64(entry.Start);
            table.U64(entry.Length);
            table.U32((uint)entry.Kind);
        }
    }

    private static void U16(Span<byte> page, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(page[offset..], value);

    private static void U32(Span<byte> page, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[offset..], value);

    private static void U64(Span<byte> page, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(page[offset..], value);
}
