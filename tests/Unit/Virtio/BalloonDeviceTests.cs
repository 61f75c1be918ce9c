using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class BalloonDeviceTests : IDisposable
{
    private const long Memory = 1 << 30;

    private readonly BalloonDevice _device = new("b", deflateOnOom: true, reporting: true);
    private readonly MmioDriver _driver;

    public BalloonDeviceTests() => _driver = new MmioDriver(_device);

    public void Dispose() => _driver.Dispose();

    [Theory]
    [InlineData(new uint[] { 600, 601, 602, 604 })]
    [InlineData(new uint[] { 604, 602, 601, 600 })]
    [InlineData(new uint[] { 600, 600, 604, 601, 602 })]
    public void PagesThatAreGivenAreGone(uint[] pages)
    {
        _driver.Start();
        _driver.Ram(590 << 12, 20 << 12).Fill(7);
        Inflate(pages);
        for (uint page = 590; page < 610; page++)
        {
            bool given = Array.IndexOf(pages, page) >= 0;
            Assert.Equal(given ? 0 : 7, _driver.Ram(page << 12, 4096)[4095]);
            Assert.Equal(given, !_driver.Ram(page << 12, 4096).ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public void PagesThatArentRamHarmNobody()
    {
        _driver.Start();
        _driver.Ram(0x20_0000, 4096).Fill(7);
        Inflate([uint.MaxValue, 0, (uint)(MmioDriver.Hole >> 12), (uint)(MmioDriver.Hole >> 12) - 1, 0xfffffffe]);
        Assert.False(_driver.NeedsReset);
        Assert.Equal(7, _driver.Ram(0x20_0000, 1)[0]);
    }

    /// <summary>A request of a million pages is served in turns, and not by a loop that does nothing else.</summary>
    [Fact]
    public void ALongRequestIsServedInTurns()
    {
        _driver.Start();
        ulong at = MmioDriver.Seam;
        int count = (int)(MmioDriver.RegionBytes / sizeof(uint));
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_driver.Ram(at + (ulong)(4 * i), 4), (uint)(MmioDriver.HighRam >> 12) + (uint)(i % 1024));
        }

        _driver.Queues[0].Add(new DriverBuffer(at, (uint)MmioDriver.RegionBytes, false));
        _driver.Queues[0].Kick();
        int turns = 0;
        while (_driver.Loop.RunOnce(0))
        {
            turns++;
        }

        Assert.True(turns >= count / 4096, $"{turns} turns");
        Assert.True(_driver.Queues[0].TryTake(out _, out _));
    }

    [Fact]
    public void AResetWhileARequestIsServedForgetsIt()
    {
        _driver.Start();
        _driver.Queues[0].Add(new DriverBuffer(MmioDriver.Seam, (uint)MmioDriver.RegionBytes, false));
        _driver.Queues[0].Kick();
        _driver.Loop.RunOnce(0);
        Assert.Equal(0, _driver.Queues[0].UsedIndex);
        DeviceCatalogue.CheckWorks("balloon", _driver);
    }

    [Fact]
    public void ReportedPagesAreGoneAndDeflatedOnesStay()
    {
        _driver.Start();
        ulong page = _driver.Allocate(8192, 4096);
        _driver.Ram(page, 8192).Fill(7);
        Use(3, new DriverBuffer(page, 4096, true));
        Assert.False(_driver.Ram(page, 4096).ContainsAnyExcept((byte)0));
        Assert.Equal(7, _driver.Ram(page + 4096, 1)[0]);

        ulong at = _driver.Allocate(4);
        BinaryPrimitives.WriteUInt32LittleEndian(_driver.Ram(at, 4), (uint)((page + 4096) >> 12));
        Use(1, new DriverBuffer(at, 4, false));
        Assert.Equal(7, _driver.Ram(page + 4096, 1)[0]);
    }

    [Fact]
    public void PiecesOfPagesArentTaken()
    {
        _driver.Start();
        ulong page = _driver.Allocate(8192, 4096);
        _driver.Ram(page, 8192).Fill(7);
        Use(3, new DriverBuffer(page + 512, 4096, true));
        Use(3, new DriverBuffer(page, 512, true));
        Assert.False(_driver.Ram(page, 8192).ContainsAnyExcept((byte)7));
    }

    [Fact]
    public void TheGuestIsToldTheTargetAndTellsWhatItGave()
    {
        _driver.Start();
        List<string> events = [];
        using MemoryBalloon balloon = new(_device, Memory, _driver.Loop) { EventRaised = raised => events.Add($"{raised.Name} {raised.Data}") };
        Assert.Equal(Memory, balloon.Actual);
        uint generation = _driver.Device.ConfigurationGeneration;
        balloon.SetTarget(Memory / 2);
        Assert.Equal(Memory / 2 / 4096, BinaryPrimitives.ReadUInt32LittleEndian(_driver.ReadConfiguration(4)));
        Assert.NotEqual(generation, _driver.Device.ConfigurationGeneration);
        Assert.NotEqual(0u, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);

        // More than there is, is all there is.
        balloon.SetTarget(2 * Memory);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(_driver.ReadConfiguration(4)));

        SetActual(256);
        _driver.Run();
        Assert.Equal(Memory - (256 * 4096), balloon.Actual);
        Assert.Equal([$"BALLOON_CHANGED {{\"actual\":{Memory - (256 * 4096)}}}"], events);

        // More changes within the second are one event, of the last of them.
        for (uint pages = 300; pages < 400; pages++)
        {
            SetActual(pages);
            _driver.Run();
        }

        Assert.Single(events);
        long start = Environment.TickCount64;
        while (events.Count < 2 && Environment.TickCount64 - start < 10_000)
        {
            // A signal of the runtime's may end a wait.
            _ = _driver.Loop.RunOnce(10_000);
        }

        Assert.Equal($"BALLOON_CHANGED {{\"actual\":{Memory - (399 * 4096)}}}", events[1]);
        Assert.Equal(2, events.Count);
    }

    [Fact]
    public void AResetGivesAllBack()
    {
        _driver.Start();
        SetActual(256);
        Assert.Equal(256 * 4096, _device.Given);
        _driver.Write(MmioRegister.Status, 0);
        Assert.Equal(0, _device.Given);
    }

    [Fact]
    public void StatisticsAreAskedForByThePeriod()
    {
        _driver.Start();
        ulong at = _driver.Allocate(64);
        WriteStatistics(at, (4, 1000), (5, 2000), (99, 3), (9, 7));
        _driver.Queues[2].Add(new DriverBuffer(at, 40, false));
        _driver.Queues[2].Kick();
        _driver.Run();
        Assert.Equal((1000ul, 2000ul, 7ul, ulong.MaxValue), (_device.Statistics.Values[4], _device.Statistics.Values[5], _device.Statistics.Values[9], _device.Statistics.Values[0]));
        Assert.False(_driver.Queues[2].TryTake(out _, out _), "nobody asked for new figures");

        _device.Statistics.SetPeriod(TimeSpan.FromMilliseconds(5));
        // A signal of the runtime's may end a wait before its time.
        long start = Stopwatch.GetTimestamp();
        while (!_driver.Queues[2].TryTake(out _, out _))
        {
            Assert.True(_driver.Loop.RunOnce(10_000) || Stopwatch.GetElapsedTime(start).TotalSeconds < 10);
        }

        WriteStatistics(at, (4, 500));
        _driver.Queues[2].Add(new DriverBuffer(at, 10, false));
        _driver.Queues[2].Kick();
        while (_device.Statistics.Values[4] != 500)
        {
            Assert.True(_driver.Loop.RunOnce(10_000) || Stopwatch.GetElapsedTime(start).TotalSeconds < 20);
        }

        _driver.Write(MmioRegister.Status, 0);
        Assert.Equal(0, _device.Statistics.UpdatedAt);
    }

    /// <summary>Without the statistics' queue the one for free pages moves up, as in Linux.</summary>
    [Fact]
    public void WithoutStatisticsFreePagesComeOnQueueTwo()
    {
        _driver.Start(wanted: ~BalloonDevice.FeatureStatistics);
        ulong page = _driver.Allocate(4096, 4096);
        _driver.Ram(page, 4096).Fill(7);
        Use(2, new DriverBuffer(page, 4096, true));
        Assert.False(_driver.Ram(page, 4096).ContainsAnyExcept((byte)0));
    }

    private void Inflate(uint[] pages)
    {
        ulong at = _driver.Allocate(4 * pages.Length);
        for (int i = 0; i < pages.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_driver.Ram(at + (ulong)(4 * i), 4), pages[i]);
        }

        Use(0, new DriverBuffer(at, (uint)(4 * pages.Length), false));
    }

    private void Use(int queue, DriverBuffer buffer)
    {
        _driver.Queues[queue].Add(buffer);
        _driver.Queues[queue].Kick();
        _driver.Run();
        Assert.True(_driver.Queues[queue].TryTake(out _, out _));
    }

    private void SetActual(uint pages) => _driver.Write(MmioRegister.Configuration + BalloonDevice.ActualOffset, pages);

    private void WriteStatistics(ulong at, params (ushort Tag, ulong Value)[] figures)
    {
        for (int i = 0; i < figures.Length; i++)
        {
            Span<byte> entry = _driver.Ram(at + (ulong)(10 * i), 10);
            BinaryPrimitives.WriteUInt16LittleEndian(entry, figures[i].Tag);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[2..], figures[i].Value);
        }
    }
}
