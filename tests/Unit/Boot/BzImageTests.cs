using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class BzImageTests
{
    [Fact]
    public void IsLoadedToWhereItPrefersToBe()
    {
        using BootFixture boot = new();
        BzImageBuilder image = new();
        LoadedKernel kernel = boot.LoadKernel(image.Build());
        Assert.Equal("bzImage, protocol 2.15", kernel.Format);
        Assert.Equal(EntryKind.Linux64, kernel.Kind);
        Assert.Equal(0x100_0200UL, kernel.Entry);
        Assert.Equal([new AddressRange(0x100_0000, 0x40_0000)], kernel.Used);
        Assert.Equal(image.Code, boot.Read(0x100_0000, image.Code.Length));
        Assert.Equal(2047u, kernel.CommandLineMax);
        Assert.Equal(0x7FFF_FFFFUL, kernel.InitrdAddressMax);
        Assert.False(kernel.WantsDevicesOnCommandLine);
    }

    [Fact]
    public void ZeroSetupSectorsMeanFour()
    {
        using BootFixture boot = new();
        BzImageBuilder image = new() { SetupSects = 0 };
        boot.LoadKernel(image.Build());
        Assert.Equal(image.Code, boot.Read(0x100_0000, image.Code.Length));
    }

    [Fact]
    public void BytesAfterTheKernelAreNotLoaded()
    {
        using BootFixture boot = new();
        BzImageBuilder image = new() { Code = BzImageBuilder.Pattern(8192), SysSize = 4096 / 16 };
        boot.LoadKernel(image.Build());
        Assert.Equal(image.Code[..4096], boot.Read(0x100_0000, 4096));
        Assert.Equal(new byte[4096], boot.Read(0x100_1000, 4096));
    }

    [Fact]
    public void ARelocatableKernelGoesElsewhereWhenItMust()
    {
        using BootFixture boot = new();
        LoadedKernel kernel = boot.LoadKernel(new BzImageBuilder { PrefAddress = 0x4000_0000 }.Build());
        Assert.Equal(0x20_0200UL, kernel.Entry);
        kernel = boot.LoadKernel(new BzImageBuilder { PrefAddress = ulong.MaxValue - 0x1000, Alignment = 0x1000 }.Build());
        Assert.Equal(0x10_0200UL, kernel.Entry);
    }

    [Fact]
    public void RoomIsAtLeastTheImageItself()
    {
        using BootFixture boot = new();
        LoadedKernel kernel = boot.LoadKernel(new BzImageBuilder { InitSize = 16 }.Build());
        Assert.Equal([new AddressRange(0x100_0000, 8192)], kernel.Used);
    }

    [Theory]
    [InlineData(0u, 2047u)]
    [InlineData(255u, 255u)]
    [InlineData(4095u, 4095u)]
    [InlineData(uint.MaxValue, 65535u)]
    public void CommandLineIsAsLongAsTheHeaderSays(uint header, uint expected)
    {
        using BootFixture boot = new();
        Assert.Equal(expected, boot.LoadKernel(new BzImageBuilder { CmdlineSize = header }.Build()).CommandLineMax);
    }

    public static TheoryData<string, string, string> Refused => new()
    {
        { "version", "KernelFormat", "is a bzImage, protocol 2.11, too old: a 64-bit x86 bzImage (boot protocol 2.12 or later) or ELF vmlinux is needed" },
        { "32-bit", "KernelFormat", "is a 32-bit bzImage, protocol 2.15: a 64-bit x86 bzImage" },
        { "zImage", "KernelFormat", "is a zImage, made for low memory" },
        { "no code", "KernelFormat", "its header says that the kernel proper has 0 bytes" },
        { "code before entry", "KernelFormat", "its header says that the kernel proper has 512 bytes" },
        { "alignment", "KernelFormat", "its alignment is 0x300000, not a power of two" },
        { "alignment 0", "KernelFormat", "its alignment is 0x0, not a power of two" },
        { "too large", "KernelTooLarge", "needs 4294967295 bytes of RAM from 0x1000000 on; of the guest's 268435456 bytes, 0x100000 to 0x10000000 can hold it" },
        { "code too large", "KernelTooLarge", "needs 68719476720 bytes" },
        { "fixed and low", "KernelTooLarge", "needs 4194304 bytes of RAM from 0x7000 on" },
        { "fixed and wrapping", "KernelTooLarge", "needs 4194304 bytes of RAM from 0xfffffffffffff000 on" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void IsRefusedByName(string what, string id, string message)
    {
        using BootFixture boot = new();
        BzImageBuilder image = what switch
        {
            "version" => new() { Version = 0x20B },
            "32-bit" => new() { XLoadFlags = 0x7E },
            "zImage" => new() { LoadFlags = 0 },
            "no code" => new() { SysSize = 0 },
            "code before entry" => new() { SysSize = 32 },
            "alignment" => new() { PrefAddress = 0, Alignment = 0x30_0000 },
            "alignment 0" => new() { PrefAddress = 0, Alignment = 0 },
            "too large" => new() { InitSize = uint.MaxValue },
            "code too large" => new() { SysSize = uint.MaxValue },
            "fixed and low" => new() { Relocatable = 0, PrefAddress = 0x7000 },
            "fixed and wrapping" => new() { Relocatable = 0, PrefAddress = ulong.MaxValue - 0xFFF },
            _ => throw new ArgumentOutOfRangeException(nameof(what), what, "no such case"),
        };
        UserErrorException error = boot.KernelError(image.Build());
        Assert.Equal(id, error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(boot.PathOf("kernel"), error.Message, StringComparison.Ordinal);
        Assert.Equal("-kernel", error.Where);
    }

    [Fact]
    public void CutAnywhereIsRefused()
    {
        byte[] image = new BzImageBuilder().Build();
        List<int> cuts = [0, 1, 7, 8, 0x1F0, 0x1FF, 0x201, 0x205, 0x206, 0x236, 0x263, 0x264, 2559, 2560, 2561, 2560 + 512, image.Length - 1];
        foreach (int cut in cuts)
        {
            using BootFixture boot = new();
            UserErrorException error = boot.KernelError(image[..cut]);
            string expected = cut switch
            {
                0 => "KernelEmpty",
                < 0x206 => "KernelFormat", // not to be told from any other file that begins with MZ
                _ => "KernelTruncated",
            };
            Assert.True(expected == error.Id, $"cut at {cut}: {error.Id}: {error.Message}");
        }
    }

    [Fact]
    public void TheMessageOfACutImageGivesTheSizes()
    {
        using BootFixture boot = new();
        byte[] image = new BzImageBuilder().Build();
        Assert.Equal(
            $"kernel '{boot.PathOf("kernel")}' ends early: its header says {image.Length} bytes, {image.Length - 100} are there",
            boot.KernelError(image[..^100]).Message);
        Assert.Equal(
            $"kernel '{boot.PathOf("kernel")}' ends after 600 bytes, inside its setup header",
            boot.KernelError(image[..600]).Message);
    }
}
