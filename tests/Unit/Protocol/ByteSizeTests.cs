using System;
using FsCheck;
using FsCheck.Fluent;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

public class ByteSizeTests
{
    [Theory]
    [InlineData("256M", 256L << 20)]
    [InlineData("256m", 256L << 20)]
    [InlineData("262144K", 256L << 20)]
    [InlineData("1G", 1L << 30)]
    [InlineData("512G", 512L << 30)]
    [InlineData("256", 256L << 20)]
    [InlineData("1024", 1L << 30)]
    [InlineData("524288", 512L << 30)]
    [InlineData("268435456", 256L << 20)]
    [InlineData("536870912", 512L << 20)]
    [InlineData("549755813888", 512L << 30)]
    public void MemoryIsUnderstood(string text, long bytes) => Assert.Equal(bytes, ByteSize.ParseMemory(text, "-m"));

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1G")]
    [InlineData("+1G")]
    [InlineData(" 1G")]
    [InlineData("1.5G")]
    [InlineData("1GB")]
    [InlineData("0x100M")]
    [InlineData("9223372036854775808")]
    [InlineData("8388608T")]
    [InlineData("18446744073709551615M")]
    [InlineData("255M")]
    [InlineData("0")]
    [InlineData("1T")]
    [InlineData("524289")]
    [InlineData("268435455")]
    [InlineData("268435457")]
    public void WhatIsNotMemoryIsRefused(string text)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => ByteSize.ParseMemory(text, "-m"));
        Assert.Equal(("InvalidMemory", "-m"), (e.Id, e.Where));
        Assert.Contains(text, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EverySizeIsReadBackFromItsShortestForm()
    {
        Gen<long> sizes =
            from number in Gen.Choose(0, int.MaxValue)
            from shift in Gen.Choose(0, 32)
            select (long)number << shift;
        Prop.ForAll(
            sizes.ToArbitrary(),
            bytes =>
            {
                Assert.True(ByteSize.TryParse(ByteSize.Format(bytes), out long read, out bool _));
                Assert.Equal(bytes, read);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithQuietOnSuccess(true));
        Assert.Equal("1T", ByteSize.Format(1L << 40));
        Assert.Equal("1024T", ByteSize.Format(1L << 50));
        Assert.Equal("0", ByteSize.Format(0));
        Assert.Equal("100 bytes", ByteSize.Describe(100));
        Assert.Equal("3 GiB", ByteSize.Describe(3L << 30));
    }

    [Fact]
    public void AnyTextIsASizeOrNot()
    {
        Prop.ForAll(
            ArbMap.Default.ArbFor<string>(),
            text =>
            {
                if (text is not null && ByteSize.TryParse(text, out long bytes, out _))
                {
                    Assert.True(bytes >= 0);
                }
            }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true));
    }

    [Theory]
    [InlineData("kernal", "kernel")]
    [InlineData("krenel", "kernel")]
    [InlineData("KERNEL", "kernel")]
    [InlineData("initd", "initrd")]
    [InlineData("xyzzy", null)]
    [InlineData("", null)]
    [InlineData("in", null)]
    public void TheNearestNameIsFound(string given, string? expected) => Assert.Equal(expected, NearName.Find(given, ["kernel", "initrd"]));

    [Fact]
    public void AnErrorSurvivesTheReadinessPipe()
    {
        UserErrorException error = new("KernelNotFound", "The kernel '/a \"b\"\n' isn't there.", "-kernel");
        byte[] line = error.ToJsonLine();
        Assert.Equal(Array.IndexOf(line, (byte)'\n'), line.Length - 1);
        UserErrorException read = UserErrorException.FromJsonLine(line);
        Assert.Equal((error.Id, error.Message, error.Where), (read.Id, read.Message, read.Where));
        Assert.Equal("-kernel: The kernel '/a \"b\"\n' isn't there.", error.ToLine());

        UserErrorException advised = new("KvmEmulated", "KVM emulates.") { Advice = "-force tries all the same" };
        read = UserErrorException.FromJsonLine(advised.ToJsonLine());
        Assert.Equal((advised.Message, advised.Advice), (read.Message, read.Advice));
        Assert.Equal("KVM emulates. (-force tries all the same)", read.ToLine());

        UserErrorException other = UserErrorException.FromJsonLine("Segmentation fault\n"u8);
        Assert.Equal("EngineFailed", other.Id);
        Assert.Contains("'Segmentation fault'", other.Message, StringComparison.Ordinal);
        Assert.Equal("EngineFailed", UserErrorException.FromJsonLine("{\"id\":1}"u8).Id);
    }
}
