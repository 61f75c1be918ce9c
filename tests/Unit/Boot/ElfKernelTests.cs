using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class ElfKernelTests
{
    private const ulong Base = ElfBuilder.Base;

    [Fact]
    public void SegmentsAreLoadedToTheirPhysicalAddresses()
    {
        using BootFixture boot = new();
        ElfBuilder elf = ElfBuilder.Kernel();
        LoadedKernel kernel = boot.LoadKernel(elf.Build());
        Assert.Equal((EntryKind.Linux64, Base), (kernel.Kind, kernel.Entry));
        Assert.Equal("ELF, 64-bit entry", kernel.Format);
        Assert.Equal([new AddressRange(Base, 0x3000), new AddressRange(Base + 0x4000, 700)], kernel.Used);
        Assert.Equal(elf.Segments[0].Content, boot.Read(Base, 5000));
        Assert.Equal(elf.Segments[1].Content, boot.Read(Base + 0x4000, 700));
        Assert.Equal((2047u, 0x37FF_FFFFUL), (kernel.CommandLineMax, kernel.InitrdAddressMax));
    }

    [Theory]
    [InlineData(4, 4UL)]
    [InlineData(8, 4UL)]
    [InlineData(8, 8UL)]
    public void ThePvhNoteIsPreferred(int bytes, ulong align)
    {
        using BootFixture boot = new();
        ElfBuilder elf = ElfBuilder.Kernel();
        byte[] value = BitConverter.GetBytes(Base + 0x100)[..bytes];
        byte[] notes = [.. ElfBuilder.Note("GNU\0", 18, new byte[20], (int)align), .. ElfBuilder.Note("Xen\0", 18, value, (int)align)];
        elf.Segments.Add(new(4, 0, notes, Align: align));
        LoadedKernel kernel = boot.LoadKernel(elf.Build());
        Assert.Equal((EntryKind.Pvh, Base + 0x100), (kernel.Kind, kernel.Entry));
    }

    [Fact]
    public void TheLastNoteMayLackItsPadding()
    {
        using BootFixture boot = new();
        ElfBuilder elf = ElfBuilder.Kernel();
        elf.Segments.Add(new(4, 0, [.. ElfBuilder.Note("Xen\0", 18, BitConverter.GetBytes(Base)), .. ElfBuilder.Note("GNU\0", 1, [1, 2, 3])[..^1]]));
        Assert.Equal(EntryKind.Pvh, boot.LoadKernel(elf.Build()).Kind);
    }

    public static TheoryData<string> DamagedNotes => new("header cut", "name too long", "value too long", "sizes that wrap", "other name", "huge", "empty");

    [Theory]
    [MemberData(nameof(DamagedNotes))]
    public void DamagedNotesLeaveThe64BitEntry(string what)
    {
        using BootFixture boot = new();
        ElfBuilder elf = ElfBuilder.Kernel();
        byte[] note = ElfBuilder.Note("Xen\0", 18, BitConverter.GetBytes(Base + 0x100));
        switch (what)
        {
            case "header cut":
                note = note[..11];
                break;
            case "name too long":
                note[0] = 200;
                break;
            case "value too long":
                note[4] = 9;
                break;
            case "sizes that wrap":
                note.AsSpan(0, 8).Fill(0xFF);
                break;
            case "other name":
                note[12] = (byte)'x';
                break;
            case "empty":
                note = [];
                break;
            default:
                break;
        }

        elf.Segments.Add(new(4, 0, note, FileSize: what == "huge" ? ulong.MaxValue : null));
        LoadedKernel kernel = boot.LoadKernel(elf.Build());
        Assert.Equal((EntryKind.Linux64, Base), (kernel.Kind, kernel.Entry));
    }

    [Theory]
    [InlineData("RSD PTR ", false)]
    [InlineData("RSD PTR virtio_mmio.device", false)]
    [InlineData("virtio_mmio.device", true)]
    [InlineData("virtio_mmio.devic", false)]
    public void AKernelWithoutAcpiGetsItsDevicesOnTheCommandLine(string text, bool expected)
    {
        using BootFixture boot = new();
        Assert.Equal(expected, boot.LoadKernel(ElfBuilder.Kernel(text: text).Build()).WantsDevicesOnCommandLine);
    }

    public static TheoryData<string, string, string> Refused => new()
    {
        { "32-bit", "KernelFormat", "is an ELF file for 32-bit x86" },
        { "arm64", "KernelFormat", "is an ELF file for ARM64" },
        { "x32", "KernelFormat", "is an ELF file for x32" },
        { "big-endian", "KernelFormat", "is a big-endian ELF file" },
        { "module", "KernelFormat", "is an ELF object file (a module?), not linked" },
        { "core", "KernelFormat", "is an ELF core dump" },
        { "header size", "KernelFormat", "program headers of 32 bytes instead of 56" },
        { "no headers", "KernelFormat", "with 0 program headers, 1 to 64 are allowed" },
        { "many headers", "KernelFormat", "with 65535 program headers, 1 to 64 are allowed" },
        { "headers beyond the end", "KernelTruncated", "ends before its 2 program headers at byte 1000000" },
        { "headers that wrap", "KernelTruncated", "ends before its 2 program headers at byte 18446744073709551608" },
        { "nothing to load", "KernelFormat", "is an ELF file with nothing to load" },
        { "file larger than memory", "KernelFormat", "has a segment of 699 bytes for 0x1004000, with 700 bytes in the file" },
        { "file without memory", "KernelFormat", "has a segment of 0 bytes for 0x1004000, with 700 bytes in the file" },
        { "low", "KernelFormat", "for 0xff000: 0x100000 is the lowest address allowed" },
        { "zero page", "KernelFormat", "for 0x7000: 0x100000 is the lowest address allowed" },
        { "beyond RAM", "KernelTooLarge", "has a segment of 700 bytes for 0xfffffff; of the guest's 268435456 bytes of RAM, 0x100000 to 0x10000000 can hold it" },
        { "above the hole", "KernelTooLarge", "for 0x100000000;" },
        { "memory that wraps", "KernelTooLarge", "has a segment of 18446744073709551615 bytes" },
        { "address that wraps", "KernelTooLarge", "for 0xffffffffffffff00" },
        { "overlap", "KernelFormat", "has a segment of 700 bytes for 0x1002fff, which overlaps another of 12288 bytes for 0x1000000" },
        { "offset beyond the end", "KernelTruncated", "ends early: bytes 9000000 to 9000700 belong to a segment" },
        { "offset that wraps", "KernelTruncated", "ends early" },
        { "notes beyond the end", "KernelTruncated", "ends inside its notes" },
        { "entry outside", "KernelFormat", "has its 64-bit entry at 0x1003000, outside of what it loads" },
        { "PVH entry outside", "KernelFormat", "has its PVH entry at 0x9000, outside of what it loads" },
        { "PVH entry of 64 bits", "KernelFormat", "has its PVH entry at 0x101000000, outside of what it loads" },
        { "PVH note size", "KernelFormat", "has a PVH note of 2 bytes: 4 or 8 are allowed" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void IsRefusedByName(string what, string id, string message)
    {
        using BootFixture boot = new();
        ElfBuilder elf = ElfBuilder.Kernel();
        ElfBuilder.Segment second = elf.Segments[1];
        switch (what)
        {
            case "32-bit": (elf.Class, elf.Machine) = (1, 3); break;
            case "arm64": elf.Machine = 183; break;
            case "x32": elf.Class = 1; break;
            case "big-endian": elf.Data = 2; break;
            case "module": elf.Type = 1; break;
            case "core": elf.Type = 4; break;
            case "header size": elf.HeaderSize = 32; break;
            case "no headers": elf.HeaderCount = 0; break;
            case "many headers": elf.HeaderCount = 0xFFFF; break;
            case "headers beyond the end": elf.HeaderOffset = 1_000_000; break;
            case "headers that wrap": elf.HeaderOffset = ulong.MaxValue - 7; break;
            case "nothing to load": elf.Segments.RemoveAll(segment => segment.Type == 1); elf.Segments.Add(new(2, 0, [])); break;
            case "file larger than memory": elf.Segments[1] = second with { MemorySize = 699 }; break;
            case "file without memory": elf.Segments[1] = second with { MemorySize = 0 }; break;
            case "low": elf.Segments[1] = second with { Address = 0xFF000 }; break;
            case "zero page": elf.Segments[1] = second with { Address = 0x7000 }; break;
            case "beyond RAM": elf.Segments[1] = second with { Address = 0xFFFFFFF }; break;
            case "above the hole": elf.Segments[1] = second with { Address = 1UL << 32 }; break;
            case "memory that wraps": elf.Segments[1] = second with { MemorySize = ulong.MaxValue }; break;
            case "address that wraps": elf.Segments[1] = second with { Address = ulong.MaxValue - 0xFF }; break;
            case "overlap": elf.Segments[1] = second with { Address = Base + 0x2FFF }; break;
            case "offset beyond the end": elf.Segments[1] = second with { Offset = 9_000_000 }; break;
            case "offset that wraps": elf.Segments[1] = second with { Offset = ulong.MaxValue - 100 }; break;
            case "notes beyond the end": elf.Segments.Add(new(4, 0, [], FileSize: 100)); break;
            case "entry outside": elf.Entry = Base + 0x3000; break;
            case "PVH entry outside": elf = ElfBuilder.Kernel(pvhEntry: 0x9000); break;
            case "PVH entry of 64 bits": elf = ElfBuilder.Kernel(pvhEntry: Base + (1UL << 32)); break;
            case "PVH note size": elf.Segments.Add(new(4, 0, ElfBuilder.Note("Xen\0", 18, [1, 2]))); break;
            default: throw new ArgumentOutOfRangeException(nameof(what), what, "no such case");
        }

        UserErrorException error = boot.KernelError(elf.Build());
        Assert.True(id == error.Id, error.Message);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CutAnywhereIsRefused()
    {
        byte[] image = ElfBuilder.Kernel(pvhEntry: Base).Build();
        List<int> cuts = [0, 1, 3, 4, 16, 63, 64, 100, 231, 232, 300, 5231, 5232, 5931, 5932, image.Length - 1];
        foreach (int cut in cuts)
        {
            using BootFixture boot = new();
            UserErrorException error = boot.KernelError(image[..cut]);
            string expected = cut switch
            {
                0 => "KernelEmpty",
                < 4 => "KernelFormat",
                _ => "KernelTruncated",
            };
            Assert.True(expected == error.Id, $"cut at {cut}: {error.Id}: {error.Message}");
        }
    }
}
