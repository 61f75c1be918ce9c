using System;
using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit;

public class TokenBucketTests
{
    private static readonly long Second = Stopwatch.Frequency;

    [Fact]
    public void ItIsFullAtFirstAndFillsEvenly()
    {
        TokenBucket bucket = new(1000, TimeSpan.FromSeconds(10), now: 5);
        Assert.Equal(1000, bucket.Available(5));
        bucket.Take(1000);
        Assert.Equal(0, bucket.Available(5));
        Assert.Equal(100, bucket.Available(5 + Second));
        Assert.Equal(1000, bucket.Available(5 + (100 * Second)));
    }

    [Fact]
    public void ManyLooksDontLoseTime()
    {
        TokenBucket bucket = new(3, TimeSpan.FromSeconds(1), now: 0);
        bucket.Take(3);
        for (long now = 0; now < Second; now += Second / 1000)
        {
            bucket.Available(now);
        }

        Assert.Equal(3, bucket.Available(Second));
    }

    [Fact]
    public void TheGreatestNumbersDontWrap()
    {
        TokenBucket bucket = new(long.MaxValue, TimeSpan.FromMilliseconds(1), now: 0);
        bucket.Take(long.MaxValue);
        Assert.InRange(bucket.Available(1), 1, long.MaxValue);
        Assert.Equal(long.MaxValue, bucket.Available(long.MaxValue));
        TokenBucket slow = new(1, TimeSpan.FromMilliseconds(uint.MaxValue), now: 0);
        slow.Take(1);
        Assert.InRange(slow.TimeUntil(1, 0).TotalMilliseconds, uint.MaxValue, uint.MaxValue + 1L);
    }

    /// <summary>After the time that it tells, the tokens are there; never more come than the average allows.</summary>
    [Fact]
    public void TheTimeToWaitIsEnoughAndTheAverageHolds() =>
        Prop.ForAll(
            Gen.Choose(1, 5000).ToArbitrary(),
            Gen.Choose(1, 5000).ToArbitrary(),
            Gen.Choose(1, 5000).ArrayOf().ToArbitrary(),
            (int capacity, int milliseconds, int[] wishes) =>
            {
                TimeSpan period = TimeSpan.FromMilliseconds(milliseconds);
                TokenBucket bucket = new(capacity, period, now: 0);
                long now = 0;
                long taken = 0;
                foreach (int wish in wishes)
                {
                    int count = Math.Min(wish, capacity);
                    now += (long)Math.Ceiling(bucket.TimeUntil(count, now).TotalSeconds * Second);
                    Assert.True(bucket.Available(now) >= count);
                    bucket.Take(count);
                    taken += count;
                    Assert.True(taken <= capacity + (capacity * (now / (double)Second) / period.TotalSeconds) + 1);
                }
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithQuietOnSuccess(true));
}
