using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/uio.h</c>: reads and writes of several buffers at once.</summary>
internal static unsafe partial class Libc
{
    /// <summary>Most buffers that one call takes (UIO_MAXIOV of <c>linux/uio.h</c>).</summary>
    internal const int UIO_MAXIOV = 1024;

    /// <summary>As an offset: where the file is, as readv(2) and writev(2) have it.</summary>
    private const long CurrentPosition = -1;

    /// <summary>The write is on stable storage when the call returns.</summary>
    internal const int RWF_DSYNC = 2;

    /// <summary>The call fails with EAGAIN instead of waiting.</summary>
    internal const int RWF_NOWAIT = 8;

    /// <summary>One buffer: its address in this process and its length in bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct iovec
    {
        public nint iov_base;
        public nuint iov_len;
    }

    [LibraryImport("libc")]
    internal static partial nint preadv2(int fd, iovec* buffers, int count, long offset, int flags);

    [LibraryImport("libc")]
    internal static partial nint pwritev2(int fd, iovec* buffers, int count, long offset, int flags);

    /// <summary>readv(2) into at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint ReadVector(int fd, ReadOnlySpan<iovec> buffers)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = preadv2(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), CurrentPosition, 0);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>writev(2) of at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint WriteVector(int fd, ReadOnlySpan<iovec> buffers)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = pwritev2(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), CurrentPosition, 0);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>Copies bytes into buffers from an offset on, as readv would; how many found a place.</summary>
    internal static int Scatter(ReadOnlySpan<byte> source, ReadOnlySpan<iovec> buffers, int offset)
    {
        int done = 0;
        foreach (ref readonly iovec buffer in buffers)
        {
            int skipped = (int)Math.Min((ulong)offset, buffer.iov_len);
            offset -= skipped;
            int count = (int)Math.Min(buffer.iov_len - (nuint)skipped, (nuint)(source.Length - done));
            source.Slice(done, count).CopyTo(new Span<byte>((byte*)buffer.iov_base + skipped, count));
            done += count;
        }

        return done;
    }

    /// <summary>Copies what is in buffers from an offset on, as far as there is room; how many bytes.</summary>
    internal static int Gather(ReadOnlySpan<iovec> buffers, int offset, Span<byte> room)
    {
        int done = 0;
        foreach (ref readonly iovec buffer in buffers)
        {
            int skipped = (int)Math.Min((ulong)offset, buffer.iov_len);
            offset -= skipped;
            int count = (int)Math.Min(buffer.iov_len - (nuint)skipped, (nuint)(room.Length - done));
            new ReadOnlySpan<byte>((byte*)buffer.iov_base + skipped, count).CopyTo(room[done..]);
            done += count;
        }

        return done;
    }

    /// <summary>preadv2(2) into at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint ReadVector(int fd, ReadOnlySpan<iovec> buffers, long offset, int flags = 0)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = preadv2(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), offset, flags);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>pwritev2(2) of one span, repeated when a signal interrupts it; may write less; -1 with errno on failure.</summary>
    internal static nint PWrite(int fd, ReadOnlySpan<byte> buffer, long offset, int flags)
    {
        fixed (byte* pointer = buffer)
        {
            iovec one = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
            return WriteVector(fd, new ReadOnlySpan<iovec>(ref one), offset, flags);
        }
    }

    /// <summary>pwritev2(2) of at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint WriteVector(int fd, ReadOnlySpan<iovec> buffers, long offset, int flags = 0)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = pwritev2(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), offset, flags);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }
}
