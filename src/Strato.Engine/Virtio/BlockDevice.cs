using System;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Strato.Engine.Block;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol;

namespace Strato.Engine.Virtio;

/// <summary>virtio-blk: a disk (VIRTIO 1.2, 5.2).</summary>
/// <remarks>
/// <code>
/// request    readable: | type 32 | reserved 32 | sector 64 | data to write … |
///            writable: | data that is read …              | status 8        |
/// </code>
/// The bytes may be cut into buffers anywhere. The status is written last, and always if it has a place. A request
/// without a place for it can't be answered, which is misuse.
/// </remarks>
internal sealed class BlockDevice : VirtioDevice
{
    /// <summary>Entries of the queue where the user doesn't say.</summary>
    public const int DefaultQueueSize = 256;

    /// <summary>Bytes of a serial number (VIRTIO_BLK_ID_BYTES).</summary>
    public const int SerialBytes = 20;

    internal const ulong FeatureSegmentMaximum = 1UL << 2;
    internal const ulong FeatureReadOnly = 1UL << 5;
    internal const ulong FeatureBlockSize = 1UL << 6;
    internal const ulong FeatureFlush = 1UL << 9;
    internal const ulong FeatureTopology = 1UL << 10;

    internal const uint TypeIn = 0;
    internal const uint TypeOut = 1;
    internal const uint TypeFlush = 4;
    internal const uint TypeGetId = 8;

    internal const byte StatusOk = 0;
    internal const byte StatusIoError = 1;
    internal const byte StatusUnsupported = 2;

    /// <summary>Bytes of the configuration space: struct virtio_blk_config up to WRITE_ZEROES, what isn't offered at zero.</summary>
    internal const int ConfigurationBytes = 60;
    internal const int CapacityOffset = 0;
    internal const int SegmentMaximumOffset = 12;
    internal const int BlockSizeOffset = 20;
    internal const int PhysicalBlockExponentOffset = 24;
    internal const int MinimumIoOffset = 26;

    private const string Room = "virtio-blk";
    private const int HeaderBuffers = 2;

    private readonly DiskImage _disk;
    private readonly byte[] _serial = new byte[SerialBytes];
    private readonly DescriptorChain _chain = new();
    private readonly RateLimit _log = new();
    private readonly ulong _sectors;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="disk">The image; the device owns it from now on.</param>
    /// <param name="serial">Serial number that the guest reads, at most 20 bytes of UTF-8; null for none.</param>
    /// <param name="queueSize">Entries of the request queue, a power of two from 4.</param>
    /// <exception cref="UserErrorException">DriveSerial: the serial number is too long.</exception>
    public BlockDevice(string id, DiskImage disk, string? serial = null, int queueSize = DefaultQueueSize)
        : base(id, VirtioType.Block, Offer(disk), [queueSize], ConfigurationBytes)
    {
        _disk = disk;
        _sectors = disk.Length / DiskGeometry.SectorBytes;
        Serial = serial;
        if (serial is not null && !Encoding.UTF8.TryGetBytes(serial, _serial, out _))
        {
            throw new UserErrorException(
                "DriveSerial",
                $"device '{id}': serial number '{serial}' has {Encoding.UTF8.GetByteCount(serial)} bytes; allowed are at most {SerialBytes}",
                $"-device id={id}");
        }

        Describe(queueSize);
    }

    public DiskImage Disk => _disk;

    /// <summary>The serial number as it was given.</summary>
    public string? Serial { get; }

    protected override void ProcessQueue(int index) => ServeRequests(index, _chain);

    protected override uint Serve(int index, DescriptorChain chain)
    {
        if (!chain.Writable.TryTakeLast(out Span<byte> status))
        {
            Fail("a request without a place for its status");
            return 0;
        }

        uint written = 0;
        status[0] = chain.Readable.TryRead(out RequestHeader header)
            ? Perform(header, chain, ref written)
            : Refuse(header, "its header is cut off");

        // The status counts only when all before it was written: the length that is reported is that of a prefix.
        return chain.Writable.Length == 0 ? written + 1 : written;
    }

    protected override void OnDispose() => _disk.Dispose();

    private byte Perform(RequestHeader header, DescriptorChain chain, ref uint written)
    {
        switch (header.Type)
        {
            case TypeIn:
                return CheckRange(header, chain.Writable.Length) ? Transfer(header, chain.Writable, ref written) : StatusIoError;
            case TypeOut when _disk.ReadOnly:
                return Refuse(header, "the disk is read-only");
            case TypeOut:
                byte status = CheckRange(header, chain.Readable.Length) ? Transfer(header, chain.Readable, ref written) : StatusIoError;

                // 5.2.6.2: a driver without FLUSH relies on each write being stable when it is answered.
                return status == StatusOk && (Features & FeatureFlush) == 0 ? Flush(header) : status;
            case TypeFlush:
                return Flush(header);
            case TypeGetId:
                written = (uint)chain.Writable.Write(_serial);
                return StatusOk;
            default:
                return StatusUnsupported;
        }
    }

    /// <summary>Whether sector and length lie on the disk, without a sum that could wrap.</summary>
    private bool CheckRange(RequestHeader header, ulong length)
    {
        ulong count = length / DiskGeometry.SectorBytes;
        if (length % DiskGeometry.SectorBytes != 0)
        {
            Refuse(header, "its length isn't a multiple of 512");
            return false;
        }

        if (header.Sector > _sectors || count > _sectors - header.Sector)
        {
            Refuse(header, "it runs over the end of the disk");
            return false;
        }

        return true;
    }

    /// <summary>Moves the whole list from or to the disk, however short the single transfers are.</summary>
    private byte Transfer(RequestHeader header, BufferList buffers, ref uint written)
    {
        bool read = header.Type == TypeIn;
        ulong offset = header.Sector * DiskGeometry.SectorBytes;
        while (buffers.Length > 0)
        {
            nint count = read ? _disk.Read(buffers.Parts, offset) : _disk.Write(buffers.Parts, offset);
            if (count <= 0)
            {
                // Nothing read inside the disk means that the file was made shorter under us.
                return HostError(read ? "read" : "write", offset, count < 0 ? Errno.Last : Errno.EIO);
            }

            offset += (ulong)count;
            written += read ? (uint)count : 0;
            buffers.Advance((ulong)count);
        }

        return StatusOk;
    }

    private byte Flush(RequestHeader header) =>
        _disk.ReadOnly || _disk.Flush() ? StatusOk : HostError("flush", header.Sector * DiskGeometry.SectorBytes, Errno.Last);

    private byte Refuse(RequestHeader header, string why)
    {
        _log.Warn(Room, () => $"{Id}: request of type {header.Type} at sector {header.Sector} refused: {why}");
        return StatusIoError;
    }

    private byte HostError(string what, ulong offset, int errno)
    {
        _log.Warn(Room, () => $"{Id}: {what} of '{_disk.Path}' at byte {offset} failed: {Errno.Text(errno)}");
        return StatusIoError;
    }

    private static ulong Offer(DiskImage disk) =>
        FeatureSegmentMaximum | FeatureBlockSize | FeatureFlush | FeatureTopology | (disk.ReadOnly ? FeatureReadOnly : 0);

    private void Describe(int queueSize)
    {
        Span<byte> configuration = stackalloc byte[ConfigurationBytes];
        configuration.Clear();
        DiskGeometry geometry = _disk.Geometry;
        uint blocksPerPhysical = geometry.PhysicalBlock / geometry.LogicalBlock;
        BinaryPrimitives.WriteUInt64LittleEndian(configuration[CapacityOffset..], _sectors);

        // A chain is no longer than the queue, and two of its descriptors are header and status.
        BinaryPrimitives.WriteUInt32LittleEndian(configuration[SegmentMaximumOffset..], (uint)(queueSize - HeaderBuffers));
        BinaryPrimitives.WriteUInt32LittleEndian(configuration[BlockSizeOffset..], geometry.LogicalBlock);
        configuration[PhysicalBlockExponentOffset] = (byte)BitOperations.Log2(blocksPerPhysical);
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[MinimumIoOffset..], (ushort)uint.Min(blocksPerPhysical, ushort.MaxValue));
        SetConfiguration(0, configuration);
    }

    /// <summary>struct virtio_blk_outhdr, without padding.</summary>
    internal readonly record struct RequestHeader(uint Type, uint Reserved, ulong Sector);
}
