using System;
using System.Threading;

namespace Strato.Engine.Linux;

/// <summary>A context of the kernel's asynchronous I/O, with its requests numbered from 0.</summary>
/// <remarks>
/// Used by one thread at a time. The kernel copies a request when it is submitted, but for its iovecs. Results are taken from the
/// ring that the kernel maps at the context's address, as QEMU and fio do.
/// </remarks>
internal sealed unsafe class AioContext : IDisposable
{
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
        Libc.aio_ring* ring = (Libc.aio_ring*)context;
        if (ring->magic != Libc.AIO_RING_MAGIC || ring->incompat_features != 0)
        {
            Dispose();
            throw new LinuxException("io_setup: results of a form that isn't known", Errno.ENOSYS);
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

    /// <summary>Takes the next result: the number of its request, and bytes or a negative errno; false when there is none now.</summary>
    /// <remarks>No call: the kernel writes the entry, then the tail, and looks at the head when it counts free entries.</remarks>
    public bool TryTake(out int number, out long result)
    {
        Libc.aio_ring* ring = (Libc.aio_ring*)_context;
        uint head = ring->head;
        if (head == Volatile.Read(ref ring->tail))
        {
            (number, result) = (0, 0);
            return false;
        }

        Libc.io_event entry = ((Libc.io_event*)((byte*)ring + ring->header_length))[head];
        Volatile.Write(ref ring->head, (head + 1) % ring->nr);
        (number, result) = ((int)entry.data, entry.res);
        return true;
    }

    /// <summary>Waits until <see cref="TryTake"/> has something. Only while a request is under way, and nobody else drains the eventfd.</summary>
    public void Wait()
    {
        Libc.aio_ring* ring = (Libc.aio_ring*)_context;
        while (ring->head == Volatile.Read(ref ring->tail))
        {
            // The entry is there before the signal.
            _ = Libc.Poll(_eventFd, PollEvents.In, -1);
            _ = Libc.DrainEventFd(_eventFd);
        }
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
