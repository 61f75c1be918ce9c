using System;
using System.Diagnostics;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

public class IopsTests
{
    private static readonly long Second = Stopwatch.Frequency;

    /// <summary>A driver that always has a request: how many go in ten seconds, looking as often as the wait says.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(200)]
    [InlineData(12_345)]
    [InlineData(1_000_000)]
    public void TheAverageOverTenSecondsIsTheLimit(int rate)
    {
        long now = 12345;
        TokenBucket limit = BlockDevice.LimitOf(rate, now)!;
        long end = now + (10 * Second);
        long gone = 0;
        while (now < end)
        {
            long come = limit.Available(now);
            limit.Take(come);
            gone += come;
            TimeSpan wait = limit.TimeUntil(1, now);
            Assert.True(wait > TimeSpan.Zero && wait <= TimeSpan.FromSeconds(1.01), $"waits {wait}");
            now += Math.Max((long)(wait.TotalSeconds * Second), 1);
        }

        Assert.InRange(gone, (10L * rate) - Math.Max(rate / 50, 1), (10L * rate) + Math.Max(rate / 10, 1) + 1);
    }

    /// <summary>Through the device: what doesn't go now goes when its time has come, without another doorbell; and at once when the limit is lifted.</summary>
    [Fact]
    public void ADeviceHoldsBackAndGoesOnByItself()
    {
        using TemporaryFile file = new(1 << 20);
        BlockDevice device = new("d", DiskOpener.Open(new DriveOptions("d", file.Path) { Aio = DriveAio.Off }), new BlockOptions { Iops = 20 });
        using MmioDriver driver = new(device);
        driver.Start(64);
        ulong header = driver.Allocate(16);
        ulong status = driver.Allocate(16);
        BlockClient.WriteHeader(driver.Ram(header, 16), BlockLayout.TypeFlush, 0);
        for (int i = 0; i < 12; i++)
        {
            driver.Queues[0].Add(new DriverBuffer(header, 16, false), new DriverBuffer(status, 1, true));
        }

        driver.Queues[0].Kick();
        driver.Run();
        int used = driver.Queues[0].UsedIndex;
        Assert.InRange(used, 2, 11);
        long start = Stopwatch.GetTimestamp();
        while (driver.Queues[0].UsedIndex < used + 2)
        {
            Assert.True(driver.Loop.RunOnce(30_000), "nothing woke the loop");
        }

        Assert.True(Stopwatch.GetElapsedTime(start) > TimeSpan.FromMilliseconds(40), "two requests at 20 a second came too soon");
        device.SetIops(0);
        driver.Run();
        Assert.Equal(12, driver.Queues[0].UsedIndex);
    }
}
