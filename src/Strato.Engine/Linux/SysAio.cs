using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>linux/aio_abi.h</c>: the kernel's asynchronous I/O. The C library has no functions for these calls.</summary>
internal static unsafe partial class Libc
{
    internal static readonly int SYS_io_setup = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0 : 206;
    internal static readonly int SYS_io_destroy = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 1 : 207;
    internal static readonly int SYS_io_submit = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 2 : 209;

    internal const ushort IOCB_CMD_PREADV = 7;
    internal const ushort IOCB_CMD_PWRITEV = 8;
    internal const uint IOCB_FLAG_RESFD = 1;
    internal const uint AIO_RING_MAGIC = 0xa10a10a1;

    /// <summary>struct iocb, little-endian.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct iocb
    {
        public ulong aio_data;
        public uint aio_key;
        public uint aio_rw_flags;
        public ushort aio_lio_opcode;
        public short aio_reqprio;
        public int aio_fildes;
        public ulong aio_buf;
        public ulong aio_nbytes;
        public long aio_offset;
        public ulong aio_reserved2;
        public uint aio_flags;
        public int aio_resfd;
    }

    /// <summary>struct aio_ring of the kernel's fs/aio.c, at a context's address: its results, for whoever maps it. Entries follow the header.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct aio_ring
    {
        public uint id;
        public uint nr;
        public uint head;
        public uint tail;
        public uint magic;
        public uint compat_features;
        public uint incompat_features;
        public uint header_length;
    }

    /// <summary>struct io_event.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_event
    {
        public ulong data;
        public ulong obj;
        public long res;
        public long res2;
    }
}
