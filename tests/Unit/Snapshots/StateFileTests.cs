using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

public sealed class StateFileTests
{
    private const int HeaderBytes = 44;
    private const int HeaderChecksumAt = 40;

    private static readonly Guid Id = new("01234567-89ab-cdef-0123-456789abcdef");

    private static readonly StateFile Sample = new(
        Id,
        [
            new SnapshotSection("board", 1, new byte[] { 1, 2, 3 }),
            new SnapshotSection("empty", 7, Array.Empty<byte>()),
            new SnapshotSection("Gerät ünder", 65535, Enumerable.Range(0, 300).Select(i => (byte)i).ToArray()),
        ]);

    [Fact]
    public void WhatIsWrittenIsRead() => Check.One(
        Config.QuickThrowOnFailure,
        Prop.ForAll(
            (from names in Gen.Choose(0, 1000).ListOf()
             from sections in Gen.CollectToList(
                 names.Distinct(),
                 number => from version in Gen.Choose(0, ushort.MaxValue)
                           from data in Gen.Choose(0, 255).ListOf()
                           select new SnapshotSection($"section {number} é", (ushort)version, data.Select(value => (byte)value).ToArray()))
             select sections).ToArbitrary(),
            sections =>
            {
                Guid id = Guid.NewGuid();
                StateFile read = StateFile.Parse(new StateFile(id, [.. sections]).ToBytes());
                Assert.Equal(id, read.Id);
                Assert.Equal(sections.Select(Describe), read.Sections.Select(Describe));
            }));

    [Fact]
    public void EachBitOfEachByteCounts()
    {
        byte[] bytes = Sample.ToBytes();
        for (int at = 0; at < bytes.Length; at++)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                byte[] damaged = [.. bytes];
                damaged[at] ^= (byte)(1 << bit);
                UserErrorException error = Assert.Throws<UserErrorException>(() => StateFile.Parse(damaged));
                Assert.Equal("SnapshotDamaged", error.Id);

                // It says where: in the header, in a section, or behind one.
                if (at >= HeaderBytes)
                {
                    Assert.Contains(Behind(at), error.Message, StringComparison.Ordinal);
                }
                else
                {
                    Assert.Matches("header|begin", error.Message);
                }
            }
        }
    }

    [Fact]
    public void EachLengthIsRefusedButItsOwn()
    {
        byte[] bytes = Sample.ToBytes();
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => StateFile.Parse(bytes.AsMemory(0, length))).Id);
        }

        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => StateFile.Parse((byte[])[.. bytes, 0])).Id);
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => StateFile.Parse((byte[])[.. bytes, .. bytes[HeaderBytes..]])).Id);
        _ = StateFile.Parse(bytes);
    }

    /// <summary>Where the length in the header was made to fit, the sections themselves tell.</summary>
    [Fact]
    public void AnEndWithinASectionIsNamed()
    {
        byte[] bytes = Sample.ToBytes();
        for (int length = HeaderBytes; length < bytes.Length; length++)
        {
            byte[] cut = bytes[..length];
            BinaryPrimitives.WriteInt64LittleEndian(cut.AsSpan(16), length);
            Seal(cut);
            UserErrorException error = Assert.Throws<UserErrorException>(() => StateFile.Parse(cut));
            Assert.Equal("SnapshotDamaged", error.Id);
            Assert.Matches("after the header|after section '(board|empty)'|has [012] sections, and 3 were saved", error.Message);
        }
    }

    [Fact]
    public void ASectionThatIsThereTwiceIsNamed()
    {
        SnapshotSection section = Sample.Sections[0];
        UserErrorException error = Assert.Throws<UserErrorException>(() => StateFile.Parse(new StateFile(Id, [section, Sample.Sections[1], section]).ToBytes()));
        Assert.Equal(("SnapshotDamaged", "The snapshot's state is damaged: it has two sections 'board'."), (error.Id, error.Message));
    }

    [Fact]
    public void ANameThatIsNoTextIsDamage()
    {
        byte[] bytes = new StateFile(Id, [new SnapshotSection("ab", 1, Array.Empty<byte>())]).ToBytes();
        bytes[HeaderBytes + 8] = 0xFF;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(HeaderBytes + 10), Checksum.Of(bytes.AsSpan(HeaderBytes, 10)));
        UserErrorException error = Assert.Throws<UserErrorException>(() => StateFile.Parse(bytes));
        Assert.Equal(("SnapshotDamaged", "The snapshot's state is damaged: the name of the section after the header is no text."), (error.Id, error.Message));
    }

    [Fact]
    public void SectionsWithoutNumberAreReadInTime()
    {
        List<SnapshotSection> many = [];
        for (int i = 0; i < 200_000; i++)
        {
            many.Add(new SnapshotSection($"{i:x}", 1, Array.Empty<byte>()));
        }

        Assert.Equal(many.Count, StateFile.Parse(new StateFile(Id, many).ToBytes()).Sections.Count);
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(uint.MaxValue)]
    public void AnotherFormatIsToldByItsNumber(uint version)
    {
        byte[] bytes = Sample.ToBytes();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), version);
        Seal(bytes);
        UserErrorException error = Assert.Throws<UserErrorException>(() => StateFile.Parse(bytes));
        Assert.Equal("SnapshotVersion", error.Id);
        Assert.Contains($"format {version};", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFormatThatNeverWasIsDamage()
    {
        byte[] bytes = Sample.ToBytes();
        bytes[8] = 0;
        Seal(bytes);
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => StateFile.Parse(bytes)).Id);
    }

    [Fact]
    public void AnIdIsReadOfWhateverVersion()
    {
        byte[] bytes = Sample.ToBytes();
        Assert.Equal(Id, StateFile.IdOf(bytes.AsSpan(0, StateFile.HeaderBytes)));
        Assert.Null(StateFile.IdOf(bytes.AsSpan(0, StateFile.HeaderBytes - 1)));
        bytes[8] = 9;
        Assert.Null(StateFile.IdOf(bytes));
        Seal(bytes);
        Assert.Equal(Id, StateFile.IdOf(bytes));
    }

    [Fact]
    public void ANewerSectionIsToldByItsNumber()
    {
        SnapshotSection section = new("device rootfs", 2, new byte[] { 1 });
        _ = section.Read(2);
        UserErrorException error = Assert.Throws<UserErrorException>(() => section.Read());
        Assert.Equal("SnapshotVersion", error.Id);
        Assert.Contains("'device rootfs' has version 2; this engine reads up to 1", error.Message, StringComparison.Ordinal);
        Assert.Equal("SnapshotVersion", Assert.Throws<UserErrorException>(() => (section with { Version = 0 }).Read(2)).Id);
    }

    [Fact]
    public void ASectionThatIsMissingIsNamed()
    {
        Assert.Null(Sample.Find("cpu 0"));
        UserErrorException error = Assert.Throws<UserErrorException>(() => Sample.Require("cpu 0"));
        Assert.Equal(("SnapshotDamaged", "The snapshot's state is damaged: it has no section 'cpu 0'."), (error.Id, error.Message));
    }

    /// <summary>The format as docs/snapshot-format.md tells it, byte by byte: who reads it elsewhere relies on that.</summary>
    [Fact]
    public void TheFormatIsAsItIsTold()
    {
        byte[] bytes = new StateFile(Id, [new SnapshotSection("ab", 3, new byte[] { 9 })]).ToBytes();
        Assert.Equal("STRATOVM"u8.ToArray(), bytes[..8]);
        Assert.Equal([1, 0, 0, 0, 1, 0, 0, 0], bytes[8..16]);
        Assert.Equal(bytes.Length, BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16)));
        Assert.Equal(Id.ToByteArray(), bytes[24..40]);
        Assert.Equal([1, 0, 0, 0, 3, 0, 2, 0, (byte)'a', (byte)'b', 9], bytes[44..55]);
        Assert.Equal(Checksum.Of(bytes.AsSpan(44, 11)), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(55)));
        Assert.Equal(59, bytes.Length);
    }

    /// <summary>RFC 3720, appendix B.4.</summary>
    [Fact]
    public void TheChecksumIsCrc32C()
    {
        Assert.Equal(0x8A9136AAu, Checksum.Of(new byte[32]));
        Assert.Equal(0x62A8AB43u, Checksum.Of(Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, Checksum.Of(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray()));
        Assert.Equal(0xE3069283u, Checksum.Of("123456789"u8));
        foreach (int length in (int[])[0, 1, 7, 8, 9, 4096, 4099])
        {
            Assert.Equal(Checksum.Of(new byte[length]), Checksum.OfZeros(length));
        }
    }

    [Fact]
    public void ValuesAreReadAsTheyWereWritten()
    {
        StateWriter writer = new();
        writer.Bool(true);
        writer.Bool(false);
        writer.U8(200);
        writer.U16(0xABCD);
        writer.U32(0xDEADBEEF);
        writer.U64(ulong.MaxValue - 1);
        writer.Bytes([1, 2, 3]);
        writer.Text("größer");
        writer.Struct(new Point(1, -2));
        writer.Structs<Point>([new(3, 4), new(5, 6)]);
        StateReader reader = writer.ToSection("all").Read();
        Assert.True(reader.Bool());
        Assert.False(reader.Bool());
        Assert.Equal((200, 0xABCD, 0xDEADBEEF, ulong.MaxValue - 1), (reader.U8(), reader.U16(), reader.U32(), reader.U64()));
        Assert.Equal([1, 2, 3], reader.Bytes().ToArray());
        Assert.Equal("größer", reader.Text());
        Assert.Equal(new Point(1, -2), reader.Struct<Point>());
        Assert.Equal([new Point(3, 4), new Point(5, 6)], reader.Structs<Point>());
        reader.End();
    }

    [Fact]
    public void ValuesThatCantBeAreRefused()
    {
        Refused([2], reader => reader.Bool(), "2 stands where 0 or 1 is expected");
        Refused([1, 0, 0], reader => reader.U32(), "it ends after 3 bytes");
        Refused([5, 0, 0, 0], reader => reader.Count(4), "5 stands where at most 4 is expected");
        Refused([255, 255, 255, 255, 1], reader => _ = reader.Bytes(), "4294967295 stands");
        Refused([255, 255, 255, 127, 1], reader => _ = reader.Bytes(), "it ends after 5 bytes");
        Refused([2, 0, 0, 0, 1, 1], reader => _ = reader.Struct<Point>(), "2 bytes stand where 8 are expected");
        Refused([2, 0, 0, 0, 1, 1], reader => _ = reader.Structs<Point>(), "2 bytes are no multiple of 8");
        Refused([1], reader => reader.End(), "1 bytes are left");
        Refused([1, 0, 0, 0, 0xFF], reader => reader.Text(), "a text isn't UTF-8");
    }

    private static void Refused(byte[] data, Action<StateReader> read, string message)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => read(new SnapshotSection("s", 1, data).Read()));
        Assert.Equal("SnapshotDamaged", error.Id);
        Assert.StartsWith($"The snapshot's section 's' is damaged: {message}", error.Message, StringComparison.Ordinal);
    }

    private static string Describe(SnapshotSection section) => $"{section.Name} {section.Version} {Convert.ToHexString(section.Data.Span)}";

    private static void Seal(byte[] bytes) =>
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(HeaderChecksumAt), Checksum.Of(bytes.AsSpan(0, HeaderChecksumAt)));

    /// <summary>What stands before the section that a byte of the sample is in.</summary>
    private static string Behind(int at)
    {
        string before = "the header";
        int start = HeaderBytes;
        foreach (SnapshotSection section in Sample.Sections)
        {
            start += 12 + Encoding.UTF8.GetByteCount(section.Name) + section.Data.Length;
            if (at < start)
            {
                break;
            }

            before = $"section '{section.Name}'";
        }

        return $"after {before}";
    }

    private readonly record struct Point(int X, int Y);
}
