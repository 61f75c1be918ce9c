using System;
using System.Threading;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Carries output from a vCPU thread to the main loop: a ring, and a wake-up that is not made for every byte.</summary>
/// <remarks>
/// A guest writes its console a byte an exit, so a wake-up each would cost more than the output. The first byte after
/// silence wakes the loop at once; then the loop looks again by itself, after one millisecond, and after twice as long each
/// time it finds more, until it finds nothing: so the writer makes one system call for a whole burst, a short answer is
/// out at once, and a flood costs the loop some hundred looks a second. Only a ring that fills wakes it before its time.
/// No byte is forgotten: the writer (1) publishes bytes, (2) exchanges <c>_awake</c>, and posts if it was 0; the loop, before it
/// goes quiet, (3) sets <c>_awake</c> to 0, (4) reads the ring's end. Both exchanges are full barriers: if (4) misses the bytes of
/// (1), then (2) comes after (3), finds 0, and posts.
/// </remarks>
internal sealed class OutputFeed : IDisposable
{
    private static readonly TimeSpan FirstRest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMilliseconds(8);

    private readonly EventLoop _loop;
    private readonly Action _drain;
    private readonly Action _serve;
    private readonly LoopTimer _timer;
    private TimeSpan _rest;
    private int _awake;
    private int _hurried;
    private long _served;
    private bool _disposed;

    /// <param name="loop">The loop that drains.</param>
    /// <param name="capacity">Bytes of the ring; a power of two.</param>
    /// <param name="drain">Called on the loop's thread when there are bytes that it has not been called for.</param>
    public OutputFeed(EventLoop loop, int capacity, Action drain)
    {
        _loop = loop;
        _drain = drain;
        _serve = Serve;
        _timer = new LoopTimer(loop, WakeUp);
        Ring = new ConsoleRing(capacity);
    }

    public ConsoleRing Ring { get; }

    /// <summary>Who is told of each look; set before the first byte.</summary>
    public ICharFrontend? Frontend { get; set; }

    /// <summary>Bytes that fit into the ring until the loop looks at it, and that no reader which keeps up with the loop loses. On the loop's thread.</summary>
    public int Room => (int)(Ring.Capacity - (Ring.End - _served));

    /// <summary>Queues output. One thread at a time; never blocks.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        Ring.Write(data);
        if (Interlocked.Exchange(ref _awake, 1) == 0)
        {
            _loop.Post(_serve);
        }
        else if (Ring.End - Volatile.Read(ref _served) >= Ring.Capacity / 4 && Interlocked.Exchange(ref _hurried, 1) == 0)
        {
            _loop.Post(_serve);
        }
    }

    public void Dispose()
    {
        _disposed = true;
        _timer.Dispose();
    }

    private void Serve()
    {
        if (_disposed)
        {
            return;
        }

        Volatile.Write(ref _hurried, 0);
        Volatile.Write(ref _served, Ring.End);
        _drain();
        Frontend?.OutputServed();
        _rest = _rest == TimeSpan.Zero ? FirstRest : _rest < LongestRest ? _rest * 2 : LongestRest;
        _timer.Set(_rest);
    }

    private void WakeUp()
    {
        if (Ring.End == _served)
        {
            // Nothing came while it rested: quiet, unless something comes just now.
            Frontend?.OutputServed();
            _rest = TimeSpan.Zero;
            Interlocked.Exchange(ref _awake, 0);
            if (Ring.End == _served || Interlocked.Exchange(ref _awake, 1) != 0)
            {
                return;
            }
        }

        Serve();
    }
}
