using System;
using System.Diagnostics;
using System.Threading;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Chardev;

/// <summary>No byte and no wake-up is lost between a guest that writes and the loop, and a burst costs few wake-ups.</summary>
public sealed class OutputFeedTests : IDisposable
{
    private readonly TestLoop _test = new();

    public void Dispose() => _test.Dispose();

    [Fact]
    public void ABurstIsServedTogether()
    {
        const int Bytes = 10_000;
        using Reader reader = new(_test.Loop);
        for (int i = 0; i < Bytes; i++)
        {
            reader.Feed.Write([(byte)i]);
        }

        Assert.True(_test.Loop.RunOnce(0), "the first byte wakes the loop at once");
        Assert.Equal((Bytes, 1), (reader.Read, reader.Drains));
        _test.Settle();
        Assert.Equal(1, reader.Drains);
    }

    [Fact]
    public void EachByteAfterSilenceIsServedAtOnce()
    {
        using Reader reader = new(_test.Loop);
        for (int i = 1; i <= 20; i++)
        {
            reader.Feed.Write([(byte)(i - 1)]);
            Assert.True(_test.Loop.RunOnce(0));
            Assert.Equal(i, reader.Read);
            _test.Settle();
        }
    }

    [Fact]
    public void EveryByteIsFollowedByTwoLooks()
    {
        using Reader reader = new(_test.Loop);
        for (int i = 0; i < 200; i++)
        {
            int looks = reader.Looks;
            reader.Feed.Write([(byte)i]);
            _test.Until(() => reader.Looks >= looks + 2, "two looks");
        }
    }

    [Fact]
    public void AFloodCostsFewWakeUps()
    {
        // A quarter of the ring, or eight milliseconds, a time: what a wake-up of the loop serves.
        const int Bytes = 4_000_000;
        using Reader reader = new(_test.Loop, 1 << 22);
        Stopwatch watch = Stopwatch.StartNew();
        Thread writer = Writer(reader, Bytes);
        writer.Start();
        _test.Until(() => !writer.IsAlive && reader.Read == Bytes, "all bytes");
        double milliseconds = watch.Elapsed.TotalMilliseconds;
        Assert.True(reader.Drains <= 20 + (milliseconds / 4), $"{reader.Drains} drains in {milliseconds} ms for {Bytes} bytes");
    }

    [Fact]
    public void AFullRingIsServedBeforeItsTime()
    {
        using Reader reader = new(_test.Loop, 64);
        reader.Feed.Write([0]);
        Assert.True(_test.Loop.RunOnce(0));
        for (int i = 1; i < 17; i++)
        {
            reader.Feed.Write([(byte)i]);
        }

        Assert.True(_test.Loop.RunOnce(0), "a quarter of the ring waits");
        Assert.Equal(17, reader.Read);
    }

    [Fact]
    public void NothingIsLostBetweenAWriterAndTheLoop()
    {
        // A writer that waits for the loop now and then meets it in every state: awake, resting, about to go quiet, quiet.
        const int Bytes = 3_000_000;
        using Reader reader = new(_test.Loop, 4096);
        Thread writer = new(() =>
        {
            Random random = new(1);
            for (int sent = 0; sent < Bytes;)
            {
                int burst = Math.Min(random.Next(1, 3000), Bytes - sent);
                for (int i = 0; i < burst; i++, sent++)
                {
                    reader.Feed.Write([(byte)sent]);
                }

                // Half the time on at the very moment the loop has all, when it may be going quiet; else before.
                int until = sent - (random.Next(2) * Math.Min(burst, 1000));
                SpinWait spin = default;
                while (reader.Read < until)
                {
                    spin.SpinOnce(-1);
                }
            }
        })
        { IsBackground = true };
        writer.Start();
        _test.Until(() => !writer.IsAlive && reader.Read == Bytes, "all bytes");
        Assert.Equal((0, 0), (reader.Lost, reader.Wrong));
    }

    [Fact]
    public void AByteWrittenAsTheLoopGoesQuietIsServedOnce()
    {
        // Each byte is written at the very moment the loop has looked for the last time and is about to go quiet.
        const int Bytes = 1000;
        using Reader reader = new(_test.Loop);
        Thread writer = new(() =>
        {
            for (int sent = 0; sent < Bytes; sent++)
            {
                int looks = reader.Looks;
                reader.Feed.Write([(byte)sent]);
                SpinWait spin = default;
                while (reader.Read <= sent || reader.Looks < looks + 2)
                {
                    spin.SpinOnce(-1);
                }
            }
        })
        { IsBackground = true };
        writer.Start();
        _test.Until(() => !writer.IsAlive && reader.Read == Bytes, "all bytes");

        // One lost would have ended the test; one that wakes the loop twice, or twice served, counts here.
        Assert.Equal((Bytes, 0), (reader.Drains, reader.Wrong));
    }

    [Fact]
    public void WritingAllocatesNothing()
    {
        using Reader reader = new(_test.Loop);
        byte[] data = new byte[1];
        reader.Feed.Write(data);
        Allocation.AssertNone(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                reader.Feed.Write(data);
            }
        });
    }

    [Fact]
    public void DisposedItIsSilent()
    {
        Reader reader = new(_test.Loop);
        reader.Feed.Write([0]);
        reader.Dispose();
        _test.Settle();
        Assert.Equal((0, 0), (reader.Drains, reader.Looks));
    }

    private static Thread Writer(Reader reader, int bytes) => new(() =>
    {
        for (int i = 0; i < bytes; i++)
        {
            reader.Feed.Write([(byte)i]);
        }
    })
    { IsBackground = true };

    /// <summary>Drains a feed on the loop's thread and checks each byte, which tells its offset.</summary>
    private sealed class Reader : ICharFrontend, IDisposable
    {
        private readonly byte[] _buffer = new byte[65536];
        private long _position;
        private int _read;
        private int _looks;

        public Reader(EventLoop loop, int capacity = 65536)
        {
            Feed = new OutputFeed(loop, capacity, Drain) { Frontend = this };
        }

        public OutputFeed Feed { get; }

        public int Drains { get; private set; }

        public int Read => Volatile.Read(ref _read);

        public int Looks => Volatile.Read(ref _looks);

        public int Lost { get; private set; }

        public int Wrong { get; private set; }

        public int Room => 0;

        public void Receive(ReadOnlySpan<byte> data) => Assert.Fail("there is no input");

        public void OutputServed() => Interlocked.Increment(ref _looks);

        public void Dispose() => Feed.Dispose();

        private void Drain()
        {
            Drains++;
            for (int count; (count = Feed.Ring.Peek(ref _position, _buffer, out long lost)) > 0; _position += count)
            {
                Lost += (int)lost;
                for (int i = 0; i < count; i++)
                {
                    Wrong += _buffer[i] == (byte)(_position + i) ? 0 : 1;
                }
            }

            Volatile.Write(ref _read, (int)_position);
        }
    }
}
