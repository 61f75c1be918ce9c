using Strato.Engine.Memory;

namespace Strato.Engine.Block;

/// <summary>What a disk is asked to do.</summary>
internal enum DiskOperation
{
    Read,
    Write,

    /// <summary>Brings what was written to stable storage.</summary>
    Flush,

    /// <summary>The range isn't needed any more; what it reads as afterwards is open.</summary>
    Discard,

    /// <summary>The range reads as zeros afterwards.</summary>
    WriteZeroes,
}

/// <summary>One request to a disk, from its submission to its completion. Made once and used again.</summary>
/// <remarks>
/// Between the two it belongs to the <see cref="DiskQueue"/>, and its buffers stay where they are. A transfer that comes out
/// short goes on with what is left, so at the end <see cref="Buffers"/> is empty, or <see cref="Error"/> says why not; then
/// it may be submitted again as it is, to try the rest once more.
/// </remarks>
/// <param name="number">Its number among the requests of its disk, from 0.</param>
/// <param name="buffers">What it moves, until others are set.</param>
internal class DiskRequest(int number, BufferList buffers)
{
    public int Number { get; } = number;

    public DiskOperation Operation { get; set; }

    /// <summary>Byte of the disk at which it goes on.</summary>
    public ulong Offset { get; set; }

    /// <summary>Bytes of a Discard or WriteZeroes.</summary>
    public ulong Length { get; set; }

    /// <summary>What of a Read or Write is still to be moved.</summary>
    public BufferList Buffers { get; set; } = buffers;

    /// <summary>Whether a Write is on stable storage before it completes.</summary>
    public bool Stable { get; set; }

    /// <summary>Whether WriteZeroes may take the blocks away from the file.</summary>
    public bool Unmap { get; set; }

    /// <summary>Bytes moved so far.</summary>
    public ulong Moved { get; set; }

    /// <summary>errno of what failed; 0 while nothing has.</summary>
    public int Error { get; set; }

    /// <summary>The next in a list, for whoever holds the request.</summary>
    internal DiskRequest? Next { get; set; }

    /// <summary>Takes note of a transfer's result: bytes, or a negative errno.</summary>
    /// <returns>Whether the request is finished.</returns>
    public bool Advance(long result)
    {
        if (result <= 0)
        {
            // Nothing moved inside the disk means that the file was made shorter under us.
            Error = result < 0 ? (int)-result : Linux.Errno.EIO;
            return true;
        }

        Offset += (ulong)result;
        Moved += (ulong)result;
        Buffers.Advance((ulong)result);
        return Buffers.Length == 0;
    }
}

/// <summary>A list of requests, first in first out.</summary>
internal struct DiskRequestList
{
    private DiskRequest? _first;
    private DiskRequest? _last;

    public readonly bool IsEmpty => _first is null;

    /// <summary>The first, from which <see cref="DiskRequest.Next"/> leads on; null when there is none.</summary>
    public readonly DiskRequest? First => _first;

    public void Add(DiskRequest request)
    {
        request.Next = null;
        if (_last is null)
        {
            _first = request;
        }
        else
        {
            _last.Next = request;
        }

        _last = request;
    }

    /// <summary>Takes the first; null when there is none.</summary>
    public DiskRequest? Take()
    {
        DiskRequest? first = _first;
        if (first is not null)
        {
            _first = first.Next;
            _last = _first is null ? null : _last;
            first.Next = null;
        }

        return first;
    }
}
