using System;
using System.Threading;

namespace Strato.Engine.Linux;

/// <summary>An io_uring: requests go in at one ring, their results come out of another, both shared with the kernel.</summary>
/// <remarks>
/// Used by one thread at a time. The kernel looks at the submission ring only in io_uring_enter (no polling thread), so
/// only its tail needs ordering; the completion ring is the kernel's to fill at any time: (1) load its tail with acquire,
/// (2) copy the entries up to it, (3) store the head with release.
/// <para>
/// The eventfd is signalled at each completion while <see cref="Signals"/> is on. It is off while requests are handed over,
/// so that those that complete on the spot cost no signal: whoever turns it on looks at the ring again afterwards.
/// </para>
/// </remarks>
internal sealed unsafe class IoUring : IDisposable
{
    private readonly FileDescriptor _ring;
    private readonly nuint _ringBytes;
    private readonly nuint _entriesBytes;
    private readonly uint _entries;
    private readonly uint _submissionMask;
    private readonly uint _completionMask;
    private byte* _map;
    private Libc.io_uring_sqe* _submissions;
    private readonly Libc.io_uring_cqe* _completions;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly uint* _completionFlags;
    private uint _queued;

    /// <param name="entries">Requests that can be queued for one <see cref="Enter"/>; twice as many can be under way.</param>
    /// <param name="eventFd">Signalled at completions; stays the caller's.</param>
    /// <exception cref="LinuxException">The host has no io_uring, or forbids it.</exception>
    public IoUring(uint entries, int eventFd)
    {
        _ring = Setup(entries, out Libc.io_uring_params parameters);
        try
        {
            const uint Needed = Libc.IORING_FEAT_SINGLE_MMAP | Libc.IORING_FEAT_NODROP;
            if ((parameters.features & Needed) != Needed)
            {
                throw new LinuxException("io_uring_setup: the kernel is older than 5.5", Errno.ENOSYS);
            }

            _entries = parameters.sq_entries;
            _ringBytes = nuint.Max(
                parameters.sq_off.array + (_entries * sizeof(uint)),
                parameters.cq_off.cqes + (parameters.cq_entries * (uint)sizeof(Libc.io_uring_cqe)));
            _entriesBytes = _entries * (nuint)sizeof(Libc.io_uring_sqe);
            _map = Map(_ringBytes, Libc.IORING_OFF_SQ_RING);
            _submissions = (Libc.io_uring_sqe*)Map(_entriesBytes, Libc.IORING_OFF_SQES);
            _submissionHead = (uint*)(_map + parameters.sq_off.head);
            _submissionTail = (uint*)(_map + parameters.sq_off.tail);
            _submissionMask = *(uint*)(_map + parameters.sq_off.ring_mask);
            _completions = (Libc.io_uring_cqe*)(_map + parameters.cq_off.cqes);
            _completionHead = (uint*)(_map + parameters.cq_off.head);
            _completionTail = (uint*)(_map + parameters.cq_off.tail);
            _completionMask = *(uint*)(_map + parameters.cq_off.ring_mask);
            _completionFlags = (uint*)(_map + parameters.cq_off.flags);

            // An entry's place in the ring is its place in the table.
            uint* array = (uint*)(_map + parameters.sq_off.array);
            for (uint i = 0; i < _entries; i++)
            {
                array[i] = i;
            }

            Register(Libc.IORING_REGISTER_EVENTFD, &eventFd, 1);
            IsRestricted = (parameters.flags & Libc.IORING_SETUP_R_DISABLED) != 0;
            if (IsRestricted)
            {
                Restrict();
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The ring, as a descriptor: for tests.</summary>
    public int Descriptor => _ring.Value;

    /// <summary>Whether the kernel takes reads, writes and fsync alone at this ring, and nothing more to register: from Linux 5.10 on.</summary>
    public bool IsRestricted { get; }

    /// <summary>Whether completions signal the eventfd.</summary>
    public bool Signals
    {
        set
        {
            Volatile.Write(ref *_completionFlags, value ? 0 : Libc.IORING_CQ_EVENTFD_DISABLED);

            // StoreLoad: the wish is visible before the caller looks at the ring again.
            Interlocked.MemoryBarrier();
        }
    }

    /// <summary>Queues a request for the next <see cref="Enter"/>; false when the ring is full.</summary>
    /// <param name="opcode">One of IORING_OP_….</param>
    /// <param name="fd">The file.</param>
    /// <param name="address">Address of the iovecs, which stay where they are until the completion.</param>
    /// <param name="count">Number of iovecs.</param>
    /// <param name="offset">Byte of the file.</param>
    /// <param name="flags">RWF_… or IORING_FSYNC_….</param>
    /// <param name="userData">Comes back with the completion.</param>
    public bool TryQueue(byte opcode, int fd, nint address, int count, ulong offset, uint flags, ulong userData)
    {
        uint tail = *_submissionTail;
        if (tail - Volatile.Read(ref *_submissionHead) == _entries)
        {
            return false;
        }

        _submissions[tail & _submissionMask] = new Libc.io_uring_sqe
        {
            opcode = opcode,
            fd = fd,
            addr = (ulong)address,
            len = (uint)count,
            off = offset,
            rw_flags = flags,
            user_data = userData,
        };
        Volatile.Write(ref *_submissionTail, tail + 1);
        _queued++;
        return true;
    }

    /// <summary>Hands over what is queued and waits for at least <paramref name="completions"/> results; false with errno on failure.</summary>
    public bool Enter(uint completions)
    {
        while (_queued > 0 || completions > 0)
        {
            uint flags = completions > 0 ? Libc.IORING_ENTER_GETEVENTS : 0;
            nint done = Libc.syscall(Libc.SYS_io_uring_enter, _ring.Value, (nint)_queued, (nint)completions, (nint)flags, 0, 0);
            if (done >= 0)
            {
                _queued -= (uint)done;
                if (_queued == 0)
                {
                    return true;
                }
            }
            else if (Errno.Last != Errno.EINTR)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Takes the next result: bytes, or a negative errno.</summary>
    public bool TryTake(out ulong userData, out int result)
    {
        uint head = *_completionHead;
        if (head == Volatile.Read(ref *_completionTail))
        {
            userData = 0;
            result = 0;
            return false;
        }

        Libc.io_uring_cqe entry = _completions[head & _completionMask];
        Volatile.Write(ref *_completionHead, head + 1);
        userData = entry.user_data;
        result = entry.res;
        return true;
    }

    public void Dispose()
    {
        if (_submissions is not null)
        {
            _ = Libc.munmap(_submissions, _entriesBytes);
            _submissions = null;
        }

        if (_map is not null)
        {
            _ = Libc.munmap(_map, _ringBytes);
            _map = null;
        }

        _ring.Dispose();
    }

    private static FileDescriptor Setup(uint entries, out Libc.io_uring_params parameters)
    {
        // Without COOP_TASKRUN (from 5.19 on) each completion interrupts the thread that submitted, wherever it is.
        // R_DISABLED is of 5.10.
        foreach (uint flags in (ReadOnlySpan<uint>)
        [
            Libc.IORING_SETUP_CLAMP | Libc.IORING_SETUP_R_DISABLED | Libc.IORING_SETUP_COOP_TASKRUN,
            Libc.IORING_SETUP_CLAMP | Libc.IORING_SETUP_R_DISABLED,
            Libc.IORING_SETUP_CLAMP,
        ])
        {
            Libc.io_uring_params wish = new() { flags = flags };
            nint fd = Libc.syscall(Libc.SYS_io_uring_setup, (nint)entries, (nint)(&wish), 0, 0, 0, 0);
            if (fd >= 0)
            {
                parameters = wish;
                return new FileDescriptor((int)fd);
            }

            if (Errno.Last != Errno.EINVAL)
            {
                break;
            }
        }

        throw LinuxException.Last("io_uring_setup");
    }

    /// <summary>What the ring may do, as the filter of system calls doesn't see it; then it begins.</summary>
    private void Restrict()
    {
        Libc.io_uring_restriction* allowed = stackalloc Libc.io_uring_restriction[3];
        allowed[0] = new() { opcode = Libc.IORING_RESTRICTION_SQE_OP, sqe_op = Libc.IORING_OP_READV };
        allowed[1] = new() { opcode = Libc.IORING_RESTRICTION_SQE_OP, sqe_op = Libc.IORING_OP_WRITEV };
        allowed[2] = new() { opcode = Libc.IORING_RESTRICTION_SQE_OP, sqe_op = Libc.IORING_OP_FSYNC };
        Register(Libc.IORING_REGISTER_RESTRICTIONS, allowed, 3);
        Register(Libc.IORING_REGISTER_ENABLE_RINGS, null, 0);
    }

    private void Register(uint what, void* argument, uint count)
    {
        if (Libc.syscall(Libc.SYS_io_uring_register, _ring.Value, (nint)what, (nint)argument, (nint)count, 0, 0) < 0)
        {
            throw LinuxException.Last($"io_uring_register({what})");
        }
    }

    private byte* Map(nuint length, long offset)
    {
        void* map = Libc.mmap(null, length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, _ring.Value, offset);
        return map == Libc.MAP_FAILED ? throw LinuxException.Last("mmap of an io_uring") : (byte*)map;
    }
}
