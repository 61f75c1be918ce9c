using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class MpTableTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(254)]
    public void DescribesCpusAndInterrupts(int cpus)
    {
        using BootFixture boot = new();
        MpTable.Write(boot.Memory, new CpuTopology(1, cpus, 1), _ => true);
        byte[] pointer = boot.Read(0xF_0000, 16);
        Assert.Equal("_MP_"u8, pointer.AsSpan(0, 4));
        Assert.Equal(0, Sum(pointer));
        Assert.Equal((1, 4), (pointer[8], pointer[9]));

        ulong address = BinaryPrimitives.ReadUInt32LittleEndian(pointer.AsSpan(4));
        byte[] table = boot.Read(address, (int)boot.U32(address + 4) & 0xFFFF);
        Assert.Equal("PCMP"u8, table.AsSpan(0, 4));
        Assert.Equal(0, Sum(table));
        Assert.Equal(Layout.LocalApic, BinaryPrimitives.ReadUInt32LittleEndian(table.AsSpan(36)));

        int at = 44;
        int entries = 0;
        List<byte> ids = [];
        List<(int Pin, int Line, int Flags)> interrupts = [];
        List<string> local = [];
        for (; at < table.Length; entries++)
        {
            ReadOnlySpan<byte> entry = table.AsSpan(at);
            switch (entry[0])
            {
                case 0:
                    Assert.Equal(entry[1] == 0 ? 3 : 1, entry[3]);
                    ids.Add(entry[1]);
                    at += 20;
                    continue;
                case 1:
                    Assert.Equal("ISA   "u8, entry.Slice(2, 6));
                    break;
                case 2:
                    Assert.Equal(cpus, entry[1]); // an id that no CPU has
                    Assert.Equal((byte)1, entry[3]);
                    Assert.Equal(Layout.IoApic, BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]));
                    break;
                case 3:
                    Assert.Equal((0, 0, cpus), (entry[1], entry[4], entry[6]));
                    interrupts.Add((entry[7], entry[5], entry[2]));
                    break;
                case 4:
                    local.Add(Convert.ToHexString(entry[..8]));
                    break;
                default:
                    Assert.Fail($"entry of type {entry[0]} at {at}");
                    break;
            }

            at += 8;
        }

        Assert.Equal(table.Length, at);
        Assert.Equal(BinaryPrimitives.ReadUInt16LittleEndian(table.AsSpan(34)), entries);
        Assert.Equal(cpus, ids.Count);
        Assert.Equal(cpus - 1, ids[^1]);
        Assert.Equal(24, interrupts.Count);
        for (int line = 0; line < 24; line++)
        {
            Assert.Equal((line, line, line < 16 ? 0 : 5), interrupts[line]);
        }

        Assert.Equal(["040300000000FF00", "040100000000FF01"], local);
    }

    private static byte Sum(byte[] bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return sum;
    }
}
