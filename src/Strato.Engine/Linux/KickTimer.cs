using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

internal static unsafe partial class Libc
{
    internal const int SIGEV_THREAD_ID = 4;

    /// <summary>struct sigevent of the kernel for SIGEV_THREAD_ID.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    internal struct sigevent
    {
        public nint sigev_value;
        public int sigev_signo;
        public int sigev_notify;
        public int sigev_notify_thread_id;
    }

    [LibraryImport("libc")]
    internal static partial int timer_create(int clock, sigevent* @event, nint* timer);

    [LibraryImport("libc")]
    internal static partial int timer_settime(nint timer, int flags, itimerspec* value, itimerspec* old);

    [LibraryImport("libc")]
    internal static partial int timer_delete(nint timer);
}

/// <summary>Interrupts the calling thread's system calls with SIGVCPU when a time has passed, and again every such time.</summary>
/// <remarks>It repeats, so that a signal that comes just before the call it is meant for isn't the only one.</remarks>
internal sealed unsafe class KickTimer : IDisposable
{
    private readonly nint _timer;

    public KickTimer(TimeSpan period)
    {
        NativeStubs.Install(Libc.SIGVCPU, NativeStubs.Return());
        Libc.sigevent @event = new()
        {
            sigev_signo = Libc.SIGVCPU,
            sigev_notify = Libc.SIGEV_THREAD_ID,
            sigev_notify_thread_id = Libc.gettid(),
        };
        nint timer;
        if (Libc.timer_create(Libc.CLOCK_MONOTONIC, &@event, &timer) < 0)
        {
            throw LinuxException.Last("timer_create");
        }

        _timer = timer;
        Libc.timespec time = new() { tv_sec = period.Ticks / TimeSpan.TicksPerSecond, tv_nsec = period.Ticks % TimeSpan.TicksPerSecond * 100 };
        Libc.itimerspec value = new() { it_value = time, it_interval = time };
        _ = Libc.timer_settime(timer, 0, &value, null);
    }

    public void Dispose() => _ = Libc.timer_delete(_timer);
}
