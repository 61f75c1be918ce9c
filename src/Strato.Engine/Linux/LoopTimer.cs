using System;
using System.Diagnostics;

namespace Strato.Engine.Linux;

/// <summary>A one-shot timer on an <see cref="EventLoop"/>: monotonic clock, never early, and less than a millisecond late if the loop is idle.</summary>
internal sealed class LoopTimer : IDisposable
{
    private readonly EventLoop _loop;

    public LoopTimer(EventLoop loop, Action elapsed)
    {
        _loop = loop;
        Elapsed = elapsed;
        loop.Add(this);
    }

    /// <summary>What the loop calls.</summary>
    public Action Elapsed { get; }

    /// <summary>In Stopwatch ticks; the loop's own, under its lock.</summary>
    public long Due { get; set; } = long.MaxValue;

    public bool IsDisposed { get; private set; }

    /// <summary>(Re)starts the timer; it fires once. Zero stops it. From any thread; a disposed one stays as it is.</summary>
    public void Set(TimeSpan delay) =>
        _loop.Set(this, delay > TimeSpan.Zero ? Stopwatch.GetTimestamp() + (long)(delay.Ticks * ((double)Stopwatch.Frequency / TimeSpan.TicksPerSecond)) : long.MaxValue);

    public void Dispose()
    {
        IsDisposed = true;
        _loop.Remove(this);
    }
}
