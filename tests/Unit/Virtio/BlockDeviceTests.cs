using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;
using Strato.Engine.Block;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Tests.Unit.Driver;
using Xunit;

namespace Strato.Tests.Unit.Virtio;

public sealed class BlockDeviceTests : IDisposable
{
    private const int Sectors = 128;

    private readonly TemporaryFile _file = new(Sectors * 512);
    private MmioDriver? _driver;

    public void Dispose()
    {
        _driver?.Dispose();
        _file.Dispose();
    }

    [Fact]
    public void WhatIsWrittenIsInTheFileAndIsReadBack()
    {
        BlockClient client = Open();
        byte[] data = Pattern(8192, 1);
        Assert.Equal(BlockLayout.StatusOk, client.Write(5, data));
        Assert.Equal(1u, client.Written);
        Assert.Equal(BlockLayout.StatusOk, client.Flush());
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(5 * 512, 8192).ToArray());
        byte[] back = new byte[8192];
        Assert.Equal(BlockLayout.StatusOk, client.Read(5, back));
        Assert.Equal(8193u, client.Written);
        Assert.Equal(data, back);
    }

    [Fact]
    public void ARequestMayBeCutAnywhere()
    {
        BlockClient client = Open();
        byte[] data = Pattern(1024, 2);
        Assert.Equal(BlockLayout.StatusOk, client.Write(0, data));

        // Header in three pieces; data in two, the second with the status behind it.
        ulong at = client.Data;
        BlockClient.WriteHeader(_driver!.Ram(at, 16), BlockLayout.TypeIn, 0);
        Assert.Equal(
            BlockLayout.StatusOk,
            client.Request(
                at + 4096 + 1024,
                new DriverBuffer(at, 1, false),
                new DriverBuffer(at + 1, 7, false),
                new DriverBuffer(at + 8, 8, false),
                new DriverBuffer(at + 4096, 700, true),
                new DriverBuffer(at + 4096 + 700, 325, true)));
        Assert.Equal(1025u, client.Written);
        Assert.Equal(data, _driver.Ram(at + 4096, 1024).ToArray());
    }

    [Fact]
    public void HeaderAndDataMayShareABuffer()
    {
        BlockClient client = Open();
        ulong at = client.Data;
        byte[] data = Pattern(512, 3);
        BlockClient.WriteHeader(_driver!.Ram(at, 16), BlockLayout.TypeOut, 127);
        data.CopyTo(_driver.Ram(at + 16, 512));
        Assert.Equal(BlockLayout.StatusOk, client.Request(at + 8192, new DriverBuffer(at, 528, false), new DriverBuffer(at + 8192, 1, true)));
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(127 * 512).ToArray());
    }

    [Fact]
    public void MoreThanIovMaxBuffersAreOneRequest()
    {
        BlockClient client = Open(queueSize: 2048, length: 2 << 20);
        byte[] data = Pattern(1536 * 512, 4);
        ulong at = client.Data;
        data.CopyTo(_driver!.Ram(at, data.Length));
        ulong header = _driver.Allocate(32);
        BlockClient.WriteHeader(_driver.Ram(header, 16), BlockLayout.TypeOut, 7);
        DriverBuffer[] buffers = new DriverBuffer[1538];
        buffers[0] = new DriverBuffer(header, 16, false);
        for (int i = 0; i < 1536; i++)
        {
            buffers[1 + i] = new DriverBuffer(at + (ulong)(i * 512), 512, false);
        }

        buffers[1537] = new DriverBuffer(header + 16, 1, true);
        Assert.Equal(BlockLayout.StatusOk, client.Request(header + 16, buffers));
        Assert.Equal(data, File.ReadAllBytes(_file.Path).AsSpan(7 * 512, data.Length).ToArray());
    }

    [Theory]
    [InlineData(BlockLayout.TypeIn, 0ul, 511u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, 128ul, 512u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, 127ul, 512u, BlockLayout.StatusOk)]
    [InlineData(BlockLayout.TypeIn, 127ul, 1024u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, ulong.MaxValue, 512u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, ulong.MaxValue, 1024u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, 1ul << 55, 512u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeIn, 128ul, 0u, BlockLayout.StatusOk)]
    [InlineData(BlockLayout.TypeIn, 129ul, 0u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeOut, 0ul, 513u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeOut, 128ul, 512u, BlockLayout.StatusIoError)]
    [InlineData(BlockLayout.TypeOut, ulong.MaxValue, 512u, BlockLayout.StatusIoError)]
    [InlineData(2u, 0ul, 512u, BlockLayout.StatusUnsupported)]
    [InlineData(11u, 0ul, 512u, BlockLayout.StatusUnsupported)]
    [InlineData(uint.MaxValue, 0ul, 0u, BlockLayout.StatusUnsupported)]
    public void RequestsAreChecked(uint type, ulong sector, uint length, byte expected)
    {
        BlockClient client = Open();
        byte[] before = File.ReadAllBytes(_file.Path);
        Assert.Equal(expected, client.Request(type, sector, length, deviceWrites: type != BlockLayout.TypeOut));
        Assert.Equal(before, File.ReadAllBytes(_file.Path));
        Assert.False(_driver!.NeedsReset);
    }

    [Fact]
    public void ATruncatedHeaderIsAnsweredWithAnError()
    {
        BlockClient client = Open();
        ulong at = client.Data;
        Assert.Equal(BlockLayout.StatusIoError, client.Request(at + 64, new DriverBuffer(at, 15, false), new DriverBuffer(at + 64, 1, true)));
        Assert.Equal(BlockLayout.StatusIoError, client.Request(at + 64, new DriverBuffer(at + 64, 1, true)));
    }

    [Fact]
    public void ARequestWithoutAPlaceForItsStatusStopsTheDevice()
    {
        BlockClient client = Open();
        ulong at = client.Data;
        Assert.Null(client.Request(at, new DriverBuffer(at, 528, false)));
        Assert.True(_driver!.NeedsReset);
        Assert.Equal(MmioRegister.InterruptConfiguration, _driver.Read(MmioRegister.InterruptStatus) & MmioRegister.InterruptConfiguration);
    }

    [Fact]
    public void AReadOnlyDiskIsOfferedSoAndNotWritten()
    {
        BlockClient client = Open(readOnly: true);
        Assert.True(_driver!.Has(BlockLayout.FeatureReadOnly));
        Assert.Equal(BlockLayout.StatusIoError, client.Write(0, Pattern(512, 5)));
        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[512]));
        Assert.Equal(BlockLayout.StatusOk, client.Flush());
        Assert.Equal(new byte[512], File.ReadAllBytes(_file.Path).AsSpan(0, 512).ToArray());
    }

    [Fact]
    public void TheSerialNumberIsReadWhole()
    {
        BlockClient client = Open(serial: "12345678901234567890");
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeGetId, 0, 20, deviceWrites: true));
        Assert.Equal(21u, client.Written);
        Assert.Equal("12345678901234567890", Encoding.UTF8.GetString(_driver!.Ram(client.Data, 20)));

        // A buffer of another size takes what fits.
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeGetId, 0, 7, deviceWrites: true));
        Assert.Equal(8u, client.Written);
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeGetId, 0, 64, deviceWrites: true));
        Assert.Equal(20u, client.Written);
    }

    [Fact]
    public void AShortSerialNumberEndsWithZeros()
    {
        BlockClient client = Open(serial: "abc");
        Assert.Equal(BlockLayout.StatusOk, client.Request(BlockLayout.TypeGetId, 0, 20, deviceWrites: true));
        Assert.Equal("abc" + new string('\0', 17), Encoding.UTF8.GetString(_driver!.Ram(client.Data, 20)));
    }

    [Fact]
    public void ALongSerialNumberIsRefusedWithItsLength()
    {
        using DiskImage disk = DiskOpener.Open(new DriveOptions("root", _file.Path));
        UserErrorException error = Assert.Throws<UserErrorException>(() => new BlockDevice("root", disk, new BlockOptions { Serial = "123456789012345678901" }));
        Assert.Equal("DriveSerial", error.Id);
        Assert.Equal("device 'root': serial number '123456789012345678901' has 21 bytes; allowed are at most 20", error.Message);
    }

    [Fact]
    public void TheConfigurationDescribesTheDisk()
    {
        Open();
        byte[] configuration = _driver!.ReadConfiguration(BlockLayout.ConfigurationBytes);
        Assert.Equal((ulong)Sectors, BinaryPrimitives.ReadUInt64LittleEndian(configuration));
        Assert.Equal(254u, BinaryPrimitives.ReadUInt32LittleEndian(configuration.AsSpan(BlockLayout.SegmentMaximumOffset)));
        Assert.Equal(512u, BinaryPrimitives.ReadUInt32LittleEndian(configuration.AsSpan(BlockLayout.BlockSizeOffset)));
        Assert.Equal(3, configuration[BlockLayout.PhysicalBlockExponentOffset]);
        Assert.Equal(8, BinaryPrimitives.ReadUInt16LittleEndian(configuration.AsSpan(BlockLayout.MinimumIoOffset)));
        Assert.False(_driver.Has(BlockLayout.FeatureReadOnly));
        Assert.True(_driver.Has(BlockLayout.FeatureFlush | BlockLayout.FeatureSegmentMaximum | BlockLayout.FeatureTopology));
    }

    [Fact]
    public void AFileThatWasMadeShorterIsAnError()
    {
        BlockClient client = Open();
        using (FileStream file = File.OpenWrite(_file.Path))
        {
            file.SetLength(512);
        }

        Assert.Equal(BlockLayout.StatusOk, client.Read(0, new byte[512]));
        Assert.Equal(BlockLayout.StatusIoError, client.Request(BlockLayout.TypeIn, 0, 1024, deviceWrites: true));

        // Half of it was read: the length says so, and doesn't vouch for the status behind the gap.
        Assert.Equal(512u, client.Written);
    }

    [Fact]
    public void ADriverWithoutFlushIsServedWithStableWrites()
    {
        BlockClient client = Open(wanted: ~BlockLayout.FeatureFlush);
        Assert.False(_driver!.Has(BlockLayout.FeatureFlush));
        Assert.Equal(BlockLayout.StatusOk, client.Write(0, Pattern(512, 6)));
        Assert.Equal(Pattern(512, 6), File.ReadAllBytes(_file.Path).AsSpan(0, 512).ToArray());
    }

    private static byte[] Pattern(int length, int seed)
    {
        byte[] data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }

    private BlockClient Open(
        bool readOnly = false, string? serial = null, int queueSize = 256, long? length = null, ulong wanted = ulong.MaxValue)
    {
        if (length is { } bytes)
        {
            using FileStream file = File.OpenWrite(_file.Path);
            file.SetLength(bytes);
        }

        DiskImage disk = DiskOpener.Open(new DriveOptions("root", _file.Path, readOnly));
        _driver = new MmioDriver(new BlockDevice("root", disk, new BlockOptions { Serial = serial, QueueSize = queueSize }));
        _driver.Start(queueSize, wanted);
        return new BlockClient(_driver);
    }
}
