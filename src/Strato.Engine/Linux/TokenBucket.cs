using System;
using System.Diagnostics;

namespace Strato.Engine.Linux;

/// <summary>A limit on an average: a bucket that fills evenly, holds what one period allows, and is full at first.</summary>
/// <remarks>Times are <see cref="Stopwatch"/> ticks, given by the caller. Used by one thread at a time; allocates nothing.</remarks>
internal sealed class TokenBucket
{
    private readonly long _capacity;
    private readonly long _periodTicks;
    private long _tokens;
    private long _filledAt;

    /// <param name="capacity">Tokens that come in one period, and the most that are there at once; at least 1.</param>
    /// <param name="period">More than zero.</param>
    /// <param name="now">Now.</param>
    public TokenBucket(long capacity, TimeSpan period, long now)
    {
        _capacity = capacity;
        _tokens = capacity;
        _periodTicks = Math.Max(1, (long)(period.TotalSeconds * Stopwatch.Frequency));
        _filledAt = now;
    }

    /// <summary>Tokens that are there.</summary>
    public long Available(long now)
    {
        // In 128 bits no product of the two can wrap.
        Int128 elapsed = Math.Max(0, now - _filledAt);
        Int128 come = elapsed * _capacity / _periodTicks;
        if (come >= _capacity - _tokens)
        {
            _tokens = _capacity;
            _filledAt = now;
        }
        else if (come > 0)
        {
            // Only the time of whole tokens is used up, so that many looks at the bucket cost nothing.
            _tokens += (long)come;
            _filledAt += (long)(come * _periodTicks / _capacity);
        }

        return _tokens;
    }

    /// <summary>Takes tokens that <see cref="Available"/> said are there.</summary>
    public void Take(long count) => _tokens -= count;

    /// <summary>How long until there are as many tokens, at most the capacity, as asked for; zero when they are there.</summary>
    public TimeSpan TimeUntil(long count, long now)
    {
        Int128 missing = Math.Min(count, _capacity) - Available(now);
        if (missing <= 0)
        {
            return TimeSpan.Zero;
        }

        Int128 ticks = ((missing * _periodTicks) + _capacity - 1) / _capacity;
        return Stopwatch.GetElapsedTime(0, (long)Int128.Max(1, ticks - (now - _filledAt))) + TimeSpan.FromTicks(1);
    }
}
