using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Chardev;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

public class ConsoleRingTests
{
    [Fact]
    public void CapacityMustBeAPowerOfTwo() => Assert.Throws<ArgumentOutOfRangeException>(() => new ConsoleRing(1000));

    [Fact]
    public void AReaderSeesEveryByteAtItsOffsetOrHearsThatItIsLost() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => Run(new Random(seed))).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(300));

    [Fact]
    public void AWriteLargerThanTheRingLeavesItsLastBytes()
    {
        ConsoleRing ring = new(16);
        ring.Write([.. Enumerable.Range(0, 100).Select(i => (byte)i)]);
        Assert.Equal((84, 100), (ring.Start, ring.End));
        long position = 0;
        byte[] buffer = new byte[100];
        Assert.Equal(16, ring.Peek(ref position, buffer, out long lost));
        Assert.Equal((84, 84), (position, lost));
        Assert.Equal(Enumerable.Range(84, 16).Select(i => (byte)i).ToArray(), buffer[..16]);
    }

    [Fact]
    public void PeekingTwiceGivesTheSame()
    {
        ConsoleRing ring = new(16);
        ring.Write("abc"u8);
        long position = 1;
        byte[] buffer = new byte[1];
        Assert.Equal(1, ring.Peek(ref position, buffer, out _));
        Assert.Equal(1, ring.Peek(ref position, buffer, out _));
        Assert.Equal((1, (byte)'b'), (position, buffer[0]));
    }

    [Fact]
    public void ReadersThatRaceTheWriterNeverSeeAWrongByte()
    {
        // Each byte tells its offset; a small ring makes the writer overtake its readers all the time.
        const int Total = 8 * 1024 * 1024;
        ConsoleRing ring = new(1024);
        List<string> faults = [];
        long seen = 0;
        long lostInAll = 0;
        Thread[] readers = [.. Enumerable.Range(0, 3).Select(number => new Thread(() => Follow(100 + (number * 400))))];
        foreach (Thread reader in readers)
        {
            reader.Start();
        }

        byte[] chunk = new byte[700];
        Random random = new(3);
        for (int at = 0; at < Total;)
        {
            int count = Math.Min(random.Next(1, chunk.Length), Total - at);
            for (int i = 0; i < count; i++)
            {
                chunk[i] = ByteAt(at + i);
            }

            ring.Write(chunk.AsSpan(0, count));
            at += count;
        }

        foreach (Thread reader in readers)
        {
            reader.Join();
        }

        Assert.Empty(faults);
        Assert.Equal(3L * Total, seen + lostInAll);
        Assert.True(seen > 0);

        void Follow(int size)
        {
            byte[] buffer = new byte[size];
            long position = 0;
            long mine = 0;
            long lostHere = 0;
            while (position < Total)
            {
                int count = ring.Peek(ref position, buffer, out long lost);
                lostHere += lost;
                for (int i = 0; i < count; i++)
                {
                    if (buffer[i] != ByteAt(position + i))
                    {
                        lock (faults)
                        {
                            faults.Add($"offset {position + i} of a read of {count} at {position}");
                        }

                        return;
                    }
                }

                position += count;
                mine += count;
            }

            Interlocked.Add(ref seen, mine);
            Interlocked.Add(ref lostInAll, lostHere);
        }

        static byte ByteAt(long offset) => (byte)((offset * 167) ^ (offset >> 8) ^ (offset >> 16));
    }

    private static bool Run(Random random)
    {
        int capacity = 1 << random.Next(0, 7);
        ConsoleRing ring = new(capacity);
        List<byte> all = [];
        long position = 0;
        byte[] buffer = new byte[100];
        for (int step = 0; step < 200; step++)
        {
            if (random.Next(2) == 0)
            {
                byte[] data = new byte[random.Next(0, 3 * capacity)];
                random.NextBytes(data);
                ring.Write(data);
                all.AddRange(data);
                Assert.Equal(all.Count, ring.End);
                Assert.Equal(Math.Max(0, all.Count - capacity), ring.Start);
            }
            else
            {
                long before = position;
                int count = ring.Peek(ref position, buffer.AsSpan(0, random.Next(0, buffer.Length)), out long lost);
                Assert.Equal(position - before, lost);
                Assert.Equal(Math.Max(before, ring.Start), position);
                Assert.Equal(all.Skip((int)position).Take(count).ToArray(), buffer[..count]);
                position += random.Next(0, count + 1);
            }
        }

        return true;
    }
}
