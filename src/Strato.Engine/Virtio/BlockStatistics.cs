using System.Diagnostics;

namespace Strato.Engine.Virtio;

/// <summary>Kinds of requests that are counted apart.</summary>
internal enum BlockKind
{
    Read,

    /// <summary>Zeros, too.</summary>
    Write,
    Flush,
    Discard,
}

/// <summary>Requests of one kind since the disk came.</summary>
internal struct BlockCount
{
    /// <summary>Requests that were done.</summary>
    public long Done;

    /// <summary>Requests at which the host failed.</summary>
    public long Failed;

    /// <summary>Requests that were refused as wrong.</summary>
    public long Invalid;

    /// <summary>Bytes of those that were done.</summary>
    public long Bytes;

    /// <summary>Time between taking and answering of those that were done or failed; its sum, in nanoseconds.</summary>
    public long Nanoseconds;
}

/// <summary>What a disk has been asked for and has done.</summary>
/// <remarks>
/// Counted under the device's gate, so there is nothing to wait for. Read without it, since who holds the gate may wait for the disk: each
/// figure is whole, but a reader may see one request in one of them and not yet in another.
/// </remarks>
internal sealed class BlockStatistics
{
    private readonly BlockCount[] _counts = new BlockCount[4];

    /// <summary>The byte behind the last that was written.</summary>
    public long HighestWrite { get; private set; }

    public BlockCount Of(BlockKind kind) => _counts[(int)kind];

    /// <summary>Counts a request that is answered.</summary>
    public void Count(BlockRequest request, byte status)
    {
        BlockKind kind;
        switch (request.Header.Type)
        {
            case BlockLayout.TypeIn:
                kind = BlockKind.Read;
                break;
            case BlockLayout.TypeOut or BlockLayout.TypeWriteZeroes:
                kind = BlockKind.Write;
                break;
            case BlockLayout.TypeFlush:
                kind = BlockKind.Flush;
                break;
            case BlockLayout.TypeDiscard:
                kind = BlockKind.Discard;
                break;
            default:
                return;
        }

        ref BlockCount count = ref _counts[(int)kind];
        if (request.Error != 0)
        {
            count.Failed++;
        }
        else if (status == BlockLayout.StatusOk)
        {
            count.Done++;
            count.Bytes += (long)request.Asked;
            if (kind == BlockKind.Write && (long)request.HighestByte > HighestWrite)
            {
                HighestWrite = (long)request.HighestByte;
            }
        }
        else
        {
            count.Invalid++;
            return;
        }

        count.Nanoseconds += Stopwatch.GetElapsedTime(request.Started).Ticks * 100;
    }
}
