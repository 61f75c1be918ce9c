using System;
using Strato.Engine.Linux;
using Strato.Engine.Memory;

namespace Strato.Engine.Block;

/// <summary>An open raw image or block device: bytes at offsets.</summary>
/// <remarks>
/// Made by <see cref="DiskOpener"/>. The length was taken when the image was opened, and the lock keeps other engines from
/// writing to it. <see cref="Perform"/> may run on several threads at once.
/// </remarks>
internal class DiskImage(FileDescriptor file, DiskGeometry geometry, DriveOptions options) : IDisposable
{
    private readonly BouncePool _bounces = new();
    private volatile bool _cannotZeroRanges;
    private volatile bool _cannotLookAhead;

    public string Id => options.Id;

    /// <summary>The path as it was given.</summary>
    public string Path => options.Path;

    public DriveOptions Options => options;

    public bool ReadOnly => options.ReadOnly;

    public DiskGeometry Geometry => geometry;

    /// <summary>Bytes, a multiple of <see cref="DiskGeometry.SectorBytes"/>.</summary>
    public ulong Length => geometry.Length;

    /// <summary>The open file, for an engine that hands it to the kernel.</summary>
    public int Descriptor => file.Value;

    /// <summary>Whether another stands on the same file or device node.</summary>
    public bool IsSameFile(DiskImage other) => IsFile(other.Descriptor);

    /// <summary>Whether it stands on an open file.</summary>
    public bool IsFile(int fd) => FileIdentity.Of(fd) is { } identity && FileIdentity.Of(Descriptor) == identity;

    /// <summary>Whether it stands on the file of a path, which may be that of a set.</summary>
    public bool IsFile(string path)
    {
        int fd = FileSets.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        if (fd < 0)
        {
            return false;
        }

        using FileDescriptor opened = new(fd);
        return IsFile(fd);
    }

    /// <summary>Whether requests may go to the file without <see cref="Perform"/>.</summary>
    public virtual bool AllowsKernel => true;

    /// <summary>Whether the request can be handed to the kernel as it is; else it takes <see cref="Perform"/>.</summary>
    public virtual bool IsPlain(DiskRequest request) => !options.Direct || request.Buffers.IsAligned(geometry.MemoryAlignment);

    /// <summary>Does the whole of a request, however short the single transfers are, and sets its <see cref="DiskRequest.Error"/>.</summary>
    public virtual void Perform(DiskRequest request)
    {
        switch (request.Operation)
        {
            case DiskOperation.Read or DiskOperation.Write:
                while (request.Buffers.Length > 0 && !request.Advance(Transfer(request)))
                {
                }

                break;
            case DiskOperation.Flush:
                request.Error = Result(Libc.fdatasync(file.Value));
                break;
            case DiskOperation.Discard:
                request.Error = Discard(request.Offset, request.Length);
                break;
            default:
                request.Error = WriteZeroes(request.Offset, request.Length, request.Unmap);
                if (request.Error == 0 && request.Stable)
                {
                    request.Error = Result(Libc.fdatasync(file.Value));
                }

                break;
        }
    }

    /// <summary>Reads what the host has in its memory already; whether that was all of the request, or its end in an error.</summary>
    /// <remarks>What is left is for <see cref="Perform"/>, on a thread that may wait.</remarks>
    public virtual bool TryReadCached(DiskRequest request)
    {
        while (!_cannotLookAhead && request.Buffers.Length > 0)
        {
            nint count = Libc.ReadVector(file.Value, request.Buffers.Parts, (long)request.Offset, Libc.RWF_NOWAIT);
            if (count > 0)
            {
                request.Advance(count);
                continue;
            }

            // EAGAIN: not there. 0 or another error: Perform finds out whether it is one.
            _cannotLookAhead = count < 0 && Errno.Last is Errno.EOPNOTSUPP or Errno.EINVAL;
            return false;
        }

        return request.Buffers.Length == 0;
    }

    public virtual void Dispose()
    {
        _bounces.Dispose();
        file.Dispose();
    }

    /// <summary>One transfer: bytes, or a negative errno.</summary>
    private long Transfer(DiskRequest request)
    {
        if (!IsPlain(request))
        {
            return TransferByBounce(request);
        }

        nint count = request.Operation == DiskOperation.Read
            ? Libc.ReadVector(file.Value, request.Buffers.Parts, (long)request.Offset)
            : Libc.WriteVector(file.Value, request.Buffers.Parts, (long)request.Offset, request.Stable ? Libc.RWF_DSYNC : 0);
        return count < 0 ? -Errno.Last : count;
    }

    /// <summary>O_DIRECT takes no memory that isn't aligned: a piece goes through a buffer that is.</summary>
    private long TransferByBounce(DiskRequest request)
    {
        HostBuffer bounce = _bounces.Rent();
        try
        {
            Span<byte> piece = bounce.Span[..(int)ulong.Min(request.Buffers.Length, BouncePool.Bytes)];
            if (request.Operation == DiskOperation.Read)
            {
                nint read = Libc.PRead(file.Value, piece, (long)request.Offset);
                return read < 0 ? -Errno.Last : request.Buffers.CopyFrom(piece[..(int)read]);
            }

            request.Buffers.CopyTo(piece);
            nint written = Libc.PWrite(file.Value, piece, (long)request.Offset, request.Stable ? Libc.RWF_DSYNC : 0);
            return written < 0 ? -Errno.Last : written;
        }
        finally
        {
            _bounces.Return(bounce);
        }
    }

    private int Discard(ulong offset, ulong length)
    {
        int error = Result(geometry.IsBlockDevice
            ? Libc.ChangeBlockDeviceRange(file.Value, Libc.BLKDISCARD, offset, length)
            : Libc.Allocate(file.Value, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length));

        // It is advice: where the host can't, nothing is lost.
        return error == Errno.EOPNOTSUPP ? 0 : error;
    }

    private int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        if (geometry.IsBlockDevice)
        {
            return Result(Libc.ChangeBlockDeviceRange(file.Value, Libc.BLKZEROOUT, offset, length));
        }

        int mode = Libc.FALLOC_FL_KEEP_SIZE | (unmap ? Libc.FALLOC_FL_PUNCH_HOLE : Libc.FALLOC_FL_ZERO_RANGE);
        int error = _cannotZeroRanges ? Errno.EOPNOTSUPP : Result(Libc.Allocate(file.Value, mode, offset, length));
        if (error != Errno.EOPNOTSUPP)
        {
            return error;
        }

        _cannotZeroRanges = !unmap;
        HostBuffer zeros = _bounces.Rent();
        try
        {
            zeros.Span.Clear();
            while (length > 0)
            {
                nint written = Libc.PWrite(file.Value, zeros.Span[..(int)ulong.Min(length, BouncePool.Bytes)], (long)offset, 0);
                if (written <= 0)
                {
                    return written < 0 ? Errno.Last : Errno.EIO;
                }

                offset += (ulong)written;
                length -= (ulong)written;
            }

            return 0;
        }
        finally
        {
            _bounces.Return(zeros);
        }
    }

    private static int Result(int outcome) => outcome < 0 ? Errno.Last : 0;
}

/// <summary>Size and block sizes of a disk, in bytes.</summary>
/// <param name="Length">Of the whole disk.</param>
/// <param name="LogicalBlock">Smallest unit of a request, a power of two from 512.</param>
/// <param name="PhysicalBlock">Unit that the medium writes without reading first, a power of two.</param>
/// <param name="IsBlockDevice">Whether it is a block device, and not a file.</param>
/// <param name="MemoryAlignment">What O_DIRECT asks of addresses and lengths of memory, a power of two.</param>
internal readonly record struct DiskGeometry(
    ulong Length, uint LogicalBlock, uint PhysicalBlock, bool IsBlockDevice = false, uint MemoryAlignment = DiskGeometry.SectorBytes)
{
    /// <summary>The unit of all block protocols.</summary>
    public const int SectorBytes = 512;
}
