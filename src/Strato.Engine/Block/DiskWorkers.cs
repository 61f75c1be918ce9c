using System;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Security;

namespace Strato.Engine.Block;

/// <summary>Threads that do a disk's requests with calls that may wait. They start as they are needed, and stay.</summary>
/// <remarks>
/// Requests go to the threads through a list and a counting eventfd, one count a request; results come back through a
/// second list and an eventfd that the disk's loop watches. A disk has threads of its own: one whose host side hangs
/// holds up no other.
/// </remarks>
internal sealed class DiskWorkers(DiskImage image) : IDisposable
{
    /// <summary>Most threads of a disk: as many requests wait in the kernel at once.</summary>
    public const int MaximumThreads = 16;

    private const int StackBytes = 128 * 1024;

    private readonly Lock _lock = new();
    private readonly FileDescriptor _wake = Libc.CreateSemaphoreFd();
    private readonly FileDescriptor _done = Libc.CreateEventFd();
    private readonly Thread?[] _threads = new Thread?[MaximumThreads];
    private DiskRequestList _waiting;
    private DiskRequestList _finished;
    private int _started;
    private int _queued;
    private int _busy;
    private bool _ended;

    /// <summary>Signalled when a result comes and none is waiting.</summary>
    public int EventFd => _done.Value;

    /// <summary>Gives a request to a thread. One caller at a time.</summary>
    public void Submit(DiskRequest request)
    {
        bool start;
        lock (_lock)
        {
            _waiting.Add(request);
            start = ++_queued > _started - _busy && _started < MaximumThreads;
            _started += start ? 1 : 0;
        }

        if (start)
        {
            _threads[_started - 1] = new Thread(Work, StackBytes) { IsBackground = true };
            _threads[_started - 1]!.Start();
        }

        Libc.SignalEventFd(_wake.Value);
    }

    /// <summary>Takes a request that is finished; null when there is none now.</summary>
    public DiskRequest? Take()
    {
        lock (_lock)
        {
            return _finished.Take();
        }
    }

    /// <summary>Waits until <see cref="Take"/> has something. Only while a request is under way, and nobody else drains <see cref="EventFd"/>.</summary>
    public void Wait()
    {
        while (true)
        {
            lock (_lock)
            {
                if (!_finished.IsEmpty)
                {
                    return;
                }
            }

            _ = Libc.Poll(_done.Value, PollEvents.In, -1);
            _ = Libc.DrainEventFd(_done.Value);
        }
    }

    /// <summary>Ends the threads. When no request is under way.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _ended, true);
        for (int i = 0; i < _started; i++)
        {
            Libc.SignalEventFd(_wake.Value);
        }

        for (int i = 0; i < _started; i++)
        {
            _threads[i]!.Join();
        }

        _wake.Dispose();
        _done.Dispose();
    }

    private void Work()
    {
        Libc.SetThreadName("disk " + image.Id);
        Seccomp.EnterThread(ThreadKinds.Worker);
        while (true)
        {
            Libc.TakeSemaphore(_wake.Value);
            DiskRequest? request;
            lock (_lock)
            {
                request = _waiting.Take();
                _queued -= request is null ? 0 : 1;
                _busy += request is null ? 0 : 1;
            }

            if (request is null)
            {
                if (Volatile.Read(ref _ended))
                {
                    return;
                }

                continue;
            }

            image.Perform(request);
            bool first;
            lock (_lock)
            {
                first = _finished.IsEmpty;
                _finished.Add(request);
                _busy--;
            }

            if (first)
            {
                Libc.SignalEventFd(_done.Value);
            }
        }
    }
}
