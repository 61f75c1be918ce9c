using System;
using System.Collections.Generic;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>struct hvm_start_info of PVH (xen/include/public/arch-x86/hvm/start_info.h), version 1, and its lists.</summary>
/// <remarks>
/// <code>
///  0 magic u32   4 version u32   8 flags u32   12 nr_modules u32   16 modlist_paddr u64   24 cmdline_paddr u64
/// 32 rsdp_paddr u64   40 memmap_paddr u64   48 memmap_entries u32   52 reserved u32
/// module (+0x40): paddr, size, cmdline_paddr, reserved, each u64
/// memory map (+0x80): { addr u64, size u64, type u32, reserved u32 } each
/// </code>
/// </remarks>
internal static class PvhStartInfo
{
    private const uint Magic = 0x336E_C578;
    private const int ModuleList = 0x40;
    private const int MapList = 0x80;
    private const int Room = (int)(Layout.ZeroPage - Layout.PvhStartInfo);

    /// <summary>Writes it; the arguments are those of <see cref="ZeroPage.Write"/>.</summary>
    public static void Write(GuestMemory memory, AddressRange? initrd, List<MemoryMapEntry> map, ulong rsdp)
    {
        if (!memory.TryGetSpan(Layout.PvhStartInfo, Room, out Span<byte> room))
        {
            throw new InvalidOperationException("no RAM at the PVH start info's address");
        }

        room.Clear();
        TableWriter info = new(room);
        info.U32(Magic);
        info.U32(1);
        info.U32(0);
        info.U32(initrd is null ? 0u : 1u);
        info.U64(initrd is null ? 0 : Layout.PvhStartInfo + ModuleList);
        info.U64(Layout.CommandLine);
        info.U64(rsdp);
        info.U64(Layout.PvhStartInfo + MapList);
        info.U32((uint)map.Count);
        info.U32(0);
        if (initrd is { } range)
        {
            TableWriter module = new(room[ModuleList..]);
            module.U64(range.Start);
            module.U64(range.Length);
        }

        TableWriter list = new(room[MapList..]);
        foreach (MemoryMapEntry entry in map)
        {
            list.U64(entry.Start);
            list.U64(entry.Length);
            list.U32((uint)entry.Kind);
            list.U32(0);
        }
    }
}
