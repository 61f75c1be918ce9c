using System;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Memory;

namespace Strato.Engine.Block;

/// <summary>A disk whose changes are thrown away at the end: what is written goes to a file without a name over the image (<c>snapshot=on</c>).</summary>
/// <remarks>
/// By clusters of 64 KiB: (1) a write to a part of a cluster that is still the image's copies the cluster to the file with the
/// change in it, (2) then its bit is set, (3) from then on reads and writes take the file. The first write to a cluster holds the
/// lock over (1) and (2), so that two don't undo each other; whoever sees the bit needs none.
/// </remarks>
internal sealed class SnapshotImage : DiskImage
{
    private const int ClusterBytes = 64 << 10;
    private const int ClustersOfPage = 1 << 15;
    private const int WordBits = 64;

    private readonly DiskImage _base;
    private readonly FileDescriptor _changes;
    private readonly BouncePool _bounces = new();
    private readonly Lock _first = new();

    // One bit a cluster, in pages for 2 GiB of the disk that are made when the first bit in them is set.
    private readonly ulong[]?[] _written;

    /// <param name="image">The image, open for reading; this owns it from now on.</param>
    /// <param name="changes">An empty file for the changes; this owns it from now on.</param>
    /// <param name="options">As given, for a disk that the guest may write.</param>
    /// <exception cref="LinuxException">The file can't have the disk's length.</exception>
    public SnapshotImage(DiskImage image, FileDescriptor changes, DriveOptions options)
        : base(changes, image.Geometry, options)
    {
        _base = image;
        _changes = changes;
        ulong pages = (image.Length / ClusterBytes / ClustersOfPage) + 1;
        _written = new ulong[]?[pages];
        if (Libc.ftruncate(changes.Value, (long)image.Length) < 0)
        {
            throw LinuxException.Last("ftruncate of the file for a snapshot's changes");
        }
    }

    /// <remarks>Each request looks at the clusters first.</remarks>
    public override bool AllowsKernel => false;

    public override bool TryReadCached(DiskRequest request) => false;

    public override void Perform(DiskRequest request)
    {
        switch (request.Operation)
        {
            case DiskOperation.Read:
                while (request.Buffers.Length > 0 && !request.Advance(ReadPiece(request)))
                {
                }

                break;
            case DiskOperation.Write:
                while (request.Buffers.Length > 0 && !request.Advance(WritePiece(request.Offset, request.Buffers.Length, request.Buffers)))
                {
                }

                break;
            case DiskOperation.WriteZeroes:
                request.Error = WriteZeroes(request.Offset, request.Length);
                break;
            default:
                // Nothing of it outlives the engine: there is nothing to make stable, and nothing to give back.
                break;
        }
    }

    public override void Dispose()
    {
        _bounces.Dispose();
        base.Dispose();
        _base.Dispose();
    }

    private long ReadPiece(DiskRequest request)
    {
        int count = PieceAt(request.Offset, request.Buffers.Length);
        int file = IsWritten(request.Offset / ClusterBytes) ? _changes.Value : _base.Descriptor;
        HostBuffer bounce = _bounces.Rent();
        nint read = Libc.PRead(file, bounce.Span[..count], (long)request.Offset);
        long result = read < 0 ? -Errno.Last : request.Buffers.CopyFrom(bounce.Span[..(int)read]);
        _bounces.Return(bounce);
        return result;
    }

    private int WriteZeroes(ulong offset, ulong length)
    {
        while (length > 0)
        {
            long written = WritePiece(offset, length, data: null);
            if (written <= 0)
            {
                return written < 0 ? (int)-written : Errno.EIO;
            }

            offset += (ulong)written;
            length -= (ulong)written;
        }

        return 0;
    }

    /// <summary>Writes at most to the end of a cluster, zeros when there is no data: bytes, or a negative errno.</summary>
    private long WritePiece(ulong offset, ulong length, BufferList? data)
    {
        ulong cluster = offset / ClusterBytes;
        int count = PieceAt(offset, length);
        HostBuffer bounce = _bounces.Rent();
        try
        {
            if (IsWritten(cluster))
            {
                return Store(bounce.Span[..count], data, offset);
            }

            lock (_first)
            {
                return IsWritten(cluster) ? Store(bounce.Span[..count], data, offset) : StoreFirst(bounce, cluster, (int)(offset % ClusterBytes), count, data);
            }
        }
        finally
        {
            _bounces.Return(bounce);
        }
    }

    private long StoreFirst(HostBuffer bounce, ulong cluster, int start, int count, BufferList? data)
    {
        ulong place = cluster * ClusterBytes;
        Span<byte> whole = bounce.Span[..(int)ulong.Min(ClusterBytes, Length - place)];
        for (int done = 0; count < whole.Length && done < whole.Length;)
        {
            nint read = Libc.PRead(_base.Descriptor, whole[done..], (long)place + done);
            if (read <= 0)
            {
                return read < 0 ? -Errno.Last : -Errno.EIO;
            }

            done += (int)read;
        }

        Fill(whole.Slice(start, count), data);
        for (int done = 0; done < whole.Length;)
        {
            nint written = Libc.PWrite(_changes.Value, whole[done..], (long)place + done, 0);
            if (written <= 0)
            {
                return written < 0 ? -Errno.Last : -Errno.EIO;
            }

            done += (int)written;
        }

        MarkWritten(cluster);
        return count;
    }

    private long Store(Span<byte> piece, BufferList? data, ulong offset)
    {
        Fill(piece, data);
        nint written = Libc.PWrite(_changes.Value, piece, (long)offset, 0);
        return written < 0 ? -Errno.Last : written;
    }

    private static void Fill(Span<byte> piece, BufferList? data)
    {
        if (data is null)
        {
            piece.Clear();
        }
        else
        {
            data.CopyTo(piece);
        }
    }

    private static int PieceAt(ulong offset, ulong length) => (int)ulong.Min(length, ClusterBytes - (offset % ClusterBytes));

    private bool IsWritten(ulong cluster)
    {
        ulong[]? page = Volatile.Read(ref _written[cluster / ClustersOfPage]);
        int bit = (int)(cluster % ClustersOfPage);
        return page is not null && (Volatile.Read(ref page[bit / WordBits]) & (1UL << (bit % WordBits))) != 0;
    }

    /// <summary>Under the lock.</summary>
    private void MarkWritten(ulong cluster)
    {
        ref ulong[]? page = ref _written[cluster / ClustersOfPage];
        if (page is null)
        {
            Volatile.Write(ref page, new ulong[ClustersOfPage / WordBits]);
        }

        int bit = (int)(cluster % ClustersOfPage);
        ref ulong word = ref page![bit / WordBits];
        Volatile.Write(ref word, word | (1UL << (bit % WordBits)));
    }
}
