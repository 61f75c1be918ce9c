using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Devices;
using Xunit;

namespace Strato.Tests.Unit.Devices;

/// <summary>What a guest's ACPI reads and writes of CPUs that come and go.</summary>
public sealed class CpuHotplugTests
{
    private readonly List<string> _told = [];
    private readonly CpuHotplug _port;
    private int _signals;

    public CpuHotplugTests() => _port = new CpuHotplug(2, 6, () => _signals++)
    {
        Ejected = cpu => _told.Add($"ejected {cpu}"),
        Answered = (cpu, what, status) => _told.Add($"answered {cpu} {what} {status}"),
    };

    [Fact]
    public void ACpuComesAndGoes()
    {
        Assert.Equal("110000", Seen());
        _port.Insert(3);
        Assert.Equal((1, "110100", 3u | (1 << 8), 0u), (_signals, Seen(), Read(0), Read(0)));
        Write(12, 3 | (1 << 8));
        _port.RequestRemoval(3);
        Assert.Equal((2, "110100", 3u | (3 << 8), 0u), (_signals, Seen(), Read(0), Read(0)));
        Write(8, 3);
        Assert.Equal("110000", Seen());
        Assert.Equal(["answered 3 1 0", "ejected 3"], _told);

        // What comes after it has gone answers nothing.
        Write(12, 3 | (3 << 8));
        Write(8, 3);
        Assert.Equal(2, _told.Count);
    }

    [Fact]
    public void ACpuThatTheGuestHasGivenUpIsNotAskedForAgain()
    {
        // The main loop hears of it later, and may be asked for the CPU before.
        _port.Insert(3);
        Write(8, 3);
        _port.RequestRemoval(3);
        Assert.Equal((1, "110000", 0u), (_signals, Seen(), Read(0)));
        Write(8, 3);
        Assert.Equal(["ejected 3"], _told);
    }

    [Fact]
    public void AGuestThatRefusesIsHeardOnce()
    {
        _port.Insert(4);
        _port.RequestRemoval(4);
        Write(12, 4 | (3 << 8) | (0x84 << 16)); // still at it
        Assert.Empty(_told);
        for (int i = 0; i < 100; i++)
        {
            Write(12, 4 | (3 << 8) | (0x82 << 16));
        }

        Assert.Equal(["answered 4 3 130"], _told);
        _port.RequestRemoval(4);
        Write(12, 4 | (3 << 8) | (1 << 16));
        Assert.Equal("answered 4 3 1", _told[^1]);
    }

    /// <summary>A guest that is asked for a CPU while it takes it answers both; asked again, it answers again.</summary>
    [Fact]
    public void WhatWasAskedIsAnsweredEachByItself()
    {
        _port.Insert(3);
        Assert.Equal(3u | (1 << 8), Read(0));
        _port.RequestRemoval(3);
        Assert.True(_port.IsAskedFor(3));
        Assert.Equal(3u | (3 << 8), Read(0));
        Write(12, 3 | (1 << 8));
        _port.RequestRemoval(3);
        Assert.Equal((3u | (3 << 8), 0u), (Read(0), Read(0)));
        Write(12, 3 | (3 << 8) | (1 << 16));
        Write(12, 3 | (3 << 8) | (1 << 16));
        Assert.Equal(["answered 3 1 0", "answered 3 3 1"], _told);
        Assert.False(_port.IsAskedFor(3));
    }

    /// <summary>Linux answers with a failure when its own scan has found the CPU; one that it hadn't looked at before did fail.</summary>
    [Fact]
    public void ACpuThatTheGuestFoundByItselfIsTaken()
    {
        _port.Insert(3);
        Assert.Equal("110100", Seen());
        _port.Insert(4);
        Assert.Equal((3u | (1 << 8), 4u | (1 << 8)), (Read(0), Read(0)));
        Assert.Equal("110110", Seen());
        Write(12, 3 | (1 << 8) | (1 << 16));
        Write(12, 4 | (1 << 8) | (1 << 16));
        Assert.Equal(["answered 3 1 0", "answered 4 1 1"], _told);

        // One that it found and could not take, it scans for once more.
        _port.Insert(5);
        Assert.Equal("110111", Seen());
        Assert.Equal(5u | (1 << 8), Read(0));
        Assert.Equal(("110111", "110111"), (Seen(), Seen()));
        Write(12, 5 | (1 << 8) | (1 << 16));
        Assert.Equal("answered 5 1 1", _told[^1]);

        // What it is asked later it may refuse, and a CPU that comes again is another.
        _port.RequestRemoval(3);
        Assert.Equal("110111", Seen());
        Write(12, 3 | (3 << 8) | (1 << 16));
        Write(8, 3);
        _port.Insert(3);
        Assert.Equal(3u | (1 << 8), Read(0));
        Write(12, 3 | (1 << 8) | (1 << 16));
        Assert.Equal(["answered 3 3 1", "ejected 3", "answered 3 1 1"], _told[3..]);
    }

    [Fact]
    public void CpusOfPowerOnStay()
    {
        Write(8, 0);
        Write(8, 1);
        Write(12, 0);
        Assert.Equal("110000", Seen());
        Assert.Empty(_told);
    }

    [Theory]
    [InlineData(6u)]
    [InlineData(255u)]
    [InlineData(256u + 5)]
    [InlineData(uint.MaxValue)]
    public void NumbersThatNoCpuHasDoNothing(uint number)
    {
        _port.Insert(4);
        Write(4, number);
        Assert.Equal(0u, Read(4));
        Write(8, number);
        Write(12, number);
        Assert.Equal("110010", Seen());
        Assert.Empty(_told);
    }

    [Fact]
    public void OtherWidthsAndPlacesDoNothing()
    {
        _port.Insert(4);
        for (ulong offset = 0; offset < CpuHotplug.Length; offset++)
        {
            foreach (int width in (int[])[1, 2, 4, 8])
            {
                if (width == 4 && offset % 4 == 0)
                {
                    continue;
                }

                byte[] data = new byte[width];
                data[0] = 4;
                _port.Write(offset, data);
                Array.Fill<byte>(data, 0xFF);
                _port.Read(offset, data);
                Assert.All(data, value => Assert.Equal(0, value));
            }
        }

        Assert.Empty(_told);
        Assert.Equal(4u | (1 << 8), Read(0));
    }

    [Fact]
    public void AResetDropsWhatWasAsked()
    {
        _port.Insert(3);
        _port.Insert(5);
        _port.RequestRemoval(5);
        _port.Reset();
        Assert.Equal((0u, "110101"), (Read(0), Seen()));
        Write(12, 5 | (3 << 8));
        Assert.Empty(_told);
    }

    [Fact]
    public void EventsCostNoMemory()
    {
        Allocation.AssertNone(() =>
        {
            _port.Insert(3);
            _ = Read(0);
            Write(4, 3);
            _ = Read(4);
        });
    }

    private string Seen()
    {
        string seen = "";
        for (uint cpu = 0; cpu < 6; cpu++)
        {
            Write(4, cpu);
            uint status = Read(4);
            Assert.True(status is 0 or 0xF);
            Assert.Equal(status != 0, _port.IsThere((int)cpu));
            seen += status == 0 ? '0' : '1';
        }

        return seen;
    }

    private uint Read(ulong offset)
    {
        Span<byte> data = stackalloc byte[4];
        _port.Read(offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private void Write(ulong offset, uint value)
    {
        Span<byte> data = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        _port.Write(offset, data);
    }
}
