using System.Diagnostics;
using Strato.Engine.Block;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>One request of the driver: its chain, where its status goes, and what the disk is to do for it.</summary>
internal sealed class BlockRequest : DiskRequest
{
    private readonly BufferList _status = new();

    private BlockRequest(int number, DescriptorChain chain)
        : base(number, chain.Writable)
    {
        Chain = chain;
    }

    public DescriptorChain Chain { get; }

    /// <summary>The queue it came from, to which its answer goes.</summary>
    public int Queue { get; set; }

    /// <summary>The driver's header, copied.</summary>
    public BlockHeader Header { get; private set; }

    /// <summary>When it was taken, as a timestamp of Stopwatch.</summary>
    public long Started { get; private set; }

    /// <summary>Bytes that the disk was asked to move, zero or discard for it.</summary>
    public ulong Asked { get; private set; }

    /// <summary>The byte behind the last of those.</summary>
    public ulong HighestByte { get; private set; }

    public static BlockRequest Create(int number) => new(number, new DescriptorChain());

    /// <summary>Takes header and status byte out of a chain that was popped; false when there is no place for a status.</summary>
    /// <param name="hasHeader">Whether the header was whole.</param>
    public bool TryBegin(out bool hasHeader)
    {
        Moved = 0;
        Error = 0;
        Asked = 0;
        HighestByte = 0;
        Started = Stopwatch.GetTimestamp();
        hasHeader = false;
        Header = default;
        if (!Chain.Writable.TryMoveLast(_status))
        {
            return false;
        }

        hasHeader = Chain.Readable.TryRead(out BlockHeader header);
        Header = header;
        return true;
    }

    /// <summary>Notes what the disk is asked for, before it begins.</summary>
    public void Ask()
    {
        ulong length = Operation switch
        {
            DiskOperation.Read or DiskOperation.Write => Buffers.Length,
            DiskOperation.Flush => 0,
            _ => Length,
        };
        Asked += length;
        HighestByte = length == 0 ? HighestByte : ulong.Max(HighestByte, Offset + length);
    }

    /// <summary>Writes the status; how many bytes were written from the front of the writable buffers.</summary>
    /// <remarks>The status counts only when all before it was written: the length that is reported is that of a prefix.</remarks>
    public uint End(byte status, uint written)
    {
        _status.Write([status]);
        return Chain.Writable.Length == 0 ? written + 1 : written;
    }
}

/// <summary>struct virtio_blk_outhdr, without padding.</summary>
internal readonly record struct BlockHeader(uint Type, uint Reserved, ulong Sector);

/// <summary>struct virtio_blk_discard_write_zeroes: one range, in sectors.</summary>
internal readonly record struct BlockRange(ulong Sector, uint Count, uint Flags);
