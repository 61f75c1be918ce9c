using System;

namespace Strato.Engine.Linux;

/// <summary>A one-shot timer on an <see cref="EventLoop"/> (timerfd, monotonic clock).</summary>
internal sealed unsafe class LoopTimer : IDisposable
{
    private readonly EventLoop _loop;
    private readonly FileDescriptor _timer;
    private readonly Action _elapsed;

    public LoopTimer(EventLoop loop, Action elapsed)
    {
        int fd = Libc.timerfd_create(Libc.CLOCK_MONOTONIC, Libc.TFD_CLOEXEC | Libc.TFD_NONBLOCK);
        _timer = fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("timerfd_create");
        _loop = loop;
        _elapsed = elapsed;
        try
        {
            loop.Add(fd, EpollEvents.In, OnReady);
        }
        catch
        {
            _timer.Dispose();
            throw;
        }
    }

    /// <summary>(Re)starts the timer; it fires once. Zero stops it.</summary>
    public void Set(TimeSpan delay)
    {
        // Once closed, the descriptor's number may be another's.
        if (_timer.IsClosed)
        {
            return;
        }

        long nanoseconds = delay.Ticks * 100;
        Libc.itimerspec value = new()
        {
            it_value = new Libc.timespec { tv_sec = nanoseconds / 1_000_000_000, tv_nsec = nanoseconds % 1_000_000_000 },
        };
        _ = Libc.timerfd_settime(_timer.Value, 0, &value, null);
    }

    public void Dispose()
    {
        if (!_timer.IsClosed)
        {
            _loop.Remove(_timer.Value);
            _timer.Dispose();
        }
    }

    private void OnReady(EpollEvents events)
    {
        if (Libc.DrainEventFd(_timer.Value))
        {
            _elapsed();
        }
    }
}
