using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>linux/io_uring.h</c>: what the engine uses of it. The C library has no functions for these calls.</summary>
internal static unsafe partial class Libc
{
    // The same numbers on every architecture.
    internal const int SYS_io_uring_setup = 425;
    internal const int SYS_io_uring_enter = 426;
    internal const int SYS_io_uring_register = 427;

    internal const uint IORING_SETUP_CLAMP = 1 << 4;
    internal const uint IORING_SETUP_R_DISABLED = 1 << 6;
    internal const uint IORING_SETUP_COOP_TASKRUN = 1 << 8;
    internal const uint IORING_FEAT_SINGLE_MMAP = 1 << 0;
    internal const uint IORING_FEAT_NODROP = 1 << 1;
    internal const uint IORING_ENTER_GETEVENTS = 1 << 0;
    internal const uint IORING_REGISTER_EVENTFD = 4;
    internal const uint IORING_REGISTER_RESTRICTIONS = 11;
    internal const uint IORING_REGISTER_ENABLE_RINGS = 12;
    internal const ushort IORING_RESTRICTION_SQE_OP = 1;
    internal const uint IORING_CQ_EVENTFD_DISABLED = 1 << 0;
    internal const uint IORING_FSYNC_DATASYNC = 1 << 0;
    internal const long IORING_OFF_SQ_RING = 0;
    internal const long IORING_OFF_SQES = 0x10000000;

    internal const byte IORING_OP_READV = 1;
    internal const byte IORING_OP_WRITEV = 2;
    internal const byte IORING_OP_FSYNC = 3;

    /// <summary>struct io_sqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_sqring_offsets
    {
        public uint head;
        public uint tail;
        public uint ring_mask;
        public uint ring_entries;
        public uint flags;
        public uint dropped;
        public uint array;
        public uint resv1;
        public ulong user_addr;
    }

    /// <summary>struct io_cqring_offsets.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_cqring_offsets
    {
        public uint head;
        public uint tail;
        public uint ring_mask;
        public uint ring_entries;
        public uint overflow;
        public uint cqes;
        public uint flags;
        public uint resv1;
        public ulong user_addr;
    }

    /// <summary>struct io_uring_params.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_uring_params
    {
        public uint sq_entries;
        public uint cq_entries;
        public uint flags;
        public uint sq_thread_cpu;
        public uint sq_thread_idle;
        public uint features;
        public uint wq_fd;
        public fixed uint resv[3];
        public io_sqring_offsets sq_off;
        public io_cqring_offsets cq_off;
    }

    /// <summary>struct io_uring_sqe, with the members of its unions that reads, writes and fsync use.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_uring_sqe
    {
        public byte opcode;
        public byte flags;
        public ushort ioprio;
        public int fd;
        public ulong off;
        public ulong addr;
        public uint len;
        public uint rw_flags;
        public ulong user_data;
        public fixed ulong rest[3];
    }

    /// <summary>struct io_uring_restriction, with the member of its union for IORING_RESTRICTION_SQE_OP.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_uring_restriction
    {
        public ushort opcode;
        public byte sqe_op;
        public byte resv;
        public fixed uint resv2[3];
    }

    /// <summary>struct io_uring_cqe.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct io_uring_cqe
    {
        public ulong user_data;
        public int res;
        public uint flags;
    }

    // syscall(2) is variadic; on x86-64 and aarch64 Linux integer and pointer arguments pass the same way.
    [LibraryImport("libc", EntryPoint = "syscall")]
    internal static partial nint syscall(nint number, nint a1, nint a2, nint a3, nint a4, nint a5, nint a6);
}
