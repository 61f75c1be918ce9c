using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;

namespace Strato.Engine.Linux;

/// <summary>What an <see cref="EventLoop"/> calls when a descriptor is ready. Runs on the loop's thread.</summary>
internal delegate void ReadyHandler(EpollEvents events);

/// <summary>One thread's wait for many descriptors (epoll, level triggered unless a watcher asks for edges), with work posted from other threads.</summary>
/// <remarks>
/// Steps of a wake-up from another thread: (1) the work is queued under the lock, (2) the eventfd is signalled,
/// (3) the loop drains the eventfd before it takes the queue. So work queued before (3) is taken now, and work queued
/// after it signals again: none is lost.
/// A slot carries a generation, so that an event epoll_wait reported for a descriptor that a handler of the same
/// batch removed (and perhaps closed, and another opened under the same number) is not given to the new owner.
/// Waiting and dispatching allocate nothing. Timers are the time that epoll_wait may take: they cost no call, and no descriptor.
/// </remarks>
internal sealed unsafe class EventLoop : IDisposable
{
    private const int BatchSize = 64;

    private readonly FileDescriptor _epoll;
    private readonly FileDescriptor _wake;
    private readonly Dictionary<int, int> _slotOf = [];
    private readonly Stack<int> _free = new();
    private readonly Lock _lock = new();
    private readonly Lock _timerLock = new();
    private readonly List<LoopTimer> _timers = [];
    private (ReadyHandler? Handler, uint Generation)[] _slots = new (ReadyHandler?, uint)[16];
    private int _used;
    private List<Action> _posted = [];
    private List<Action> _running = [];
    private volatile Thread? _runner;
    private bool _stopped;
    private int _waiter;

    // In Stopwatch ticks; no timer is due before it.
    private long _due = long.MaxValue;

    public EventLoop()
    {
        int fd = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
        _epoll = fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("epoll_create1");
        _wake = Libc.CreateEventFd();
        Add(_wake.Value, EpollEvents.In, RunPosted);
    }

    /// <summary>Takes what the host refused to a handler or to posted work, and the loop goes on; without it, <see cref="Run"/> throws that.</summary>
    public Action<LinuxException>? Failed { get; set; }

    /// <summary>Watches <paramref name="fd"/>, which stays the caller's. Only before <see cref="Run"/> or on the loop's thread.</summary>
    public void Add(int fd, EpollEvents events, ReadyHandler handler)
    {
        if (!_free.TryPop(out int slot))
        {
            if (_used == _slots.Length)
            {
                Array.Resize(ref _slots, _slots.Length * 2);
            }

            slot = _used++;
        }

        _slots[slot] = (handler, _slots[slot].Generation + 1);
        try
        {
            Control(Libc.EPOLL_CTL_ADD, fd, events, slot);
            _slotOf.Add(fd, slot);
        }
        catch
        {
            _slots[slot].Handler = null;
            _free.Push(slot);
            throw;
        }
    }

    /// <summary>Changes what is watched for on a descriptor that was added; None keeps it, reporting only errors and hang-ups.</summary>
    public void Modify(int fd, EpollEvents events) => Control(Libc.EPOLL_CTL_MOD, fd, events, _slotOf[fd]);

    /// <summary>Stops watching; call it before the descriptor is closed. A descriptor that isn't watched is ignored.</summary>
    public void Remove(int fd)
    {
        if (_slotOf.Remove(fd, out int slot))
        {
            _ = Libc.epoll_ctl(_epoll.Value, Libc.EPOLL_CTL_DEL, fd, null);
            _slots[slot].Handler = null;
            _free.Push(slot);
        }
    }

    /// <summary>Runs <paramref name="work"/> soon on the loop's thread. From any thread.</summary>
    public void Post(Action work)
    {
        lock (_lock)
        {
            _posted.Add(work);
        }

        Libc.SignalEventFd(_wake.Value);
    }

    /// <summary>Runs <paramref name="work"/> on the loop's thread, and waits for it: at once on that thread, or where nobody runs the loop.</summary>
    /// <exception cref="LinuxException">The host refuses what the work asks for.</exception>
    public void Invoke(Action work)
    {
        if (_runner is null || _runner == Thread.CurrentThread)
        {
            work();
            return;
        }

        ManualResetEventSlim done = new();
        LinuxException? refusal = null;
        Post(() =>
        {
            try
            {
                work();
            }
            catch (LinuxException error)
            {
                refusal = error;
            }
            finally
            {
                done.Set();
            }
        });
        done.Wait();
        if (refusal is not null)
        {
            throw refusal;
        }
    }

    /// <summary>Serves events until <see cref="Stop"/>.</summary>
    public void Run()
    {
        _runner = Thread.CurrentThread;
        EnterWait();
        Libc.epoll_event* batch = stackalloc Libc.epoll_event[BatchSize];
        while (!_stopped)
        {
            Poll(batch, -1);
        }

        _runner = null;
    }

    /// <summary>Serves what is ready now, or what becomes ready within the time; whether anything did. For tests and nested waits.</summary>
    public bool RunOnce(int timeoutMilliseconds)
    {
        EnterWait();
        Libc.epoll_event* batch = stackalloc Libc.epoll_event[BatchSize];
        return Poll(batch, timeoutMilliseconds);
    }

    /// <summary>Makes <see cref="Run"/> return after the handlers of the current batch. On the loop's thread; others post it.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Adds a timer that isn't set.</summary>
    public void Add(LoopTimer timer)
    {
        lock (_timerLock)
        {
            _timers.Add(timer);
        }
    }

    /// <summary>Stops a timer; from here on <see cref="Set"/> ignores it.</summary>
    public void Remove(LoopTimer timer)
    {
        lock (_timerLock)
        {
            timer.Due = long.MaxValue;
            _ = _timers.Remove(timer);
        }
    }

    /// <summary>Sets when a timer is due, in Stopwatch ticks; <see cref="long.MaxValue"/> for never. From any thread.</summary>
    public void Set(LoopTimer timer, long due)
    {
        bool sooner;
        lock (_timerLock)
        {
            if (timer.IsDisposed)
            {
                return;
            }

            timer.Due = due;
            sooner = due < _due;
            if (sooner)
            {
                Interlocked.Exchange(ref _due, due);
            }
        }

        // The wait's thread says that it waits before it looks when to end; this one looks whether it waits after it has said when.
        if (sooner && Volatile.Read(ref _waiter) is not 0 and int waiter && waiter != Environment.CurrentManagedThreadId)
        {
            Libc.SignalEventFd(_wake.Value);
        }
    }

    public void Dispose()
    {
        _epoll.Dispose();
        _wake.Dispose();
    }

    private bool Poll(Libc.epoll_event* batch, int timeoutMilliseconds)
    {
        int count = Libc.epoll_wait(_epoll.Value, batch, BatchSize, UntilDue(timeoutMilliseconds));
        if (count < 0)
        {
            return Errno.Last == Errno.EINTR ? false : throw LinuxException.Last("epoll_wait");
        }

        for (int i = 0; i < count; i++)
        {
            int slot = (int)(uint)batch[i].data;
            (ReadyHandler? handler, uint generation) = _slots[slot];
            if (handler is not null && generation == (uint)(batch[i].data >> 32))
            {
                try
                {
                    handler(batch[i].events);
                }
                catch (LinuxException error) when (Failed is not null)
                {
                    Failed(error);
                }
            }
        }

        return RunTimers() || count > 0;
    }

    /// <summary>Whoever sets a timer from now on wakes the wait, unless on this thread.</summary>
    private void EnterWait() => Interlocked.Exchange(ref _waiter, Environment.CurrentManagedThreadId);

    /// <summary>The milliseconds until a timer is due, not less, or until the time is over (-1: never).</summary>
    private int UntilDue(int timeoutMilliseconds)
    {
        long due = Interlocked.Read(ref _due);
        if (due == long.MaxValue)
        {
            return timeoutMilliseconds;
        }

        long ticks = Math.Max(0, due - Stopwatch.GetTimestamp());
        long millisecond = Stopwatch.Frequency / 1000;
        int left = (int)Math.Min((ticks + millisecond - 1) / millisecond, int.MaxValue);
        return timeoutMilliseconds < 0 ? left : Math.Min(timeoutMilliseconds, left);
    }

    /// <summary>Calls those that are due, the earliest first; whether any was.</summary>
    private bool RunTimers()
    {
        long due = Interlocked.Read(ref _due);
        if (due == long.MaxValue)
        {
            return false;
        }

        // One that is set anew meanwhile is due after this moment.
        bool any = false;
        long now = Stopwatch.GetTimestamp();
        while (now >= due && TakeDue(now) is { } timer)
        {
            any = true;
            Execute(timer.Elapsed);
        }

        return any;
    }

    private LoopTimer? TakeDue(long now)
    {
        lock (_timerLock)
        {
            LoopTimer? first = null;
            long due = long.MaxValue;
            foreach (LoopTimer timer in _timers)
            {
                if (timer.Due < due)
                {
                    (first, due) = (timer, timer.Due);
                }
            }

            if (first is null || due > now)
            {
                Interlocked.Exchange(ref _due, due);
                return null;
            }

            first.Due = long.MaxValue;
            return first;
        }
    }

    private void RunPosted(EpollEvents events)
    {
        Libc.DrainEventFd(_wake.Value);
        lock (_lock)
        {
            (_posted, _running) = (_running, _posted);
        }

        try
        {
            foreach (Action work in _running)
            {
                Execute(work);
            }
        }
        finally
        {
            _running.Clear();
        }
    }

    private void Execute(Action work)
    {
        try
        {
            work();
        }
        catch (LinuxException error) when (Failed is not null)
        {
            Failed(error);
        }
    }

    private void Control(int operation, int fd, EpollEvents events, int slot)
    {
        Libc.epoll_event control = new()
        {
            events = events,
            data = (uint)slot | ((ulong)_slots[slot].Generation << 32),
        };
        if (Libc.epoll_ctl(_epoll.Value, operation, fd, &control) < 0)
        {
            throw LinuxException.Last($"epoll_ctl(fd {fd})");
        }
    }
}
