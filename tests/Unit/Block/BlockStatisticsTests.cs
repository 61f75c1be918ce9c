using System;
using System.IO;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>What a disk counts of its requests.</summary>
public sealed class BlockStatisticsTests : IDisposable
{
    private const int Sectors = 128;

    private readonly TemporaryFile _file = new(Sectors * 512);
    private MmioDriver? _driver;

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
    }

    [Theory]
    [InlineData(DriveAio.Off)]
    [InlineData(DriveAio.Threads)]
    [InlineData(DriveAio.IoUring)]
    public void EachKindIsCountedWithItsBytesAndTime(DriveAio aio)
    {
        BlockClient client = Open(out BlockStatistics statistics, aio);
        byte[] data = new byte[8192];
        data.AsSpan().Fill(1);
        Assert.Equal(BlockLayout.StatusOk, client.Write(5, data));
        Assert.Equal(BlockLayout.StatusOk, client.Read(5, data));
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, data.AsSpan(0, 512)));
        Assert.Equal(BlockLayout.StatusOk, client.Flush());
        Assert.Equal(BlockLayout.StatusOk, client.WriteZeroes(100, 8));
        AssertCount(statistics, BlockKind.Read, done: 2, bytes: 8704);
        AssertCount(statistics, BlockKind.Write, done: 2, bytes: 8192 + 4096);
        AssertCount(statistics, BlockKind.Flush, done: 1, bytes: 0);
        AssertCount(statistics, BlockKind.Discard, done: 0, bytes: 0);
        Assert.True(statistics.Of(BlockKind.Read).Nanoseconds > 0);
        Assert.True(statistics.Of(BlockKind.Write).Nanoseconds > 0);
        Assert.Equal(108 * 512, statistics.HighestWrite);
    }

    [Fact]
    public void WhatIsWrongAndWhatTheHostFailsAtAreCountedApart()
    {
        BlockClient client = Open(out BlockStatistics statistics, DriveAio.Threads);
        byte[] data = new byte[1024];
        Assert.Equal(BlockLayout.StatusIoError, client.Read(Sectors, data));
        Assert.Equal(BlockLayout.StatusIoError, client.Write(Sectors - 1, data));

        // The file is made shorter under the engine.
        using (FileStream file = File.OpenWrite(_file.Path))
        {
            file.SetLength(0);
        }

        Assert.Equal(BlockLayout.StatusIoError, client.Read(0, data));
        BlockCount reads = statistics.Of(BlockKind.Read);
        BlockCount writes = statistics.Of(BlockKind.Write);
        Assert.Equal((0, 1, 1, 0), (reads.Done, reads.Failed, reads.Invalid, reads.Bytes));
        Assert.Equal((0, 0, 1, 0), (writes.Done, writes.Failed, writes.Invalid, writes.Bytes));
        Assert.Equal(0, statistics.HighestWrite);
    }

    [Fact]
    public void WhatAsksForNoDataIsNotCounted()
    {
        BlockClient client = Open(out BlockStatistics statistics, DriveAio.Threads);
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeGetId, 0, 20, deviceWrites: true));
        Assert.Equal(BlockLayout.StatusUnsupported, client.Request(77, 0, 512, deviceWrites: true));
        foreach (BlockKind kind in Enum.GetValues<BlockKind>())
        {
            BlockCount count = statistics.Of(kind);
            Assert.Equal((0, 0, 0), (count.Done, count.Failed, count.Invalid));
        }
    }

    private static void AssertCount(BlockStatistics statistics, BlockKind kind, long done, long bytes)
    {
        BlockCount count = statistics.Of(kind);
        Assert.Equal((done, bytes, 0, 0), (count.Done, count.Bytes, count.Failed, count.Invalid));
    }

    private BlockClient Open(out BlockStatistics statistics, DriveAio aio)
    {
        BlockDevice device = new("root", DiskOpener.Open(new DriveOptions("root", _file.Path) { Aio = aio }));
        statistics = device.Statistics;
        _driver = new MmioDriver(device);
        _driver.Start(64);
        return new BlockClient(_driver);
    }
}
