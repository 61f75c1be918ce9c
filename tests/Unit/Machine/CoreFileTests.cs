using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO;
using System.Text;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>The head of a core file, as its readers see it.</summary>
public sealed class CoreFileTests
{
    private static readonly CpuRegisters First = new(
        0,
        new KvmRegs { Rax = 1, R15 = 15, Rip = 0xffff_ffff_8100_0000, Rsp = 0x7000, Rflags = 0x246 },
        new KvmSregs { Cr0 = 0x8005_0033, Cr3 = 0x1000, Cs = new KvmSegment { Selector = 0x10, Type = 11, S = 1, Present = 1, L = 1, G = 1, Limit = uint.MaxValue }, Gs = new KvmSegment { Base = 0x5000 } },
        0x7777);

    private static readonly CpuRegisters Second = new(1, default, default, 0);

    [Fact]
    public void HeadersAndNotesLieWhereElfSays()
    {
        byte[] head = CoreFile.MakeHead([(0, 0xa_0000), (0x10_0000, 0xff0_0000)], [First, Second], out ulong offset);
        Assert.Equal((ulong)head.Length, offset);
        Assert.Equal(0u, offset % 4096);
        Assert.Equal((4, 62, 3), (U16(head, 16), U16(head, 18), U16(head, 56)));

        // PT_NOTE, then a PT_LOAD a region, by physical addresses and without a gap.
        Assert.Equal((4u, 64 + (3 * 56UL)), (U32(head, 64), U64(head, 64 + 8)));
        Assert.Equal((1u, offset, 0UL, 0xa_0000UL), (U32(head, 120), U64(head, 128), U64(head, 144), U64(head, 152)));
        Assert.Equal((1u, offset + 0xa_0000, 0x10_0000UL, 0xff0_0000UL), (U32(head, 176), U64(head, 184), U64(head, 200), U64(head, 208)));

        // CORE of each CPU, then QEMU of each.
        int note = 232;
        foreach ((string owner, uint type, int length, uint number) in ((string, uint, int, uint)[])[("CORE", 1, 336, 1), ("CORE", 1, 336, 2), ("QEMU", 0, 440, 1), ("QEMU", 0, 440, 1)])
        {
            Assert.Equal((5u, (uint)length, type), (U32(head, note), U32(head, note + 4), U32(head, note + 8)));
            Assert.Equal(owner + "\0", Encoding.ASCII.GetString(head, note + 12, 5));

            // The thread's number, or the version of QEMU's state.
            Assert.Equal(number, U32(head, note + 20 + (type == 1 ? 32 : 0)));
            note += 20 + length;
        }

        Assert.Equal(U64(head, 64 + 32), (ulong)note - 232);
    }

    [Fact]
    public void RegistersStandInTheOrderOfUserRegsAndQemu()
    {
        byte[] head = CoreFile.MakeHead([(0, 4096)], [First], out _);
        int status = 64 + (2 * 56) + 20 + 112;
        Assert.Equal((15UL, 1UL), (U64(head, status), U64(head, status + (10 * 8))));
        Assert.Equal((0xffff_ffff_8100_0000, 0x10UL, 0x246UL, 0x7000UL), (U64(head, status + (16 * 8)), U64(head, status + (17 * 8)), U64(head, status + (18 * 8)), U64(head, status + (19 * 8))));
        Assert.Equal(0x5000UL, U64(head, status + (22 * 8)));

        int qemu = status + 224 + 20;
        Assert.Equal((1u, 440u, 1UL), (U32(head, qemu), U32(head, qemu + 4), U64(head, qemu + 8)));
        int cs = qemu + 8 + (18 * 8);

        // Long mode's code segment: 00af9b00 as the kernel writes it.
        Assert.Equal((0x10u, uint.MaxValue, 0xa0_9b00u), (U32(head, cs), U32(head, cs + 4), U32(head, cs + 8)));
        int control = cs + (10 * 24);
        Assert.Equal((0x8005_0033UL, 0x1000UL, 0x7777UL), (U64(head, control), U64(head, control + 24), U64(head, control + 40)));
    }

    [Fact]
    public void ReadelfUnderstandsIt()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/readelf"), "readelf isn't installed (Debian: binutils)");
        using TemporaryFile file = new(0);
        byte[] head = CoreFile.MakeHead([(0, 4096)], [First, Second], out ulong offset);
        Array.Resize(ref head, (int)offset + 4096);
        File.WriteAllBytes(file.Path, head);
        using Process readelf = Process.Start(new ProcessStartInfo("/usr/bin/readelf", ["-hln", file.Path]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        string text = readelf.StandardOutput.ReadToEnd();
        string warnings = readelf.StandardError.ReadToEnd();
        Assert.Equal("", warnings);
        Assert.Contains("CORE (Core file)", text, StringComparison.Ordinal);
        Assert.Equal(3, text.Split("NT_PRSTATUS").Length);
        Assert.Equal(3, text.Split("  QEMU ").Length);
    }

    private static int U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ulong U64(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
}
