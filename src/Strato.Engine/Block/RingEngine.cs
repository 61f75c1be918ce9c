using Strato.Engine.Linux;

namespace Strato.Engine.Block;

/// <summary><c>aio=io_uring</c>.</summary>
internal sealed class RingEngine : IDiskEngine
{
    private readonly FileDescriptor _event = Libc.CreateEventFd();
    private readonly DiskImage _image;
    private readonly IoUring _ring;

    /// <exception cref="LinuxException">The host has no io_uring, or forbids it.</exception>
    public RingEngine(DiskImage image, int requests)
    {
        _image = image;
        try
        {
            _ring = new IoUring((uint)requests, _event.Value);
        }
        catch
        {
            _event.Dispose();
            throw;
        }
    }

    public int EventFd => _event.Value;

    public bool Signals
    {
        set => _ring.Signals = value;
    }

    public bool Does(DiskOperation operation) => operation is DiskOperation.Read or DiskOperation.Write or DiskOperation.Flush;

    public void Queue(DiskRequest request)
    {
        (byte opcode, uint flags) = request.Operation switch
        {
            DiskOperation.Read => (Libc.IORING_OP_READV, 0u),
            DiskOperation.Write => (Libc.IORING_OP_WRITEV, request.Stable ? (uint)Libc.RWF_DSYNC : 0),
            _ => (Libc.IORING_OP_FSYNC, Libc.IORING_FSYNC_DATASYNC),
        };
        bool flush = request.Operation == DiskOperation.Flush;
        nint address = flush ? 0 : request.Buffers.PartsAddress;
        int count = flush ? 0 : int.Min(request.Buffers.Parts.Length, Libc.UIO_MAXIOV);
        ulong offset = flush ? 0 : request.Offset;
        while (!_ring.TryQueue(opcode, _image.Descriptor, address, count, offset, flags, (ulong)request.Number))
        {
            // As many entries as requests: the ring is full only while the kernel refuses what was queued.
            Commit();
        }
    }

    public void Commit()
    {
        if (!_ring.Enter(0))
        {
            // Short of memory: the loop comes by again.
            Libc.SignalEventFd(_event.Value);
        }
    }

    public bool TryTake(out int number, out long result)
    {
        bool taken = _ring.TryTake(out ulong userData, out int outcome);
        number = (int)userData;
        result = outcome;
        return taken;
    }

    public void Wait() => _ = _ring.Enter(1);

    public void Dispose()
    {
        _ring.Dispose();
        _event.Dispose();
    }
}
