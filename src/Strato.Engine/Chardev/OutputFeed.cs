using System;
using System.Threading;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Carries output from a vCPU thread to the main loop: a ring, and a wake-up that is not made for every byte.</summary>
/// <remarks>
/// A guest writes its console a byte an exit, so a wake-up each would cost more than the output. The first byte after
/// silence wakes the loop at once; what follows within the next millisecond is served together at its end.
/// No byte is forgotten: the writer (1) publishes bytes, (2) exchanges <c>_awake</c>, and posts if it was 0; the loop, before it
/// goes quiet, (3) sets <c>_awake</c> to 0, (4) reads the ring's end. Both exchanges are full barriers: if (4) misses the bytes of
/// (1), then (2) comes after (3), finds 0, and posts.
/// </remarks>
internal sealed class OutputFeed : IDisposable
{
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(1);

    private readonly EventLoop _loop;
    private readonly Action _drain;
    private readonly Action _begin;
    private readonly LoopTimer _timer;
    private int _awake;
    private long _served;
    private bool _disposed;

    /// <param name="loop">The loop that drains.</param>
    /// <param name="capacity">Bytes of the ring; a power of two.</param>
    /// <param name="drain">Called on the loop's thread when there are bytes that it has not been called for.</param>
    public OutputFeed(EventLoop loop, int capacity, Action drain)
    {
        _loop = loop;
        _drain = drain;
        _begin = Begin;
        _timer = new LoopTimer(loop, Rest);
        Ring = new ConsoleRing(capacity);
    }

    public ConsoleRing Ring { get; }

    /// <summary>Queues output. One thread at a time; never blocks.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        Ring.Write(data);
        if (Interlocked.Exchange(ref _awake, 1) == 0)
        {
            _loop.Post(_begin);
        }
    }

    public void Dispose()
    {
        _disposed = true;
        _timer.Dispose();
    }

    private void Begin()
    {
        if (!_disposed)
        {
            _served = Ring.End;
            _drain();
            _timer.Set(Gathering);
        }
    }

    private void Rest()
    {
        Interlocked.Exchange(ref _awake, 0);
        if (Ring.End != _served && Interlocked.Exchange(ref _awake, 1) == 0)
        {
            Begin();
        }
    }
}
