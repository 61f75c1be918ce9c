using System;
using System.Buffers.Binary;
using System.Numerics;
using Strato.Engine.Block;

namespace Strato.Engine.Virtio;

/// <summary>Numbers of virtio-blk (VIRTIO 1.2, 5.2; <c>linux/virtio_blk.h</c>), and its configuration space.</summary>
/// <remarks>
/// <code>
/// request    readable: | type 32 | reserved 32 | sector 64 | data to write, or ranges … |
///            writable: | data that is read …              | status 8        |
/// range      | sector 64 | sectors 32 | flags 32 |
/// </code>
/// </remarks>
internal static class BlockLayout
{
    /// <summary>Bytes of a serial number (VIRTIO_BLK_ID_BYTES).</summary>
    public const int SerialBytes = 20;

    public const ulong FeatureSegmentMaximum = 1UL << 2;
    public const ulong FeatureReadOnly = 1UL << 5;
    public const ulong FeatureBlockSize = 1UL << 6;
    public const ulong FeatureFlush = 1UL << 9;
    public const ulong FeatureTopology = 1UL << 10;
    public const ulong FeatureManyQueues = 1UL << 12;
    public const ulong FeatureDiscard = 1UL << 13;
    public const ulong FeatureWriteZeroes = 1UL << 14;

    public const uint TypeIn = 0;
    public const uint TypeOut = 1;
    public const uint TypeFlush = 4;
    public const uint TypeGetId = 8;
    public const uint TypeDiscard = 11;
    public const uint TypeWriteZeroes = 13;

    /// <summary>Flag of a range to write zeros to: its blocks may be taken away.</summary>
    public const uint FlagUnmap = 1;

    public const byte StatusOk = 0;
    public const byte StatusIoError = 1;
    public const byte StatusUnsupported = 2;

    /// <summary>Bytes of one range (struct virtio_blk_discard_write_zeroes).</summary>
    public const uint RangeBytes = 16;

    /// <summary>Ranges of one discard or write of zeros.</summary>
    public const uint MostRanges = 16;

    /// <summary>Sectors of one range: 1 GiB, so that one request doesn't hold a thread for long.</summary>
    public const uint MostRangeSectors = 1 << 21;

    /// <summary>Bytes of the configuration space: struct virtio_blk_config up to WRITE_ZEROES, what isn't offered at zero.</summary>
    public const int ConfigurationBytes = 60;
    public const int CapacityOffset = 0;
    public const int SegmentMaximumOffset = 12;
    public const int BlockSizeOffset = 20;
    public const int PhysicalBlockExponentOffset = 24;
    public const int MinimumIoOffset = 26;
    public const int QueueCountOffset = 34;
    public const int DiscardSectorsOffset = 36;
    public const int DiscardRangesOffset = 40;
    public const int DiscardAlignmentOffset = 44;
    public const int ZeroesSectorsOffset = 48;
    public const int ZeroesRangesOffset = 52;
    public const int ZeroesUnmapOffset = 56;

    // Of a chain's descriptors two are header and status. More than 254 pieces of data are no use to a driver.
    private const int HeaderBuffers = 2;
    private const int MostSegments = 254;

    /// <summary>The features of a disk, beside those of all devices.</summary>
    public static ulong Offer(DiskImage disk, BlockOptions options)
    {
        ulong offer = FeatureSegmentMaximum | FeatureBlockSize | FeatureTopology;
        offer |= disk.ReadOnly ? FeatureReadOnly : FeatureWriteZeroes;
        offer |= options.WriteThrough ? 0 : FeatureFlush;
        offer |= options.QueueCount > 1 ? FeatureManyQueues : 0;
        offer |= (options.Discard || options.OfferDiscard) && !disk.ReadOnly ? FeatureDiscard : 0;
        return offer;
    }

    /// <summary>Fills the configuration space, of <see cref="ConfigurationBytes"/> zeros.</summary>
    public static void Describe(DiskImage disk, BlockOptions options, Span<byte> configuration)
    {
        DiskGeometry geometry = disk.Geometry;
        uint blocksPerPhysical = geometry.PhysicalBlock / geometry.LogicalBlock;
        BinaryPrimitives.WriteUInt64LittleEndian(configuration[CapacityOffset..], geometry.Length / DiskGeometry.SectorBytes);
        Write32(configuration, SegmentMaximumOffset, (uint)int.Min(options.QueueSize - HeaderBuffers, MostSegments));
        Write32(configuration, BlockSizeOffset, geometry.LogicalBlock);
        configuration[PhysicalBlockExponentOffset] = (byte)BitOperations.Log2(blocksPerPhysical);
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[MinimumIoOffset..], (ushort)uint.Min(blocksPerPhysical, ushort.MaxValue));
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[QueueCountOffset..], (ushort)options.QueueCount);
        if (disk.ReadOnly)
        {
            return;
        }

        uint physicalSectors = geometry.PhysicalBlock / DiskGeometry.SectorBytes;
        Write32(configuration, ZeroesSectorsOffset, MostRangeSectors);
        Write32(configuration, ZeroesRangesOffset, MostRanges);
        configuration[ZeroesUnmapOffset] = options.Discard ? (byte)1 : (byte)0;
        if (options.Discard || options.OfferDiscard)
        {
            Write32(configuration, DiscardSectorsOffset, MostRangeSectors);
            Write32(configuration, DiscardRangesOffset, MostRanges);
            Write32(configuration, DiscardAlignmentOffset, physicalSectors);
        }
    }

    private static void Write32(Span<byte> configuration, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(configuration[offset..], value);
}
