using Strato.Engine.Linux;

namespace Strato.Engine.Block;

/// <summary><c>aio=native</c>: the kernel's own asynchronous I/O, which waits for nothing with O_DIRECT alone.</summary>
internal sealed class NativeEngine : IDiskEngine
{
    private readonly FileDescriptor _event = Libc.CreateEventFd();
    private readonly DiskImage _image;
    private readonly AioContext _context;
    private readonly DiskRequest?[] _requests;
    private DiskRequestList _refused;

    /// <exception cref="LinuxException">The host refuses.</exception>
    public NativeEngine(DiskImage image, int requests)
    {
        _image = image;
        _requests = new DiskRequest?[requests];
        try
        {
            _context = new AioContext(requests, _event.Value);
        }
        catch
        {
            _event.Dispose();
            throw;
        }
    }

    public int EventFd => _event.Value;

    /// <remarks>They always do.</remarks>
    public bool Signals
    {
        set => _ = value;
    }

    public bool Does(DiskOperation operation) => operation is DiskOperation.Read or DiskOperation.Write;

    public void Queue(DiskRequest request)
    {
        bool read = request.Operation == DiskOperation.Read;
        _requests[request.Number] = request;
        _context.Queue(
            request.Number,
            read ? Libc.IOCB_CMD_PREADV : Libc.IOCB_CMD_PWRITEV,
            _image.Descriptor,
            request.Buffers.PartsAddress,
            int.Min(request.Buffers.Parts.Length, Libc.UIO_MAXIOV),
            request.Offset,
            request.Stable && !read ? (uint)Libc.RWF_DSYNC : 0);
    }

    public void Commit()
    {
        for (int refused = _context.Submit(); refused >= 0; refused = _context.Submit())
        {
            DiskRequest request = _requests[refused]!;
            request.Error = Errno.Last;
            _refused.Add(request);
        }
    }

    public bool TryTake(out int number, out long result)
    {
        if (_refused.Take() is { } refused)
        {
            (number, result) = (refused.Number, -refused.Error);
            refused.Error = 0;
            return true;
        }

        return _context.TryTake(out number, out result);
    }

    public void Wait()
    {
        // What was refused is there already, and the kernel may have nothing.
        if (_refused.IsEmpty)
        {
            _context.Wait();
        }
    }

    public void Dispose()
    {
        _context.Dispose();
        _event.Dispose();
    }
}
