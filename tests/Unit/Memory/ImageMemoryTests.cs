using System;
using System.IO;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Memory;

/// <summary>Guest memory that begins as a snapshot's.</summary>
public sealed class ImageMemoryTests : IDisposable
{
    private const ulong Mebibyte = 1 << 20;
    private const ulong High = 16 << 20;
    private const int Length = 5 << 20;

    private static readonly (ulong, ulong)[] Ranges = [(0, 2 * Mebibyte), (High, 3 * Mebibyte)];

    private readonly TemporaryFile _file = new();
    private readonly byte[] _contents = new byte[Length];

    public ImageMemoryTests()
    {
        new Random(1).NextBytes(_contents);
        _contents.AsSpan((int)Mebibyte, (int)Mebibyte / 2).Clear();
        File.WriteAllBytes(_file.Path, [.. _contents, .. new byte[4096]]);
    }

    public void Dispose() => _file.Dispose();

    [Fact]
    public void ItHoldsWhatTheFileDoesWhichStaysAsItIs()
    {
        using GuestMemory memory = Map();
        Assert.Equal((ulong)Length, memory.Size);
        Assert.True(Read(memory).AsSpan().SequenceEqual(_contents));
        Assert.True(memory.TryWrite(5, (byte)1));
        Assert.True(memory.TryGetSpan(High, (int)(3 * Mebibyte), out Span<byte> high));
        high.Fill(9);
        Assert.True(File.ReadAllBytes(_file.Path).AsSpan(0, Length).SequenceEqual(_contents));

        // Nor does another that is mapped from it see what this one's guest wrote.
        using GuestMemory other = Map();
        Assert.True(Read(other).AsSpan().SequenceEqual(_contents));
        Assert.True(high.IndexOfAnyExcept((byte)9) < 0);
    }

    [Fact]
    public void ANameLessIsEnough()
    {
        GuestMemory memory = Map();
        File.Delete(_file.Path);
        Assert.True(Read(memory).AsSpan().SequenceEqual(_contents));
        memory.Dispose();
    }

    [Fact]
    public void AResetFindsZeros()
    {
        using GuestMemory memory = Map();
        memory.TryWrite(High, (byte)1);
        memory.Discard();
        Assert.True(Read(memory).AsSpan().IndexOfAnyExcept((byte)0) < 0);
        memory.TryWrite(High, (byte)1);
        memory.Discard();
        Assert.True(Read(memory).AsSpan().IndexOfAnyExcept((byte)0) < 0);
    }

    /// <summary>A large piece becomes zeros; of a small one the guest finds what the file holds, and the copy goes back to the host.</summary>
    [Theory]
    [InlineData(4096, false)]
    [InlineData(60 << 10, false)]
    [InlineData(64 << 10, true)]
    [InlineData(1 << 20, true)]
    public void WhatTheGuestGivesAwayGoes(int length, bool becomesZeros)
    {
        const int at = 8192;
        using GuestMemory memory = Map();
        Assert.True(memory.TryGetSpan(at, length, out Span<byte> span));
        span.Fill(9);
        Assert.True(memory.TryDiscard(at, (ulong)length));
        Assert.True(span.SequenceEqual(becomesZeros ? new byte[length] : _contents.AsSpan(at, length)));
        byte[] all = Read(memory);
        Assert.True(all.AsSpan(0, at).SequenceEqual(_contents.AsSpan(0, at)));
        Assert.True(all.AsSpan(at + length).SequenceEqual(_contents.AsSpan(at + length)));

        // And it is memory still.
        span.Fill(3);
        Assert.True(memory.TryDiscardHost(memory.Regions[0].HostAddress + at, (ulong)length));
        Assert.Equal(becomesZeros ? 0 : _contents[at], span[0]);
    }

    [Fact]
    public void WhatIsNoWholePagesOfItStays()
    {
        using GuestMemory memory = Map();
        Assert.False(memory.TryDiscard(1, 4096));
        Assert.False(memory.TryDiscard(0, 100));
        Assert.False(memory.TryDiscard(0, 0));
        Assert.False(memory.TryDiscard(0, 4 * Mebibyte));
        Assert.False(memory.TryDiscard(High - 4096, 8192));
        Assert.False(memory.TryDiscard(ulong.MaxValue - 4095, 4096));
        Assert.True(Read(memory).AsSpan().SequenceEqual(_contents));
    }

    /// <summary>A process can't have maps without number: pieces that are given away in turn don't end it.</summary>
    [Fact]
    public void PiecesWithoutNumberCanBeGivenAway()
    {
        const ulong piece = 64 << 10;
        using TemporaryFile large = new(8L << 30);
        using FileDescriptor image = new(Libc.Open(large.Path, Libc.O_RDONLY));
        using GuestMemory memory = GuestMemory.MapImage([(0, 8UL << 30)], image);
        for (ulong at = 0; at < 8UL << 30; at += 2 * piece)
        {
            Assert.True(memory.TryDiscard(at, piece));
        }
    }

    /// <summary>What a piece is mapped anew as keeps what was said of all: out of core dumps.</summary>
    [Fact]
    public void WhatIsGivenAwayStaysOutOfCoreDumps()
    {
        using GuestMemory memory = Map();
        memory.ExcludeFromCoreDump();
        Assert.True(memory.TryDiscard(0, Mebibyte));
        memory.TryWrite(0, (byte)1);
        Assert.Contains("dd", Smaps.Flags(memory.Regions[0].HostAddress));
        memory.Discard();
        memory.TryWrite(0, (byte)1);
        Assert.Contains("dd", Smaps.Flags(memory.Regions[0].HostAddress));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void MemoryOfItsOwnIsFilled(bool shared)
    {
        MemoryFile? file = shared ? MemoryFile.Create(Length) : null;
        using GuestMemory memory = GuestMemory.Allocate(Ranges, file);
        using FileDescriptor image = new(Libc.Open(_file.Path, Libc.O_RDONLY));
        memory.Fill(image);
        if (file is not null)
        {
            // What is zeros there takes no room here, until it is touched.
            Assert.Equal(0, Libc.Stat(file.Descriptor, out Libc.statx_t status));
            Assert.InRange((long)status.stx_blocks * 512, Length - (long)Mebibyte, Length - ((long)Mebibyte / 2));
        }

        Assert.True(Read(memory).AsSpan().SequenceEqual(_contents));
        memory.Discard();
        Assert.True(Read(memory).AsSpan().IndexOfAnyExcept((byte)0) < 0);
    }

    [Fact]
    public void AFileThatIsTooShortIsToldWhereItIsCopied()
    {
        using FileDescriptor image = new(Libc.Open(_file.Path, Libc.O_RDWR));
        Assert.Equal(0, Libc.ftruncate(image.Value, Length - 4096));
        using GuestMemory memory = GuestMemory.Allocate(Ranges, MemoryFile.Create(Length));
        Assert.Equal(Errno.EIO, Assert.Throws<LinuxException>(() => memory.Fill(image)).Errno);
    }

    private GuestMemory Map()
    {
        using FileDescriptor image = new(Libc.Open(_file.Path, Libc.O_RDONLY));
        return GuestMemory.MapImage(Ranges, image);
    }

    private static byte[] Read(GuestMemory memory)
    {
        byte[] low = new byte[2 * Mebibyte];
        byte[] high = new byte[3 * Mebibyte];
        Assert.True(memory.TryRead(0, low) && memory.TryRead(High, high));
        return [.. low, .. high];
    }
}
