using System;
using System.IO;
using System.Text;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class KernelImageTests
{
    [Fact]
    public void AMissingFileIsNamed()
    {
        using BootFixture boot = new();
        string path = boot.PathOf("nowhere/vmlinuz");
        UserErrorException error = Assert.Throws<UserErrorException>(() => ImageFile.Open(path, ImageRole.Kernel, "-kernel"));
        Assert.Equal(("KernelNotFound", "-kernel"), (error.Id, error.Where));
        Assert.Equal($"kernel '{path}' can't be opened: No such file or directory", error.Message);

        error = Assert.Throws<UserErrorException>(() => ImageFile.Open("", ImageRole.Initrd, "/boot-source/initrd"));
        Assert.Equal(("InitrdNotFound", "/boot-source/initrd"), (error.Id, error.Where));
    }

    [Fact]
    public void WhatIsNoRegularFileIsNamed()
    {
        using BootFixture boot = new();
        string directory = Directory.CreateDirectory(boot.PathOf("d")).FullName;
        UserErrorException error = Assert.Throws<UserErrorException>(() => ImageFile.Open(directory, ImageRole.Kernel, "-kernel"));
        Assert.Equal("KernelNotReadable", error.Id);
        Assert.EndsWith("is a directory: a regular file is needed", error.Message, StringComparison.Ordinal);

        error = Assert.Throws<UserErrorException>(() => ImageFile.Open("/dev/null", ImageRole.Initrd, "-initrd"));
        Assert.Equal("InitrdNotReadable", error.Id);
        Assert.EndsWith("is a character device: a regular file is needed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmptyFileIsNamed()
    {
        using BootFixture boot = new();
        UserErrorException error = boot.KernelError([]);
        Assert.Equal("KernelEmpty", error.Id);
        Assert.Contains("is empty (0 bytes)", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Foreign => new()
    {
        { "1F8B0800000000000000", "is a gzip file" },
        { "FD377A585A0000000000", "is an xz file" },
        { "28B52FFD000000000000", "is a zstd file" },
        { "02214C18000000000000", "is an lz4 file" },
        { "425A6839314159265359", "is a bzip2 file" },
        { "27051956000000000000", "is a U-Boot image" },
        { "30373037303130303030", "is a cpio archive" },
        { "23212F62696E2F73680A", "is a script" },
        { "00112233445566778899", "it begins with 0011223344556677" },
        { "001122", "is only 3 bytes long" },
    };

    [Theory]
    [MemberData(nameof(Foreign))]
    public void AForeignFileIsNamed(string hex, string message)
    {
        using BootFixture boot = new();
        UserErrorException error = boot.KernelError(Convert.FromHexString(hex));
        Assert.Equal("KernelFormat", error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.EndsWith("a 64-bit x86 bzImage (boot protocol 2.12 or later) or ELF vmlinux is needed", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("MZ", "ARM\x64", "is an ARM64 kernel image")]
    [InlineData("\0\0", "ARM\x64", "is an ARM64 kernel image")]
    [InlineData("MZ", "RSC\x05", "is a RISC-V kernel image")]
    [InlineData("MZ", "\0\0\0\0", "is a PE file")]
    public void KernelsOfOtherMachinesAreNamed(string start, string magic, string message)
    {
        using BootFixture boot = new();
        byte[] image = new byte[1024];
        Encoding.Latin1.GetBytes(start).CopyTo(image.AsSpan());
        Encoding.Latin1.GetBytes(magic).CopyTo(image.AsSpan(0x38));
        UserErrorException error = boot.KernelError(image);
        Assert.Equal("KernelFormat", error.Id);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheOpenFileIsReadWhenItsPathIsReplaced()
    {
        using BootFixture boot = new();
        BzImageBuilder image = new();
        ImageFile file = boot.File(image.Build(), ImageRole.Kernel);
        string other = boot.PathOf("other");
        File.WriteAllText(other, "not a kernel");
        File.Move(other, boot.PathOf("kernel"), overwrite: true);
        Assert.Equal(0x100_0200UL, KernelImage.Load(boot.Memory, file).Entry);
    }
}
