using System;
using System.Diagnostics;

namespace Strato.Engine.Chardev;

/// <summary>A moment on the monotonic clock until which something may take.</summary>
internal readonly struct Deadline
{
    private readonly long _timestamp;

    private Deadline(long timestamp) => _timestamp = timestamp;

    public bool HasPassed => Stopwatch.GetTimestamp() >= _timestamp;

    /// <summary>For poll(2): at least 1 until it has passed, then 0.</summary>
    public int MillisecondsLeft
    {
        get
        {
            long left = _timestamp - Stopwatch.GetTimestamp();
            return left <= 0 ? 0 : (int)Math.Min(int.MaxValue, (left * 1000 / Stopwatch.Frequency) + 1);
        }
    }

    public static Deadline After(TimeSpan time) =>
        new(Stopwatch.GetTimestamp() + (time.Ticks * Stopwatch.Frequency / TimeSpan.TicksPerSecond));
}
