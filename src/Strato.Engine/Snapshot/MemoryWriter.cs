using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>Writes the guest's memory into a file, pages of zeros as holes, and computes its checksums, on a thread of its own. The guest stands still.</summary>
internal sealed class MemoryWriter(GuestMemory memory, FileDescriptor file)
{
    private const int Page = (int)GuestMemory.PageSize;

    /// <summary>Bytes that are enough to have the disk begin.</summary>
    private const long Worth = 8 << 20;

    /// <summary>Bytes that the disk may be behind: it has always something to do, and little is left for the end.</summary>
    private const long Ahead = 64 << 20;

    private readonly AutoResetEvent _wrote = new(false);
    private readonly AutoResetEvent _synced = new(false);
    private readonly ManualResetEventSlim _over = new();
    private long _onDisk;
    private int _failure;
    private bool _ended;

    private readonly uint _zeros = Checksum.OfZeros(MemoryMap.ChunkBytes);
    private long _done;
    private long _written;
    private bool _cancelled;

    /// <summary>Bytes of memory that are dealt with. From any thread.</summary>
    public long Done => Volatile.Read(ref _done);

    /// <summary>Bytes of them that weren't zeros, and so were written. From any thread.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>Bytes of memory.</summary>
    public long Total { get; } = (long)memory.Size;

    public bool IsCancelled => Volatile.Read(ref _cancelled);

    /// <summary>fdatasync(2), which tests have fail.</summary>
    public Func<int, int> ToDisk { get; init; } = Libc.fdatasync;

    /// <summary>Ends the work soon. From any thread.</summary>
    public void Cancel() => Volatile.Write(ref _cancelled, true);

    /// <summary>Gives the file its whole length: what isn't written is a hole. On the main loop's thread.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void Prepare()
    {
        if (Libc.ftruncate(file.Value, 0) < 0 || Libc.ftruncate(file.Value, Total) < 0)
        {
            throw LinuxException.Last("ftruncate of the snapshot's memory");
        }
    }

    /// <summary>Writes everything; null when it was cancelled.</summary>
    /// <param name="id">The snapshot's.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public MemoryMap? Run(Guid id)
    {
        List<(ulong, ulong)> ranges = [];
        uint[] checksums = new uint[MemoryMap.ChunksOf(Total)];
        byte[] buffer = [];
        foreach (MemoryRegion region in memory.Regions)
        {
            ranges.Add((region.Start, region.Length));
            for (ulong offset = 0; offset < region.Length; offset += MemoryMap.ChunkBytes)
            {
                if (IsCancelled)
                {
                    return null;
                }

                int length = (int)ulong.Min(MemoryMap.ChunkBytes, region.Length - offset);
                ReadOnlySpan<byte> chunk = Read(region, offset, length, ref buffer);
                checksums[_done / MemoryMap.ChunkBytes] = Write(chunk, _done);
                Volatile.Write(ref _done, _done + length);
                Pace();
            }
        }

        WriteAt(MemoryMap.Trailer(id), Total);
        EndSync();
        _over.Wait();
        CheckSynced();
        return ToDisk(file.Value) == 0 ? new MemoryMap(ranges, checksums) : throw LinuxException.Last("fdatasync of the snapshot's memory");
    }

    /// <summary>Brings what is written to the disk while more is written, until <see cref="EndSync"/>. On a thread of its own.</summary>
    public void Sync()
    {
        while (true)
        {
            _wrote.WaitOne();
            if (Volatile.Read(ref _ended))
            {
                _over.Set();
                return;
            }

            long written = Written;
            if (written - Volatile.Read(ref _onDisk) >= Worth)
            {
                // Told once for each open file: who comes later would hear nothing of it.
                if (ToDisk(file.Value) < 0)
                {
                    Volatile.Write(ref _failure, Errno.Last);
                }

                Volatile.Write(ref _onDisk, written);
                _synced.Set();
            }
        }
    }

    /// <summary>Lets <see cref="Sync"/> return, and one who waits for it see that the work was cancelled. From any thread.</summary>
    public void EndSync()
    {
        Volatile.Write(ref _ended, true);
        _wrote.Set();
        _synced.Set();
    }

    /// <remarks>
    /// Memory of a file is read from the file, for to touch a page of its map would make the page; of what is this process's alone a page that
    /// nobody touched is the kernel's page of zeros.
    /// </remarks>
    private ReadOnlySpan<byte> Read(MemoryRegion region, ulong offset, int length, ref byte[] buffer)
    {
        if (region.File < 0)
        {
            return memory.TryGetSpan(region.Start + offset, length, out Span<byte> span) ? span : throw new InvalidOperationException("a region isn't RAM");
        }

        if (buffer.Length == 0)
        {
            buffer = new byte[MemoryMap.ChunkBytes];
        }

        return memory.TryReadAsIs(region.Start + offset, buffer.AsSpan(0, length)) ? buffer.AsSpan(0, length) : throw LinuxException.Last("read of guest memory");
    }

    /// <summary>Writes what isn't zeros; gives the checksum of all.</summary>
    private uint Write(ReadOnlySpan<byte> chunk, long at)
    {
        int start = 0;
        bool any = false;
        while (start < chunk.Length)
        {
            int end = start;
            while (end < chunk.Length && chunk.Slice(end, Page).ContainsAnyExcept((byte)0))
            {
                end += Page;
            }

            if (end > start)
            {
                any = true;
                WriteAt(chunk[start..end], at + start);
                Volatile.Write(ref _written, _written + end - start);
            }

            start = end + Page;
        }

        return !any && chunk.Length == MemoryMap.ChunkBytes ? _zeros : Checksum.Of(chunk);
    }

    private void WriteAt(ReadOnlySpan<byte> bytes, long at)
    {
        while (!bytes.IsEmpty)
        {
            nint written = Libc.PWrite(file.Value, bytes, at, 0);
            if (written < 0 && Errno.Last != Errno.EINTR)
            {
                throw LinuxException.Last("write of the snapshot's memory");
            }

            bytes = bytes[(int)nint.Max(written, 0)..];
            at += nint.Max(written, 0);
        }
    }

    /// <summary>Waits where the disk is far behind.</summary>
    private void Pace()
    {
        _wrote.Set();
        while (_written - Volatile.Read(ref _onDisk) > Ahead && !IsCancelled)
        {
            _synced.WaitOne();
        }

        CheckSynced();
    }

    private void CheckSynced()
    {
        if (Volatile.Read(ref _failure) is var errno and not 0)
        {
            throw new LinuxException("fdatasync of the snapshot's memory", errno);
        }
    }
}
