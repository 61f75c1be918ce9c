using System;
using System.Buffers.Binary;
using System.IO;
using Strato.Engine.Block;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Block;

/// <summary>DISCARD, WRITE_ZEROES and the search for zeros, on a file.</summary>
public sealed class BlockRangeTests : IDisposable
{
    private const int Length = 4 << 20;

    private readonly TemporaryFile _file = new(Length);
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
    public void ADiscardGivesSpaceBack(DriveAio aio)
    {
        Fill();
        BlockClient client = Open(new BlockOptions { Discard = true }, aio);
        Assert.True(_driver!.Has(BlockLayout.FeatureDiscard | BlockLayout.FeatureWriteZeroes));
        long before = Blocks();
        Assert.Equal(BlockLayout.StatusOk, Ranges(client, BlockLayout.TypeDiscard, (2048, 2048, 0), (4096, 1024, 0)));
        Assert.True(Blocks() <= before - (3072 - 64), $"{before} blocks became {Blocks()}");
        byte[] data = File.ReadAllBytes(_file.Path);
        Assert.Equal(Length, data.Length);
        Assert.True(data.AsSpan(2048 * 512, 3072 * 512).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal(1, data[(2048 * 512) - 1]);
        Assert.Equal(1, data[5120 * 512]);
    }

    [Theory]
    [InlineData(0u, true)]
    [InlineData(1u, true)]
    [InlineData(0u, false)]
    [InlineData(1u, false)]
    public void ZerosAreWrittenAndTakeSpaceAwayOnlyWhereBothSidesWant(uint flags, bool discard)
    {
        Fill();
        BlockClient client = Open(new BlockOptions { Discard = discard });
        long before = Blocks();
        Assert.Equal(BlockLayout.StatusOk, Ranges(client, BlockLayout.TypeWriteZeroes, (1, 3000, flags)));
        byte[] data = File.ReadAllBytes(_file.Path);
        Assert.True(data.AsSpan(512, 3000 * 512).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal((1, 1), (data[511], data[3001 * 512]));
        Assert.Equal(flags == 1 && discard, Blocks() < before - 2000);
    }

    [Theory]
    [InlineData(BlockLayout.TypeDiscard, 8192ul, 1u, 0u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeDiscard, ulong.MaxValue, 1u, 0u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeDiscard, 8191ul, 2u, 0u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeDiscard, 0ul, 1u, 1u, BlockLayout.StatusUnsupported)]
    [InlineData(BlockLayout.TypeDiscard, 0ul, uint.MaxValue, 0u, BlockLayout.StatusUnsupported)]
    [InlineData(BlockLayout.TypeDiscard, 0ul, 0u, 0u, BlockLayout.StatusOk)]
    [InlineData(BlockLayout.TypeWriteZeroes, 0ul, 1u, 2u, BlockLayout.StatusUnsupported)]
    [InlineData(BlockLayout.TypeWriteZeroes, 8192ul, 0u, 1u, BlockLayout.StatusOk)]
    [InlineData(BlockLayout.TypeWriteZeroes, 8193ul, 0u, 1u, BlockLayout.StatusIoError)]
    public void RangesAreChecked(uint type, ulong sector, uint count, uint flags, byte expected)
    {
        Fill();
        BlockClient client = Open(new BlockOptions { Discard = true });
        byte[] before = File.ReadAllBytes(_file.Path);
        Assert.Equal(expected, Ranges(client, type, (sector, count, flags)));
        Assert.Equal(before, File.ReadAllBytes(_file.Path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(17 * 16)]
    public void AListOfRangesOfAnImpossibleLengthIsAnError(int bytes)
    {
        BlockClient client = Open(new BlockOptions { Discard = true });
        Assert.Equal(BlockLayout.StatusIoError, client.Request(BlockLayout.TypeDiscard, 0, (uint)bytes, deviceWrites: false));
    }

    [Fact]
    public void WithoutDiscardItIsNotOffered()
    {
        BlockClient client = Open(new BlockOptions());
        Assert.False(_driver!.Has(BlockLayout.FeatureDiscard));
        Assert.Equal(BlockLayout.StatusUnsupported, Ranges(client, BlockLayout.TypeDiscard, (0, 8, 0)));
        byte[] configuration = _driver.ReadConfiguration(BlockLayout.ConfigurationBytes);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32LittleEndian(configuration.AsSpan(BlockLayout.DiscardSectorsOffset)));
        Assert.Equal(BlockLayout.MostRangeSectors, BinaryPrimitives.ReadUInt32LittleEndian(configuration.AsSpan(BlockLayout.ZeroesSectorsOffset)));
    }

    [Theory]
    [InlineData(DriveDetectZeroes.Off, false)]
    [InlineData(DriveDetectZeroes.On, false)]
    [InlineData(DriveDetectZeroes.Unmap, true)]
    public void AWriteOfZerosIsFound(DriveDetectZeroes detect, bool givesBack)
    {
        Fill();
        BlockClient client = Open(new BlockOptions { Discard = true, DetectZeroes = detect });
        long before = Blocks();
        byte[] data = new byte[1 << 20];
        Assert.Equal(BlockLayout.StatusOk, client.Write(2048, data));
        Assert.Equal(givesBack, Blocks() < before - 1000);
        Assert.True(File.ReadAllBytes(_file.Path).AsSpan(1 << 20, 1 << 20).IndexOfAnyExcept((byte)0) < 0);

        // One byte that isn't zero, and it is a write like others.
        data[^1] = 9;
        Assert.Equal(BlockLayout.StatusOk, client.Write(2048, data));
        Assert.Equal(9, File.ReadAllBytes(_file.Path)[(2 << 20) - 1]);
    }

    [Fact]
    public void ManyQueuesAreOfferedAndServed()
    {
        Open(new BlockOptions { QueueCount = 32, QueueSize = 16 });
        Assert.True(_driver!.Has(BlockLayout.FeatureManyQueues));
        Assert.Equal(32, BinaryPrimitives.ReadUInt16LittleEndian(_driver.ReadConfiguration(BlockLayout.ConfigurationBytes).AsSpan(BlockLayout.QueueCountOffset)));
        Assert.Equal(32, _driver.Queues.Count);
        foreach (DriverQueue queue in _driver.Queues)
        {
            Assert.Equal(BlockLayout.StatusOk, new BlockClient(_driver, queue.Index).Read(1, new byte[512]));
        }
    }

    private byte? Ranges(BlockClient client, uint type, params (ulong Sector, uint Count, uint Flags)[] ranges)
    {
        Span<byte> list = _driver!.Ram(client.Data, 16 * ranges.Length);
        for (int i = 0; i < ranges.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(list[(16 * i)..], ranges[i].Sector);
            BinaryPrimitives.WriteUInt32LittleEndian(list[((16 * i) + 8)..], ranges[i].Count);
            BinaryPrimitives.WriteUInt32LittleEndian(list[((16 * i) + 12)..], ranges[i].Flags);
        }

        return client.Request(type, 0, (uint)list.Length, deviceWrites: false);
    }

    private void Fill()
    {
        byte[] data = new byte[Length];
        data.AsSpan().Fill(1);
        File.WriteAllBytes(_file.Path, data);
    }

    /// <summary>Blocks of 512 bytes that the file takes.</summary>
    private long Blocks()
    {
        using FileStream file = File.OpenRead(_file.Path);
        Assert.Equal(0, Libc.fdatasync((int)file.SafeFileHandle.DangerousGetHandle()));
        Assert.Equal(0, Libc.Stat((int)file.SafeFileHandle.DangerousGetHandle(), out Libc.statx_t status));
        return (long)status.stx_blocks;
    }

    private BlockClient Open(BlockOptions options, DriveAio aio = DriveAio.Off)
    {
        _driver = new MmioDriver(new BlockDevice("d", DiskOpener.Open(new DriveOptions("d", _file.Path) { Aio = aio }), options));
        _driver.Start(256);
        return new BlockClient(_driver);
    }
}
