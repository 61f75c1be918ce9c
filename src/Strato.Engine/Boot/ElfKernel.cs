using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Diagnostics;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>An uncompressed kernel: an ELF file, entered by PVH where it has that note, else by the 64-bit boot protocol.</summary>
/// <remarks>
/// Layouts of the System V ABI's object files (64-bit):
/// <code>
/// file header                           program header (56 bytes)
///  0 magic, class, data …  24 e_entry    0 p_type u32    24 p_paddr
/// 16 e_type u16            32 e_phoff    4 p_flags u32   32 p_filesz
/// 18 e_machine u16         54 e_phentsize u16            8 p_offset      40 p_memsz
/// 20 e_version u32         56 e_phnum u16               16 p_vaddr      48 p_align
/// note: namesz u32, descsz u32, type u32, name, desc; name and desc are padded to 4 bytes (8 where p_align is 8)
/// </code>
/// </remarks>
internal static class ElfKernel
{
    private const int FileHeaderLength = 64;
    private const int ProgramHeaderLength = 56;

    /// <summary>Linux' vmlinux has five; a file with more than this many is no kernel.</summary>
    private const int MaxProgramHeaders = 64;

    /// <summary>Linux' notes are below 1 KiB.</summary>
    private const ulong MaxNotes = 64 << 10;

    private const uint PtLoad = 1;
    private const uint PtNote = 4;

    /// <summary>XEN_ELFNOTE_PHYS32_ENTRY (xen/include/public/elfnote.h): the PVH entry.</summary>
    private const uint Phys32Entry = 18;

    // A guest may reset again and again, and each time its kernel is read anew.
    private static readonly RateLimit NoteWarnings = new();

    private readonly record struct Segment(uint Type, ulong Offset, ulong Address, ulong FileSize, ulong MemorySize, ulong Align);

    public static bool Is(ReadOnlySpan<byte> head) => head.StartsWith("\u007fELF"u8);

    /// <summary>Loads every segment to its physical address.</summary>
    /// <param name="memory">The guest; all zeros, so what follows a segment's bytes (bss) isn't written.</param>
    /// <param name="file">The kernel.</param>
    /// <param name="head">Its beginning, of which <see cref="Is"/> was true.</param>
    public static LoadedKernel Load(GuestMemory memory, ImageFile file, ReadOnlySpan<byte> head)
    {
        CheckHeader(file, head);
        List<Segment> segments = ReadSegments(file, head);
        List<AddressRange> used = [];
        foreach (Segment segment in segments)
        {
            if (segment.Type == PtLoad && (segment.MemorySize | segment.FileSize) != 0)
            {
                AddressRange range = Check(memory, file, segment, used);
                used.Add(range);
            }
        }

        if (used.Count == 0)
        {
            file.Fail("Format", $"is an ELF file with nothing to load: {KernelImage.Allowed}");
        }

        foreach (Segment segment in segments)
        {
            if (segment.Type == PtLoad)
            {
                ulong count = file.Read(segment.Offset, memory, segment.Address, segment.FileSize);
                if (count != segment.FileSize)
                {
                    file.Fail("Truncated", $"ends early: bytes {segment.Offset} to {segment.Offset + segment.FileSize} belong to a segment, {segment.Offset + count} are there");
                }
            }
        }

        ulong? pvh = FindPvhEntry(file, segments);
        ulong entry = pvh ?? BinaryPrimitives.ReadUInt64LittleEndian(head[24..]);
        if (!used.Exists(range => entry >= range.Start && entry < range.End))
        {
            file.Fail("Format", $"has its {(pvh is null ? "64-bit" : "PVH")} entry at 0x{entry:x}, outside of what it loads");
        }

        return new LoadedKernel
        {
            Format = pvh is null ? "ELF, 64-bit entry" : "ELF, PVH entry",
            Kind = pvh is null ? EntryKind.Linux64 : EntryKind.Pvh,
            Entry = entry,
            Used = used,
            WantsDevicesOnCommandLine = !Has(memory, segments, "RSD PTR "u8) && Has(memory, segments, "virtio_mmio.device"u8),
        };
    }

    private static void CheckHeader(ImageFile file, ReadOnlySpan<byte> head)
    {
        if (head.Length < FileHeaderLength)
        {
            file.Fail("Truncated", $"ends after {head.Length} bytes, inside its ELF header of {FileHeaderLength}");
        }

        ushort machine = BinaryPrimitives.ReadUInt16LittleEndian(head[18..]);
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(head[16..]);
        string? wrong = null;
        if (head[5] != 1)
        {
            wrong = "a big-endian ELF file";
        }
        else if (head[4] != 2 || machine != 62)
        {
            string name = machine switch
            {
                3 => "32-bit x86",
                40 => "32-bit ARM",
                62 => "x32",
                183 => "ARM64",
                243 => "RISC-V",
                _ => $"machine number {machine}",
            };
            wrong = $"an ELF file for {name}";
        }
        else if (type is not (2 or 3))
        {
            wrong = type switch
            {
                1 => "an ELF object file (a module?), not linked",
                4 => "an ELF core dump",
                _ => $"an ELF file of type {type}",
            };
        }
        else if (BinaryPrimitives.ReadUInt16LittleEndian(head[54..]) != ProgramHeaderLength)
        {
            wrong = $"a damaged ELF file (program headers of {BinaryPrimitives.ReadUInt16LittleEndian(head[54..])} bytes instead of {ProgramHeaderLength})";
        }

        if (wrong is not null)
        {
            file.Fail("Format", $"is {wrong}: {KernelImage.Allowed}");
        }
    }

    private static List<Segment> ReadSegments(ImageFile file, ReadOnlySpan<byte> head)
    {
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head[56..]);
        if (count is 0 or > MaxProgramHeaders)
        {
            file.Fail("Format", $"is an ELF file with {count} program headers, 1 to {MaxProgramHeaders} are allowed: {KernelImage.Allowed}");
        }

        Span<byte> bytes = stackalloc byte[MaxProgramHeaders * ProgramHeaderLength];
        bytes = bytes[..(count * ProgramHeaderLength)];
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(head[32..]);
        if (file.Read(offset, bytes) != bytes.Length)
        {
            file.Fail("Truncated", $"ends before its {count} program headers at byte {offset}");
        }

        List<Segment> segments = new(count);
        for (; !bytes.IsEmpty; bytes = bytes[ProgramHeaderLength..])
        {
            segments.Add(new Segment(
                BinaryPrimitives.ReadUInt32LittleEndian(bytes),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..])));
        }

        return segments;
    }

    private static AddressRange Check(GuestMemory memory, ImageFile file, Segment segment, List<AddressRange> used)
    {
        string what = $"has a segment of {segment.MemorySize} bytes for 0x{segment.Address:x}";
        if (segment.FileSize > segment.MemorySize)
        {
            file.Fail("Format", $"{what}, with {segment.FileSize} bytes in the file: at most its size in memory is allowed");
        }

        if (segment.Address < Layout.HighMemoryStart)
        {
            file.Fail("Format", $"{what}: 0x{Layout.HighMemoryStart:x} is the lowest address allowed");
        }

        // Below 4 GiB, where the identity map is, and PVH's 32-bit entry reaches.
        if (segment.Address >= Layout.LowRamEnd || !memory.Contains(segment.Address, segment.MemorySize))
        {
            file.Fail("TooLarge", $"{what}; of the guest's {memory.Size} bytes of RAM, 0x{Layout.HighMemoryStart:x} to 0x{memory.Regions[0].End:x} can hold it");
        }

        AddressRange range = new(segment.Address, segment.MemorySize);
        foreach (AddressRange other in used)
        {
            if (range.Overlaps(other))
            {
                file.Fail("Format", $"{what}, which overlaps another of {other.Length} bytes for 0x{other.Start:x}");
            }
        }

        return range;
    }

    /// <summary>The address that the PVH note gives, if there is one.</summary>
    private static ulong? FindPvhEntry(ImageFile file, List<Segment> segments)
    {
        foreach (Segment segment in segments)
        {
            if (segment.Type != PtNote || segment.FileSize > MaxNotes)
            {
                continue;
            }

            byte[] notes = new byte[segment.FileSize];
            if (file.Read(segment.Offset, notes) != notes.Length)
            {
                file.Fail("Truncated", $"ends inside its notes, bytes {segment.Offset} to {segment.Offset + segment.FileSize}");
            }

            if (FindPvhEntry(file, notes, segment.Align == 8 ? 8u : 4u) is { } entry)
            {
                return entry;
            }
        }

        return null;
    }

    private static ulong? FindPvhEntry(ImageFile file, ReadOnlySpan<byte> notes, uint align)
    {
        while (notes.Length >= 12)
        {
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(notes);
            uint valueSize = BinaryPrimitives.ReadUInt32LittleEndian(notes[4..]);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(notes[8..]);
            notes = notes[12..];

            // 64-bit sums of 32-bit sizes: they can't wrap.
            ulong valueAt = Up(12UL + nameSize) - 12;
            ulong next = Up(12 + valueAt + valueSize) - 12;
            if (valueAt + valueSize > (uint)notes.Length)
            {
                NoteWarnings.Warn("boot", () => $"kernel '{file.Name}' has a note longer than its notes; what follows isn't looked at");
                return null;
            }

            ReadOnlySpan<byte> value = notes.Slice((int)valueAt, (int)valueSize);
            if (type == Phys32Entry && notes[..(int)nameSize].SequenceEqual("Xen\0"u8))
            {
                // A 32-bit address; Linux writes it in 8 bytes in 64-bit kernels.
                if (value.Length is 4 or 8)
                {
                    return value.Length == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(value) : BinaryPrimitives.ReadUInt64LittleEndian(value);
                }

                file.Fail("Format", $"has a PVH note of {value.Length} bytes: 4 or 8 are allowed");
            }

            // The last note may lack its padding.
            notes = notes[(int)Math.Min(next, (uint)notes.Length)..];
        }

        return null;

        ulong Up(ulong value) => (value + align - 1) & ~(ulong)(align - 1);
    }

    /// <summary>Whether the bytes occur in what was loaded.</summary>
    private static bool Has(GuestMemory memory, List<Segment> segments, ReadOnlySpan<byte> text)
    {
        foreach (Segment segment in segments)
        {
            if (segment.Type == PtLoad
                && memory.TryGetSpan(segment.Address, (int)Math.Min(segment.FileSize, int.MaxValue), out Span<byte> loaded)
                && loaded.IndexOf(text) >= 0)
            {
                return true;
            }
        }

        return false;
    }
}
