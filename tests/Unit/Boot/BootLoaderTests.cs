using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class BootLoaderTests
{
    private const ulong MiB = BootFixture.MiB;
    private const ulong Zero = Layout.ZeroPage;

    [Fact]
    public void TheZeroPageIsSeededFromTheImage()
    {
        using BootFixture boot = new();
        boot.Memory.TryWrite(Zero, BzImageBuilder.Pattern(4096)); // of the boot before
        byte[] image = new BzImageBuilder { Version = 0x20D }.Build();
        BootResult result = boot.Load(image, new byte[5000], "console=ttyS0 root=/dev/vda");
        Assert.Equal(0x20Du, boot.U32(Zero + 0x206) & 0xFFFF);
        Assert.Equal(0x5372_6448u, boot.U32(Zero + 0x202));
        Assert.Equal(0xFFFFu, boot.U32(Zero + 0x1FA) & 0xFFFF); // vid_mode, as in the image
        Assert.Equal(0x40_0000u, boot.U32(Zero + 0x260)); // init_size
        Assert.Equal([0xFF, 0x01], boot.Read(Zero + 0x210, 2)); // type_of_loader, loadflags
        Assert.Equal(0x100_0000u, boot.U32(Zero + 0x214)); // code32_start
        Assert.Equal((uint)Layout.CommandLine, boot.U32(Zero + 0x228));
        Assert.Equal("console=ttyS0 root=/dev/vda", boot.Text(Layout.CommandLine));
        Assert.Equal(((uint)result.Initrd!.Value.Start, 5000u), (boot.U32(Zero + 0x218), boot.U32(Zero + 0x21C)));
        Assert.Equal(Layout.AcpiTables, boot.U64(Zero + 0x70));
        Assert.Equal(0, boot.Read(Zero + 0x1EF, 1)[0]); // the sentinel isn't part of the header

        // All else is zero: ext_ fields, screen, EFI, what lies behind the header and the map.
        Assert.Equal(new byte[12], boot.Read(Zero + 0xC0, 12));
        Assert.Equal(new byte[0x70], boot.Read(Zero, 0x70));
        Assert.Equal(new byte[0x1E8 - 0x78], boot.Read(Zero + 0x78, 0x1E8 - 0x78));
        Assert.Equal(new byte[0x2D0 - 0x26C], boot.Read(Zero + 0x26C, 0x2D0 - 0x26C));
        Assert.Equal(new byte[0x1000 - 0x2D0 - 60], boot.Read(Zero + 0x2D0 + 60, 0x1000 - 0x2D0 - 60));
        Assert.Equal(new EntryState(EntryKind.Linux64, 0x100_0200), result.Entry);
        Assert.Equal(Announcement.Acpi, result.AnnouncedBy);
    }

    [Fact]
    public void WhereABiosIsEnteredCodeResetsTheMachine()
    {
        using BootFixture boot = new();
        boot.Load(new BzImageBuilder().Build());
        Assert.Equal([0xB0, 0xFE, 0xE6, 0x64, 0xF4, 0xEB, 0xFD], boot.Read(0xF_FFF0, 7));
    }

    [Fact]
    public void WithoutInitrdItsFieldsAreZero()
    {
        using BootFixture boot = new();
        Assert.Null(boot.Load(new BzImageBuilder().Build()).Initrd);
        Assert.Equal(0UL, boot.U64(Zero + 0x218));
    }

    [Fact]
    public void AnElfKernelGetsAHeaderOfItsTime()
    {
        using BootFixture boot = new();
        BootResult result = boot.Load(ElfBuilder.Kernel().Build(), commandLine: "quiet");
        Assert.Equal("HdrS"u8, boot.Read(Zero + 0x202, 4));
        Assert.Equal(0xAA55u, boot.U32(Zero + 0x1FE) & 0xFFFF);
        Assert.Equal(0x20Fu, boot.U32(Zero + 0x206) & 0xFFFF);
        Assert.Equal([0xFF, 0x01], boot.Read(Zero + 0x210, 2));
        Assert.Equal(2047u, boot.U32(Zero + 0x238));
        Assert.Equal(new EntryState(EntryKind.Linux64, ElfBuilder.Base), result.Entry);
    }

    public static TheoryData<ulong, ulong[]> Sizes => new()
    {
        { 256 * MiB, [0, 0x9FC00, 1, 0x9FC00, 0x60400, 2, MiB, 255 * MiB, 1] },
        { 3072 * MiB, [0, 0x9FC00, 1, 0x9FC00, 0x60400, 2, MiB, 3071 * MiB, 1] },
        { 3073 * MiB, [0, 0x9FC00, 1, 0x9FC00, 0x60400, 2, MiB, 3071 * MiB, 1, 4096 * MiB, MiB, 1] },
        { 6144 * MiB, [0, 0x9FC00, 1, 0x9FC00, 0x60400, 2, MiB, 3071 * MiB, 1, 4096 * MiB, 3072 * MiB, 1] },
        { 512 * 1024 * MiB, [0, 0x9FC00, 1, 0x9FC00, 0x60400, 2, MiB, 3071 * MiB, 1, 4096 * MiB, ((512 * 1024) - 3072) * MiB, 1] },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void TheMemoryMapIsInTheZeroPage(ulong ram, ulong[] expected)
    {
        using BootFixture boot = new(ram);
        boot.Load(new BzImageBuilder().Build());
        List<ulong> map = [];
        for (int i = 0; i < boot.Read(Zero + 0x1E8, 1)[0]; i++)
        {
            ulong entry = Zero + 0x2D0 + (20 * (ulong)i);
            map.AddRange([boot.U64(entry), boot.U64(entry + 8), boot.U32(entry + 16)]);
        }

        Assert.Equal(expected, map);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void TheMemoryMapIsInThePvhStartInfo(ulong ram, ulong[] expected)
    {
        using BootFixture boot = new(ram);
        BootResult result = boot.Load(ElfBuilder.Kernel(pvhEntry: ElfBuilder.Base).Build(), new byte[5000], "quiet");
        Assert.Equal(new EntryState(EntryKind.Pvh, ElfBuilder.Base), result.Entry);
        ulong info = Layout.PvhStartInfo;
        Assert.Equal((0x336E_C578u, 1u, 0u, 1u), (boot.U32(info), boot.U32(info + 4), boot.U32(info + 8), boot.U32(info + 12)));
        ulong module = boot.U64(info + 16);
        Assert.Equal((result.Initrd!.Value.Start, 5000UL, 0UL, 0UL), (boot.U64(module), boot.U64(module + 8), boot.U64(module + 16), boot.U64(module + 24)));
        Assert.Equal("quiet", boot.Text(boot.U64(info + 24)));
        Assert.Equal(Layout.AcpiTables, boot.U64(info + 32));
        List<ulong> map = [];
        for (uint i = 0; i < boot.U32(info + 48); i++)
        {
            ulong entry = boot.U64(info + 40) + (24 * i);
            map.AddRange([boot.U64(entry), boot.U64(entry + 8), boot.U32(entry + 16)]);
            Assert.Equal(0u, boot.U32(entry + 20));
        }

        Assert.Equal(expected, map);
        Assert.Equal(new byte[16], boot.Read(Zero, 16)); // one way to be told, not two
    }

    [Fact]
    public void PvhWithoutInitrdHasNoModules()
    {
        using BootFixture boot = new();
        boot.Load(ElfBuilder.Kernel(pvhEntry: ElfBuilder.Base).Build());
        Assert.Equal(0u, boot.U32(Layout.PvhStartInfo + 12));
        Assert.Equal(0UL, boot.U64(Layout.PvhStartInfo + 16));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("acpi=off", false)]
    [InlineData("quiet acpi=off root=/dev/vda", false)]
    [InlineData("acpi=offline xacpi=off \"acpi=off x\"", true)]
    [InlineData("quiet -- acpi=off", true)]
    public void DevicesAreAnnouncedOnce(string commandLine, bool byAcpi)
    {
        using BootFixture boot = new();
        BootResult result = boot.Load(new BzImageBuilder().Build(), commandLine: commandLine, slots: [0, 1]);
        Assert.Equal(byAcpi ? Announcement.Acpi : Announcement.CommandLine, result.AnnouncedBy);
        Assert.Equal(byAcpi ? "RSD PTR "u8 : new byte[8], boot.Read(Layout.AcpiTables, 8));
        Assert.Equal(byAcpi ? new byte[4] : "_MP_"u8, boot.Read(Layout.MpTable, 4));
        Assert.Equal(byAcpi ? Layout.AcpiTables : 0, boot.U64(Zero + 0x70));
        Assert.Equal(byAcpi ? commandLine : commandLine + " virtio_mmio.device=512@0xf0100000:5 virtio_mmio.device=512@0xf0100200:6", result.CommandLine);
        Assert.Equal(result.CommandLine, boot.Text(Layout.CommandLine));
    }

    [Fact]
    public void AKernelWithoutAcpiIsToldByTheCommandLine()
    {
        using BootFixture boot = new();
        BootResult result = boot.Load(ElfBuilder.Kernel(text: "virtio_mmio.device").Build(), slots: [4]);
        Assert.Equal(Announcement.CommandLine, result.AnnouncedBy);
        Assert.Equal("virtio_mmio.device=512@0xf0100800:9", result.CommandLine);
    }

    [Fact]
    public void TheCommandLineMayBeAsLongAsTheKernelTakes()
    {
        using BootFixture boot = new();
        string words = new string('x', 2045) + "ä"; // 2047 bytes
        Assert.Equal(words, boot.Load(new BzImageBuilder().Build(), commandLine: words).CommandLine);
        Assert.Equal(words, boot.Text(Layout.CommandLine));
        UserErrorException error = Assert.Throws<UserErrorException>(() => boot.Load(new BzImageBuilder().Build(), commandLine: words + "y"));
        Assert.Equal(("CommandLineTooLong", "-append"), (error.Id, error.Where));
        Assert.Equal("the kernel command line has 2048 bytes; this kernel takes 2047", error.Message);
        error = Assert.Throws<UserErrorException>(
            () => boot.Load(new BzImageBuilder { CmdlineSize = 40 }.Build(), commandLine: "acpi=off", slots: [0]));
        Assert.Equal("the kernel command line has 44 bytes (36 of them to announce its devices); this kernel takes 40", error.Message);
    }

    [Fact]
    public void ANullInTheCommandLineIsRefused()
    {
        using BootFixture boot = new();
        UserErrorException error = Assert.Throws<UserErrorException>(() => boot.Load(new BzImageBuilder().Build(), commandLine: "a\0b"));
        Assert.Equal("CommandLineFormat", error.Id);
        Assert.Contains("a null character at position 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEntryOfLinuxHasAnIdentityMapOf4GiB()
    {
        using BootFixture boot = new();
        boot.Load(new BzImageBuilder().Build());
        foreach (ulong address in (ulong[])[0, 0x7000, 0x20_0000, 0x100_0200, 0xBFFF_FFFF, 0xC000_0000, 0xFFFF_FFFF])
        {
            Assert.Equal(address, Walk(address));
        }

        Assert.Null(Walk(0x1_0000_0000));

        // GDT: null, null, 64-bit code, data.
        Assert.Equal([0, 0, 0x00AF_9B00_0000_FFFF, 0x00CF_9300_0000_FFFF], Words(Layout.Gdt, 4));

        ulong? Walk(ulong address)
        {
            ulong table = Layout.Pml4;
            for (int shift = 39; ; shift -= 9)
            {
                ulong entry = boot.U64(table + (8 * ((address >> shift) & 0x1FF)));
                if ((entry & 3) != 3)
                {
                    return null;
                }

                table = entry & ~0xFFFUL;
                if ((entry & 0x80) != 0)
                {
                    return table | (address & ((1UL << shift) - 1));
                }
            }
        }

        ulong[] Words(ulong at, int count)
        {
            ulong[] words = new ulong[count];
            for (int i = 0; i < count; i++)
            {
                words[i] = BinaryPrimitives.ReadUInt64LittleEndian(boot.Read(at + (8 * (ulong)i), 8));
            }

            return words;
        }
    }

    [Fact]
    public void AResetLoadsTheSameAgain()
    {
        using BootFixture boot = new();
        using ImageFile kernel = Open(new BzImageBuilder().Build(), "k", ImageRole.Kernel);
        using ImageFile initrd = Open(new byte[9000], "i", ImageRole.Initrd);
        BootRequest request = new()
        {
            Kernel = kernel,
            Initrd = initrd,
            CommandLine = "acpi=off",
            Topology = new CpuTopology(1, 4, 1),
            VirtioSlots = [0],
        };
        Assert.Equal(BootLoader.Load(boot.Memory, request), BootLoader.Load(boot.Memory, request));

        ImageFile Open(byte[] content, string name, ImageRole role)
        {
            System.IO.File.WriteAllBytes(boot.PathOf(name), content);
            return ImageFile.Open(boot.PathOf(name), role, "");
        }
    }

    [Fact]
    public void NothingIsWrittenWhereNothingBelongs()
    {
        using BootFixture boot = new();
        boot.Load(new BzImageBuilder().Build(), new byte[4096], "quiet", new CpuTopology(1, 254, 1));
        (ulong Start, ulong End)[] empty =
        [
            (0, Layout.Gdt), (Layout.Idt, Layout.ZeroPage), (0x8000, Layout.Pml4), (0xF000, Layout.CommandLine),
            (0x3_0000, Layout.AcpiTables), (Layout.MpTable, Layout.ResetVector), (Layout.HighMemoryStart, 0x100_0000),
        ];
        foreach ((ulong start, ulong end) in empty)
        {
            Assert.True(boot.Read(start, (int)(end - start)).AsSpan().IndexOfAnyExcept((byte)0) < 0, $"0x{start:x}");
        }
    }
}
