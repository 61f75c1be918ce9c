using System;
using System.Threading;

namespace Strato.Engine.Linux;

/// <summary>A context of the kernel's asynchronous I/O, with its requests numbered from 0.</summary>
/// <remarks>Used by one thread at a time. The kernel copies a request when it is submitted, but for its iovecs.</remarks>
internal sealed unsafe class AioContext : IDisposable
{
    private const int Batch = 32;
    private const uint RingMagic = 0xa10a10a1;

    private readonly Libc.iocb[] _requests;
    private readonly nint[] _queue;
    private readonly int _eventFd;
    private nint _context;
    private int _queued;

    /// <param name="entries">Requests that can be under way; each has a number below this.</param>
    /// <param name="eventFd">Signalled at each completion; stays the caller's.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public AioContext(int entries, int eventFd)
    {
        _requests = GC.AllocateArray<Libc.iocb>(entries, pinned: true);
        _queue = GC.AllocateArray<nint>(entries, pinned: true);
        _eventFd = eventFd;
        nint context = 0;
        if (Libc.syscall(Libc.SYS_io_setup, entries, (nint)(&context), 0, 0, 0, 0) < 0)
        {
            throw LinuxException.Last("io_setup");
        }

        _context = context;
    }

    /// <summary>Whether <see cref="Take"/> would find something, as far as the ring that the kernel shows tells; else it has to be asked.</summary>
    /// <remarks>struct aio_ring of the kernel's fs/aio.c: id, nr, head, tail, magic …, 32 bits each, at the context's address.</remarks>
    public bool HasResults
    {
        get
        {
            uint* ring = (uint*)_context;
            return ring[4] != RingMagic || Volatile.Read(ref ring[2]) != Volatile.Read(ref ring[3]);
        }
    }

    /// <summary>Queues a request for the next <see cref="Submit"/>; one number is queued once until its completion.</summary>
    /// <param name="number">Comes back with the completion.</param>
    /// <param name="opcode">IOCB_CMD_PREADV or IOCB_CMD_PWRITEV.</param>
    /// <param name="fd">The file.</param>
    /// <param name="address">Address of the iovecs, which stay where they are until the completion.</param>
    /// <param name="count">Number of iovecs.</param>
    /// <param name="offset">Byte of the file.</param>
    /// <param name="flags">RWF_….</param>
    public void Queue(int number, ushort opcode, int fd, nint address, int count, ulong offset, uint flags)
    {
        ref Libc.iocb request = ref _requests[number];
        request = new Libc.iocb
        {
            aio_data = (ulong)number,
            aio_rw_flags = flags,
            aio_lio_opcode = opcode,
            aio_fildes = fd,
            aio_buf = (ulong)address,
            aio_nbytes = (ulong)count,
            aio_offset = (long)offset,
            aio_flags = Libc.IOCB_FLAG_RESFD,
            aio_resfd = _eventFd,
        };

        // The array is pinned, so the element's address stays.
        fixed (Libc.iocb* pointer = &request)
        {
            _queue[_queued++] = (nint)pointer;
        }
    }

    /// <summary>Hands over what is queued.</summary>
    /// <returns>Number of a request that the kernel didn't take, with errno: the caller deals with it and calls again; -1 when all are taken.</returns>
    public int Submit()
    {
        int first = 0;
        while (first < _queued)
        {
            nint taken;
            fixed (nint* queue = _queue)
            {
                taken = Libc.syscall(Libc.SYS_io_submit, _context, _queued - first, (nint)(queue + first), 0, 0, 0);
            }

            if (taken > 0)
            {
                first += (int)taken;
                continue;
            }

            // The first that is left is the one that the kernel didn't like.
            int refused = (int)((Libc.iocb*)_queue[first])->aio_data;
            first++;
            _queue.AsSpan(first, _queued - first).CopyTo(_queue);
            _queued -= first;
            return refused;
        }

        _queued = 0;
        return -1;
    }

    /// <summary>Takes results, at least <paramref name="least"/>, for which it waits.</summary>
    /// <returns>How many were written to the front of the span; 0 when there are none, or on failure.</returns>
    public int Take(int least, Span<(int Number, long Result)> results)
    {
        int most = Math.Min(results.Length, Batch);
        Libc.timespec noTime = default;
        Libc.io_event* events = stackalloc Libc.io_event[Batch];
        nint count;
        do
        {
            count = Libc.syscall(Libc.SYS_io_getevents, _context, least, most, (nint)events, (nint)(least > 0 ? null : &noTime), 0);
        }
        while (count < 0 && Errno.Last == Errno.EINTR);

        for (int i = 0; i < count; i++)
        {
            results[i] = ((int)events[i].data, events[i].res);
        }

        return Math.Max((int)count, 0);
    }

    /// <summary>Waits for whatever is under way, and ends the context.</summary>
    public void Dispose()
    {
        if (_context != 0)
        {
            _ = Libc.syscall(Libc.SYS_io_destroy, _context, 0, 0, 0, 0, 0);
            _context = 0;
        }
    }
}
