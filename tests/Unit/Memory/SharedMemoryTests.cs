using System;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Memory;

/// <summary>Guest memory that other processes can map: a file whose pages come and go with it.</summary>
public sealed unsafe class SharedMemoryTests
{
    private const ulong Low = 3UL << 20;
    private const ulong High = 5UL << 20;

    [Fact]
    public void AnotherMapSeesTheSameBytes()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, Low), (1UL << 32, High)], MemoryFile.Create(Low + High));
        MemoryRegion high = memory.Regions[1];
        Assert.Equal((Low, 0), (high.FileOffset, high.HostAddress & ((2 << 20) - 1)));
        Assert.True(memory.TryWrite((1UL << 32) + High - 1, (byte)7));
        byte* other = (byte*)Libc.mmap(null, (nuint)(Low + High), Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, high.File, 0);
        Assert.Equal(7, other[Low + High - 1]);
        other[0] = 8;
        Assert.True(memory.TryRead(0, out byte first));
        Assert.Equal(8, first);
        _ = Libc.munmap(other, (nuint)(Low + High));
    }

    [Fact]
    public void WhatIsGivenBackIsTheHosts()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, Low), (1UL << 32, High)], MemoryFile.Create(Low + High));
        Assert.True(memory.TryGetSpan(0, (int)Low, out Span<byte> low));
        Assert.True(memory.TryGetSpan(1UL << 32, (int)High, out Span<byte> high));
        low.Fill(1);
        high.Fill(1);
        ulong full = Held(memory);
        Assert.Equal(Low + High, full);
        Assert.True(memory.TryDiscard(0, 1 << 20));
        Assert.Equal(full - (1 << 20), Held(memory));
        Assert.True(memory.TryDiscardHost(memory.Regions[1].HostAddress + 4096, 4096));
        Assert.Equal(full - (1 << 20) - 4096, Held(memory));
        Assert.Equal(0, low[0]);
        Assert.Equal((1, 0, 1), (high[0], high[4096], high[8192]));
        memory.Discard();
        Assert.Equal(0UL, Held(memory));
        Assert.Equal(0, high[0]);
    }

    /// <summary>A page that is gone would end the engine by SIGBUS.</summary>
    [Fact]
    public void WhoeverMapsItCantMakeItSmaller()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, Low)], MemoryFile.Create(Low));
        Assert.Equal(-1, Libc.ftruncate(memory.Regions[0].File, 4096));
        Assert.Equal(Errno.EPERM, Marshal.GetLastSystemError());
    }

    [Fact]
    public void MemoryOfItsOwnHasNoFile()
    {
        using GuestMemory memory = GuestMemory.Allocate([(0, Low)]);
        Assert.Equal(-1, memory.Regions[0].File);
    }

    /// <summary>Bytes that the host holds for the file.</summary>
    private static ulong Held(GuestMemory memory)
    {
        Assert.Equal(0, Libc.Stat(memory.Regions[0].File, out Libc.statx_t status));
        return status.stx_blocks * 512;
    }
}
