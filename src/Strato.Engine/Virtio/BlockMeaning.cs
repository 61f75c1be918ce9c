using System.Text;
using Strato.Engine.Block;
using Strato.Engine.Diagnostics;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Virtio;

/// <summary>What a driver's request asks of the disk: header and ranges, copied once, checked, and put into the request. Under the device's gate.</summary>
internal sealed class BlockMeaning
{
    // Looking for zeros in more than this would itself hold up the loop.
    private const ulong MostZeroBytes = 4 << 20;

    private readonly string _id;
    private readonly DiskImage _image;
    private readonly BlockOptions _options;
    private readonly byte[] _serial = new byte[BlockLayout.SerialBytes];
    private readonly RateLimit _log = new();
    private readonly ulong _sectors;

    /// <exception cref="UserErrorException">DriveSerial: the serial number is too long.</exception>
    public BlockMeaning(string id, DiskImage image, BlockOptions options)
    {
        _id = id;
        _image = image;
        _options = options;
        _sectors = image.Length / DiskGeometry.SectorBytes;
        if (options.Serial is { } serial && !Encoding.UTF8.TryGetBytes(serial, _serial, out _))
        {
            throw new UserErrorException(
                "DriveSerial",
                $"device '{id}': serial number '{serial}' has {Encoding.UTF8.GetByteCount(serial)} bytes; allowed are at most {BlockLayout.SerialBytes}",
                $"-device id={id}");
        }
    }

    /// <summary>Makes the request ready for the disk; its status when there is nothing for the disk to do.</summary>
    public byte? Begin(BlockRequest request, bool hasHeader, ulong features)
    {
        if (!hasHeader)
        {
            return Refuse(request, "its header is cut off");
        }

        // 5.2.6.2: a driver without FLUSH relies on each write being stable when it is answered. One may have it from before
        // a disk came that is to be written through.
        request.Stable = ((features & BlockLayout.FeatureFlush) == 0 || _options.WriteThrough) && !_options.IgnoreFlush;
        switch (request.Header.Type)
        {
            case BlockLayout.TypeIn:
                request.Buffers = request.Chain.Writable;
                return Transfer(request, DiskOperation.Read);
            case BlockLayout.TypeOut or BlockLayout.TypeDiscard or BlockLayout.TypeWriteZeroes when _image.ReadOnly:
                return Refuse(request, "the disk is read-only");
            case BlockLayout.TypeOut:
                request.Buffers = request.Chain.Readable;
                request.Unmap = _options.DetectZeroes == DriveDetectZeroes.Unmap;
                return Transfer(request, IsToBeZeroed(request) ? DiskOperation.WriteZeroes : DiskOperation.Write);
            case BlockLayout.TypeFlush when _sectors == 0:
                return Refuse(request, "there is no disk");
            case BlockLayout.TypeFlush when _image.ReadOnly || _options.IgnoreFlush:
                return BlockLayout.StatusOk;
            case BlockLayout.TypeFlush:
                request.Operation = DiskOperation.Flush;
                return null;
            case BlockLayout.TypeDiscard when (features & BlockLayout.FeatureDiscard) != 0 && !_options.Discard && _sectors > 0:
                return BlockLayout.StatusOk;
            case BlockLayout.TypeDiscard when (features & BlockLayout.FeatureDiscard) != 0:
            case BlockLayout.TypeWriteZeroes when (features & BlockLayout.FeatureWriteZeroes) != 0:
                ulong bytes = request.Chain.Readable.Length;
                return bytes % BlockLayout.RangeBytes == 0 && bytes / BlockLayout.RangeBytes is > 0 and <= BlockLayout.MostRanges
                    ? NextRange(request)
                    : Refuse(request, $"it has {bytes} bytes of ranges; allowed are 1 to {BlockLayout.MostRanges} ranges of {BlockLayout.RangeBytes} bytes");
            case BlockLayout.TypeGetId:
                request.Moved = (ulong)request.Chain.Writable.Write(_serial);
                return BlockLayout.StatusOk;
            default:
                return BlockLayout.StatusUnsupported;
        }
    }

    /// <summary>After the disk has done its part: makes the request ready for the next part, or gives its status.</summary>
    public byte? Continue(BlockRequest request) =>
        request.Header.Type is BlockLayout.TypeDiscard or BlockLayout.TypeWriteZeroes ? NextRange(request) : BlockLayout.StatusOk;

    private byte? Transfer(BlockRequest request, DiskOperation operation)
    {
        ulong length = request.Buffers.Length;
        return length % DiskGeometry.SectorBytes == 0
            ? Range(request, operation, request.Header.Sector, length / DiskGeometry.SectorBytes)
            : Refuse(request, "its length isn't a multiple of 512");
    }

    private byte? NextRange(BlockRequest request)
    {
        if (!request.Chain.Readable.TryRead(out BlockRange range))
        {
            return BlockLayout.StatusOk;
        }

        bool discard = request.Header.Type == BlockLayout.TypeDiscard;
        if ((range.Flags & ~(discard ? 0 : BlockLayout.FlagUnmap)) != 0 || range.Count > BlockLayout.MostRangeSectors)
        {
            return BlockLayout.StatusUnsupported;
        }

        request.Unmap = range.Flags != 0 && _options.Discard;
        return Range(request, discard ? DiskOperation.Discard : DiskOperation.WriteZeroes, range.Sector, range.Count);
    }

    private byte? Range(BlockRequest request, DiskOperation operation, ulong sector, ulong count)
    {
        // Without a sum that could wrap.
        if (sector > _sectors || count > _sectors - sector)
        {
            return Refuse(request, "it runs over the end of the disk");
        }

        request.Operation = operation;
        request.Offset = sector * DiskGeometry.SectorBytes;
        request.Length = count * DiskGeometry.SectorBytes;
        return null;
    }

    private bool IsToBeZeroed(BlockRequest request) =>
        _options.DetectZeroes != DriveDetectZeroes.Off && request.Buffers.Length is > 0 and <= MostZeroBytes && request.Buffers.IsZero();

    private byte Refuse(BlockRequest request, string why)
    {
        _log.Warn("virtio-blk", () => $"{_id}: request of type {request.Header.Type} at sector {request.Header.Sector} refused: {why}");
        return BlockLayout.StatusIoError;
    }
}
