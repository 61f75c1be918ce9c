using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/uio.h</c>: reads and writes of several buffers at once.</summary>
internal static unsafe partial class Libc
{
    /// <summary>Most buffers that one call takes (UIO_MAXIOV of <c>linux/uio.h</c>).</summary>
    internal const int UIO_MAXIOV = 1024;

    /// <summary>One buffer: its address in this process and its length in bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct iovec
    {
        public nint iov_base;
        public nuint iov_len;
    }

    [LibraryImport("libc")]
    internal static partial nint readv(int fd, iovec* buffers, int count);

    [LibraryImport("libc")]
    internal static partial nint writev(int fd, iovec* buffers, int count);

    [LibraryImport("libc")]
    internal static partial nint preadv(int fd, iovec* buffers, int count, long offset);

    [LibraryImport("libc")]
    internal static partial nint pwritev(int fd, iovec* buffers, int count, long offset);

    /// <summary>preadv(2) into at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint ReadVector(int fd, ReadOnlySpan<iovec> buffers, long offset)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = preadv(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), offset);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>pwritev(2) of at most <see cref="UIO_MAXIOV"/> of the buffers, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint WriteVector(int fd, ReadOnlySpan<iovec> buffers, long offset)
    {
        fixed (iovec* pointer = buffers)
        {
            nint count;
            do
            {
                count = pwritev(fd, pointer, Math.Min(buffers.Length, UIO_MAXIOV), offset);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }
}
