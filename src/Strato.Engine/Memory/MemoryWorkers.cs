using System;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Security;

namespace Strato.Engine.Memory;

/// <summary>What has to be done to a whole map at once, by one short-lived thread for each of the host's processors.</summary>
internal static unsafe class MemoryWorkers
{
    /// <summary>Bytes that a thread takes at a time: a whole huge page of any size.</summary>
    private const ulong Piece = 1 << 30;

    /// <summary>Where pages are small, more pieces give the threads the same to do.</summary>
    private const ulong SmallPiece = 64 << 20;

    private const int StackBytes = 128 * 1024;

    private const int FillBytes = 256 * 1024;

    /// <summary>Gives each page of a map memory of the host.</summary>
    /// <param name="map">Zeros, which nobody touches meanwhile.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes of one of its pages.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static void Populate(byte* map, ulong length, ulong pageSize) => Run(map, length, pageSize, (start, count) =>
    {
        byte* address = (byte*)start;
        if (Libc.madvise(address, (nuint)count, Libc.MADV_POPULATE_WRITE) == 0)
        {
            return 0;
        }

        if (Errno.Last != Errno.EINVAL)
        {
            return Errno.Last;
        }

        // Linux before 5.14.
        for (ulong at = 0; at < count; at += pageSize)
        {
            Volatile.Write(ref address[at], 0);
        }

        return 0;
    });

    /// <summary>Fills a map with zeros.</summary>
    /// <param name="map">May be touched by nobody else meanwhile.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes of one of its pages.</param>
    public static void Clear(byte* map, ulong length, ulong pageSize) => Run(map, length, pageSize, (start, count) =>
    {
        new Span<byte>((void*)start, (int)count).Clear();
        return 0;
    });

    /// <summary>Copies a file into a map of zeros; what is zeros there stays untouched.</summary>
    /// <param name="map">May be touched by nobody else meanwhile.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="pageSize">Bytes of one of its pages.</param>
    /// <param name="file">Where it comes from.</param>
    /// <param name="offset">Where in the file it begins.</param>
    /// <exception cref="LinuxException">The host refuses, or the file is shorter.</exception>
    public static void Fill(byte* map, ulong length, ulong pageSize, int file, ulong offset) => Run(map, length, pageSize, (start, count) =>
    {
        byte[] buffer = new byte[FillBytes];
        ulong first = (ulong)(start - (nint)map);
        for (ulong at = 0; at < count; at += FillBytes)
        {
            Span<byte> piece = buffer.AsSpan(0, (int)Math.Min(FillBytes, count - at));
            nint read = Libc.PRead(file, piece, (long)(offset + first + at));
            if (read != piece.Length)
            {
                return read < 0 ? Errno.Last : Errno.EIO;
            }

            for (int page = 0; page < piece.Length; page += (int)GuestMemory.PageSize)
            {
                Span<byte> bytes = piece.Slice(page, (int)GuestMemory.PageSize);
                if (bytes.ContainsAnyExcept((byte)0))
                {
                    bytes.CopyTo(new Span<byte>((byte*)start + at + page, bytes.Length));
                }
            }
        }

        return 0;
    });

    /// <summary>Does something to all pieces of a map; <paramref name="work"/> gets address and length, and gives an errno or 0.</summary>
    private static void Run(byte* map, ulong length, ulong pageSize, Func<nint, ulong, int> work)
    {
        ulong piece = pageSize > SmallPiece ? Piece : SmallPiece;
        long pieces = (long)((length + piece - 1) / piece);
        long next = -1;
        int failure = 0;
        Thread[] threads = new Thread[(int)Math.Min(pieces, Environment.ProcessorCount)];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work, StackBytes) { IsBackground = true };
            threads[i].Start();
        }

        Array.ForEach(threads, thread => thread.Join());
        if (failure != 0)
        {
            throw new LinuxException($"allocation of {length} bytes of guest memory", failure);
        }

        void Work()
        {
            Libc.SetThreadName("prealloc");
            Seccomp.EnterThread(ThreadKinds.Worker);
            for (long at = Interlocked.Increment(ref next); at < pieces && Volatile.Read(ref failure) == 0; at = Interlocked.Increment(ref next))
            {
                ulong offset = (ulong)at * piece;
                int errno = work((nint)(map + offset), Math.Min(piece, length - offset));
                if (errno != 0)
                {
                    Volatile.Write(ref failure, errno);
                }
            }
        }
    }
}
