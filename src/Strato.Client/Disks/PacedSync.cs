using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Disks;

/// <summary>Brings what is written to a file to the disk as it is written, one piece behind: a sync of all at the end can be ended by nothing, and takes minutes where that is much.</summary>
/// <param name="file">Its descriptor.</param>
/// <param name="piece">Bytes that are waited for at once.</param>
internal sealed class PacedSync(int file, long piece)
{
    private const uint Wait = Libc.SYNC_FILE_RANGE_WAIT_BEFORE | Libc.SYNC_FILE_RANGE_WRITE | Libc.SYNC_FILE_RANGE_WAIT_AFTER;

    /// <summary>Brings all of a file that others wrote to the disk, so that the sync at the end has little to do.</summary>
    /// <param name="file">Its descriptor.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="token">Ends it after a piece.</param>
    internal static void Whole(int file, long length, CancellationToken token)
    {
        const long Piece = 8 << 20;
        for (long at = 0; at < length; at += Piece)
        {
            token.ThrowIfCancellationRequested();
            _ = Libc.sync_file_range(file, at, long.Min(Piece, length - at), Wait);
        }
    }

    private (long Start, long End) _behind;
    private long _start;
    private long _written;

    /// <summary>After so many bytes were written before an offset, behind those before.</summary>
    internal void Wrote(long count, long end)
    {
        // Small islands between holes are gathered, lest each costs a turn of the disk.
        _written += count;
        if (_written < piece)
        {
            return;
        }

        // What a file system can't do is left to the sync at the end.
        _ = Libc.sync_file_range(file, _start, end - _start, Libc.SYNC_FILE_RANGE_WRITE);
        _ = _behind.End > 0 ? Libc.sync_file_range(file, _behind.Start, _behind.End - _behind.Start, Wait) : 0;
        _behind = (_start, end);
        _start = end;
        _written = 0;
    }
}
