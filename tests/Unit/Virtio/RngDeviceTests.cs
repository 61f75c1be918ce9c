using System;
using System.Diagnostics;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class RngDeviceTests
{
    [Fact]
    public void RoomIsFilledWhereverItIsCut()
    {
        using MmioDriver driver = Start(null);
        ulong at = driver.Allocate(4096);
        Assert.Equal(1200u, Ask(driver, new DriverBuffer(at, 1, true), new DriverBuffer(at + 8, 199, true), new DriverBuffer(at + 512, 1000, true)));
        Assert.True(driver.Ram(at + 8, 199).ContainsAnyExcept((byte)0));
        Assert.True(driver.Ram(at + 512, 1000).ContainsAnyExcept((byte)0));
        Assert.False(driver.Ram(at + 207, 305).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void NoByteIsGivenTwice()
    {
        using MmioDriver driver = Start(null);
        ulong at = driver.Allocate(2 * RngDevice.Ahead);
        Assert.Equal(8u, Ask(driver, new DriverBuffer(at, 8, true)));
        Assert.Equal(8u, Ask(driver, new DriverBuffer(at + 8, 8, true)));
        Assert.False(driver.Ram(at, 8).SequenceEqual(driver.Ram(at + 8, 8)));
    }

    [Fact]
    public void ARequestOfMegabytesGetsSomeKibibytes()
    {
        using MmioDriver driver = Start(null);
        Assert.Equal((uint)RngDevice.Ahead, Ask(driver, new DriverBuffer(MmioDriver.Seam, (uint)MmioDriver.RegionBytes, true)));
        Assert.False(driver.NeedsReset);
    }

    [Fact]
    public void ARequestWithoutRoomIsMisuse()
    {
        using MmioDriver driver = Start(null);
        driver.Queues[0].Add(new DriverBuffer(driver.Allocate(16), 16, false));
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.NeedsReset);
    }

    [Fact]
    public void TheLimitHoldsRequestsBackUntilTheTimer()
    {
        TimeSpan period = TimeSpan.FromMilliseconds(100);
        long start = Stopwatch.GetTimestamp();
        using MmioDriver driver = Start(new TokenBucket(256, period, start));
        ulong at = driver.Allocate(1024);
        DriverQueue queue = driver.Queues[0];
        for (int i = 0; i < 4; i++)
        {
            queue.Add(new DriverBuffer(at + (ulong)(256 * i), 256, true));
        }

        queue.Kick();
        driver.Run();
        Assert.True(queue.TryTake(out _, out uint first));
        Assert.Equal(256u, first);
        Assert.False(queue.TryTake(out _, out _), "the bucket is empty");

        uint given = first;
        int answers = 1;
        while (answers < 4)
        {
            Assert.True(driver.Loop.RunOnce(10_000), "the timer doesn't come");
            for (; queue.TryTake(out _, out uint written); answers++)
            {
                Assert.InRange(written, 64u, 256u);
                given += written;
            }
        }

        // Nothing beyond what was in the bucket, and what came since.
        TimeSpan passed = Stopwatch.GetElapsedTime(start);
        Assert.True(given <= 256 + (256 * passed / period), $"{given} bytes in {passed}");
    }

    [Fact]
    public void AResetForgetsRequestsThatWait()
    {
        using MmioDriver driver = Start(new TokenBucket(64, TimeSpan.FromMilliseconds(20), Stopwatch.GetTimestamp()));
        ulong at = driver.Allocate(128);
        Assert.Equal(64u, Ask(driver, new DriverBuffer(at, 64, true)));
        driver.Queues[0].Add(new DriverBuffer(at + 64, 64, true));
        driver.Queues[0].Kick();
        driver.Run();
        driver.Write(MmioRegister.Status, 0);
        Assert.True(driver.Loop.RunOnce(10_000), "the timer doesn't come");
        driver.Run();
        Assert.False(driver.Ram(at + 64, 64).ContainsAnyExcept((byte)0));
    }

    [Theory]
    [InlineData("/nowhere/random", "can't be opened: No such file or directory")]
    [InlineData("/", "isn't a character device")]
    [InlineData("/dev/null", "gives no bytes")]
    public void ASourceThatIsNoneIsRefused(string path, string problem)
    {
        UserErrorException e = Assert.Throws<UserErrorException>(() => EntropySource.Open(path, "r", "-device rng"));
        Assert.Equal(("RngSourceFailed", "-device rng"), (e.Id, e.Where));
        Assert.Equal($"rng 'r': '{path}' {problem}; allowed are character devices that give bytes, such as /dev/urandom or /dev/hwrng", e.Message);
    }

    private static MmioDriver Start(TokenBucket? limit)
    {
        MmioDriver driver = new(new RngDevice("r", EntropySource.Open("/dev/urandom", "r", "-device rng"), limit));
        driver.Start();
        return driver;
    }

    private static uint Ask(MmioDriver driver, params ReadOnlySpan<DriverBuffer> room)
    {
        driver.Queues[0].Add(room);
        driver.Queues[0].Kick();
        driver.Run();
        Assert.True(driver.Queues[0].TryTake(out _, out uint written), "no answer");
        return written;
    }
}
