using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;

namespace Strato.Tests.Unit.Boot;

/// <summary>A small bzImage whose every field a test may change before it is built.</summary>
internal sealed class BzImageBuilder
{
    public byte SetupSects { get; set; } = 4;

    public uint? SysSize { get; set; }

    public ushort Version { get; set; } = 0x20F;

    public byte LoadFlags { get; set; } = 1;

    public uint InitrdAddrMax { get; set; } = 0x7FFF_FFFF;

    public uint Alignment { get; set; } = 0x20_0000;

    public byte Relocatable { get; set; } = 1;

    public ushort XLoadFlags { get; set; } = 0x7F;

    public uint CmdlineSize { get; set; } = 2047;

    public ulong PrefAddress { get; set; } = 0x100_0000;

    public uint InitSize { get; set; } = 0x40_0000;

    public byte[] Code { get; set; } = Pattern(8192);

    public static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    public byte[] Build()
    {
        int setup = ((SetupSects == 0 ? 4 : SetupSects) + 1) * 512;
        byte[] image = new byte[setup + Code.Length];
        Span<byte> bytes = image;
        "MZ"u8.CopyTo(bytes); // an EFI stub: PE as well
        bytes[0x1EF] = 0xFF; // the sentinel, which must not reach the zero page
        bytes[0x1F1] = SetupSects;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x1F4..], SysSize ?? (uint)(Code.Length / 16));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x1FA..], 0xFFFF);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x1FE..], 0xAA55);
        bytes[0x200] = 0xEB;
        bytes[0x201] = 0x6A;
        "HdrS"u8.CopyTo(bytes[0x202..]);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x206..], Version);
        bytes[0x211] = LoadFlags;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x22C..], InitrdAddrMax);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x230..], Alignment);
        bytes[0x234] = Relocatable;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[0x236..], XLoadFlags);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x238..], CmdlineSize);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[0x258..], PrefAddress);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[0x260..], InitSize);
        Code.CopyTo(bytes[setup..]);
        return image;
    }
}

/// <summary>A small ELF kernel.</summary>
internal sealed class ElfBuilder
{
    public const ulong Base = 0x100_0000;

    public sealed record Segment(uint Type, ulong Address, byte[] Content, ulong? MemorySize = null, ulong? FileSize = null, ulong? Offset = null, ulong Align = 4);

    public List<Segment> Segments { get; } = [];

    public ulong Entry { get; set; } = Base;

    public byte Class { get; set; } = 2;

    public byte Data { get; set; } = 1;

    public ushort Type { get; set; } = 2;

    public ushort Machine { get; set; } = 62;

    public ushort HeaderSize { get; set; } = 56;

    public ushort? HeaderCount { get; set; }

    public ulong HeaderOffset { get; set; } = 64;

    /// <summary>A loadable segment with a PVH note, if an entry is given for it.</summary>
    public static ElfBuilder Kernel(ulong? pvhEntry = null, string text = "RSD PTR ")
    {
        ElfBuilder elf = new();
        byte[] code = BzImageBuilder.Pattern(5000);
        Encoding.ASCII.GetBytes(text).CopyTo(code.AsSpan(1000));
        elf.Segments.Add(new Segment(1, Base, code, MemorySize: 0x3000));
        elf.Segments.Add(new Segment(1, Base + 0x4000, BzImageBuilder.Pattern(700)));
        if (pvhEntry is { } entry)
        {
            byte[] value = BitConverter.GetBytes(entry);
            elf.Segments.Add(new Segment(4, 0, [.. Note("GNU\0", 3, new byte[20]), .. Note("Xen\0", 6, "linux\0"u8.ToArray()), .. Note("Xen\0", 18, value)]));
        }

        return elf;
    }

    public static byte[] Note(string name, uint type, byte[] value, int align = 4)
    {
        List<byte> note = [.. BitConverter.GetBytes(name.Length), .. BitConverter.GetBytes(value.Length), .. BitConverter.GetBytes(type)];
        note.AddRange(Encoding.ASCII.GetBytes(name));
        Pad();
        note.AddRange(value);
        Pad();
        return [.. note];

        void Pad()
        {
            while (note.Count % align != 0)
            {
                note.Add(0);
            }
        }
    }

    public byte[] Build()
    {
        int headers = 64 + (Segments.Count * 56);
        int length = headers;
        foreach (Segment segment in Segments)
        {
            length += segment.Content.Length;
        }

        byte[] image = new byte[length];
        Span<byte> bytes = image;
        "\u007fELF"u8.CopyTo(bytes);
        bytes[4] = Class;
        bytes[5] = Data;
        bytes[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[16..], Type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[18..], Machine);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], Entry);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], HeaderOffset);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[54..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[56..], HeaderCount ?? (ushort)Segments.Count);
        int at = headers;
        for (int i = 0; i < Segments.Count; i++)
        {
            Segment segment = Segments[i];
            Span<byte> header = bytes[(64 + (i * 56))..];
            BinaryPrimitives.WriteUInt32LittleEndian(header, segment.Type);
            BinaryPrimitives.WriteUInt64LittleEndian(header[8..], segment.Offset ?? (ulong)at);
            BinaryPrimitives.WriteUInt64LittleEndian(header[24..], segment.Address);
            BinaryPrimitives.WriteUInt64LittleEndian(header[32..], segment.FileSize ?? (ulong)segment.Content.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(header[40..], segment.MemorySize ?? (ulong)segment.Content.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(header[48..], segment.Align);
            segment.Content.CopyTo(bytes[at..]);
            at += segment.Content.Length;
        }

        return image;
    }
}
