using System;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Block;

/// <summary>The requests of one disk that are under way, and where each is: with the kernel, with a thread, or done on the spot.</summary>
/// <remarks>
/// Used by one thread at a time, the owner's lock around it. What completes is told within <see cref="Submit"/>,
/// <see cref="Commit"/>, <see cref="Settle"/> and <see cref="Drain"/>, by the call that the owner gave; it may submit anew.
/// </remarks>
internal sealed class DiskQueue : IDisposable
{
    private readonly DiskImage _image;
    private readonly Action<DiskRequest> _completed;
    private readonly DiskRequest?[] _requests;
    private readonly IDiskEngine? _engine;
    private readonly DiskWorkers? _workers;
    private int _inEngine;
    private int _withWorkers;
    private bool _queued;

    /// <param name="image">The image; the queue owns it from now on.</param>
    /// <param name="requests">Most requests under way at once; their numbers are below it.</param>
    /// <param name="completed">Called with each request that is finished.</param>
    /// <exception cref="UserErrorException">DriveAio: the host has not, or forbids, what the drive asks for.</exception>
    public DiskQueue(DiskImage image, int requests, Action<DiskRequest> completed)
    {
        _image = image;
        _completed = completed;
        _requests = new DiskRequest?[requests];
        _engine = image.AllowsKernel ? CreateEngine(image, requests) : null;
        _workers = image.Options.Aio == DriveAio.Off ? null : new DiskWorkers(image);
    }

    /// <summary>Requests under way.</summary>
    public int UnderWay => _inEngine + _withWorkers;

    /// <summary>Lets <paramref name="ready"/> be called on the loop when <see cref="Settle"/> has something to do.</summary>
    public void Watch(EventLoop loop, ReadyHandler ready)
    {
        if (_engine is not null)
        {
            loop.Add(_engine.EventFd, EpollEvents.In | EpollEvents.EdgeTriggered, ready);
        }

        if (_workers is not null)
        {
            loop.Add(_workers.EventFd, EpollEvents.In | EpollEvents.EdgeTriggered, ready);
        }
    }

    /// <summary>Ends <see cref="Watch"/>.</summary>
    public void Unwatch(EventLoop loop)
    {
        if (_engine is not null)
        {
            loop.Remove(_engine.EventFd);
        }

        if (_workers is not null)
        {
            loop.Remove(_workers.EventFd);
        }
    }

    /// <summary>Starts a request; what goes to the kernel goes there with the next <see cref="Commit"/>.</summary>
    public void Submit(DiskRequest request)
    {
        request.Error = 0;
        ulong length = request.Operation is DiskOperation.Read or DiskOperation.Write ? request.Buffers.Length : request.Length;
        if (length == 0 && request.Operation != DiskOperation.Flush)
        {
            _completed(request);
        }
        else if (_workers is null)
        {
            _image.Perform(request);
            _completed(request);
        }
        else if (_engine is not null && _engine.Does(request.Operation) && _image.IsPlain(request))
        {
            _requests[request.Number] = request;
            _inEngine++;
            Enqueue(request);
        }
        else if (_engine is null && request.Operation == DiskOperation.Read && _image.TryReadCached(request))
        {
            _completed(request);
        }
        else
        {
            _withWorkers++;
            _workers.Submit(request);
        }
    }

    /// <summary>Hands over all that was submitted, and takes what is finished already.</summary>
    public void Commit()
    {
        if (_queued)
        {
            SettleEngine();
        }
    }

    /// <summary>Takes what is finished. After it the loop is told of whatever finishes later.</summary>
    public void Settle()
    {
        SettleEngine();
        SettleWorkers();
    }

    /// <summary>Waits until nothing is under way.</summary>
    public void Drain()
    {
        Settle();
        while (UnderWay > 0)
        {
            if (_inEngine > 0)
            {
                _engine!.Wait();
            }
            else
            {
                _workers!.Wait();
            }

            Settle();
        }
    }

    /// <summary>Waits for what is under way, and closes the image.</summary>
    public void Dispose()
    {
        Drain();
        _engine?.Dispose();
        _workers?.Dispose();
        _image.Dispose();
    }

    private static IDiskEngine? CreateEngine(DiskImage image, int requests)
    {
        DriveOptions options = image.Options;
        try
        {
            return options.Aio switch
            {
                DriveAio.IoUring => new RingEngine(image, requests),
                DriveAio.Native => new NativeEngine(image, requests),
                null when options.Direct => new NativeEngine(image, requests),
                _ => null,
            };
        }
        catch (LinuxException error)
        {
            return options.Aio is not { } asked
                ? null
                : throw new UserErrorException(
                    "DriveAio",
                    $"drive '{image.Id}': the host doesn't allow aio={DriveNames.Of(asked)} ({error.Message}); allowed here: threads, off",
                    options.AioWhere ?? options.Place);
        }
    }

    private void Enqueue(DiskRequest request)
    {
        _engine!.Queue(request);
        _queued = true;
    }

    private void SettleEngine()
    {
        if (_engine is null)
        {
            return;
        }

        // Results that come at once, as from the page cache, are taken without a signal.
        _engine.Signals = false;
        bool more;
        do
        {
            if (_queued)
            {
                _queued = false;
                _engine.Commit();
            }

            TakeResults();
            more = _queued;
            if (!more && _inEngine > 0)
            {
                _engine.Signals = true;
                TakeResults();
                more = _queued;
            }
        }
        while (more);
    }

    private void TakeResults()
    {
        while (_engine!.TryTake(out int number, out long result))
        {
            DiskRequest request = _requests[number]!;
            bool finished = request.Operation == DiskOperation.Flush ? Finish(request, result) : request.Advance(result);
            if (!finished)
            {
                Enqueue(request);
                continue;
            }

            _requests[number] = null;
            _inEngine--;
            _completed(request);
        }
    }

    private static bool Finish(DiskRequest request, long result)
    {
        request.Error = (int)-result;
        return true;
    }

    private void SettleWorkers()
    {
        while (_workers?.Take() is { } request)
        {
            _withWorkers--;
            _completed(request);
        }
    }
}
