using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace Strato.Client.Linux;

/// <summary><c>poll.h</c>, <c>sys/eventfd.h</c>, <c>sys/inotify.h</c>.</summary>
internal static unsafe partial class Libc
{
    internal const short POLLIN = 1;
    internal const short POLLOUT = 4;

    internal const int EFD_CLOEXEC = 0x80000;
    internal const int EFD_NONBLOCK = 0x800;

    internal const int IN_CLOEXEC = 0x80000;
    internal const int IN_NONBLOCK = 0x800;
    internal const uint IN_MODIFY = 0x2;
    internal const uint IN_MOVED_TO = 0x80;
    internal const uint IN_CREATE = 0x100;
    internal const uint IN_DELETE = 0x200;
    internal const uint IN_DELETE_SELF = 0x400;
    internal const uint IN_MOVE_SELF = 0x800;

    [StructLayout(LayoutKind.Sequential)]
    internal struct pollfd
    {
        public int fd;
        public short events;
        public short revents;
    }

    [LibraryImport("libc")]
    internal static partial int poll(pollfd* fds, nuint count, int milliseconds);

    [LibraryImport("libc")]
    internal static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc")]
    internal static partial int inotify_init1(int flags);

    [LibraryImport("libc")]
    internal static partial int inotify_add_watch(int fd, byte* path, uint mask);
}

/// <summary>A point in time on the monotonic clock, or never.</summary>
internal readonly struct Deadline
{
    private readonly long _at;

    private Deadline(long at)
    {
        _at = at;
    }

    internal static Deadline Never => new(long.MaxValue);

    /// <summary>Null and anything beyond a century is never.</summary>
    internal static Deadline After(TimeSpan? span) =>
        span is null || span.Value > TimeSpan.FromDays(36500) ? Never : new(Environment.TickCount64 + Math.Max(0, (long)Math.Ceiling(span.Value.TotalMilliseconds)));

    internal bool Passed => _at != long.MaxValue && Environment.TickCount64 >= _at;

    /// <summary>For poll(2): -1 is for ever.</summary>
    internal int Milliseconds => _at == long.MaxValue ? -1 : (int)Math.Clamp(_at - Environment.TickCount64, 0, int.MaxValue);

    internal TimeSpan Remaining => _at == long.MaxValue ? TimeSpan.MaxValue : TimeSpan.FromMilliseconds(Milliseconds);

    internal Deadline Sooner(Deadline other) => new(Math.Min(_at, other._at));
}

/// <summary>Waits for descriptors, a time limit and a cancellation at once; nothing here wakes up to look.</summary>
internal sealed unsafe class Waiter : IDisposable
{
    private readonly CancellationToken _token;
    private readonly FileDescriptor? _event;
    private readonly CancellationTokenRegistration _registration;

    internal Waiter(CancellationToken token)
    {
        _token = token;
        if (!token.CanBeCanceled)
        {
            return;
        }

        _event = new FileDescriptor(Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK));
        _registration = token.Register(static state => Signal(((FileDescriptor)state!).Value), _event);
    }

    /// <summary>Waits until one of the descriptors can be read (or has hung up).</summary>
    /// <returns>The index of the first that can; -1 when the time limit passed. Negative descriptors are never ready.</returns>
    internal int WaitReadable(Deadline deadline, params ReadOnlySpan<int> descriptors) => Wait(deadline, -1, descriptors);

    /// <summary>As <see cref="WaitReadable"/>, where descriptor number <paramref name="writable"/> is waited for to take bytes instead.</summary>
    internal int Wait(Deadline deadline, int writable, params ReadOnlySpan<int> descriptors)
    {
        Span<Libc.pollfd> set = descriptors.Length < 64 ? stackalloc Libc.pollfd[descriptors.Length + 1] : new Libc.pollfd[descriptors.Length + 1];
        for (int i = 0; i < descriptors.Length; i++)
        {
            set[i] = new Libc.pollfd { fd = descriptors[i], events = i == writable ? Libc.POLLOUT : Libc.POLLIN };
        }

        set[^1] = new Libc.pollfd { fd = _event?.Value ?? -1, events = Libc.POLLIN };
        while (true)
        {
            _token.ThrowIfCancellationRequested();
            int ready;
            fixed (Libc.pollfd* pointer = set)
            {
                ready = Libc.poll(pointer, (nuint)set.Length, deadline.Milliseconds);
            }

            if (ready < 0)
            {
                int errno = Errno.Last;
                if (errno != Errno.EINTR)
                {
                    throw new StratoException(StratoErrorKind.Failed, "PollFailed", $"poll: {Errno.Text(errno)}.");
                }

                continue;
            }

            _token.ThrowIfCancellationRequested();
            for (int i = 0; i < descriptors.Length; i++)
            {
                if (set[i].revents != 0)
                {
                    return i;
                }
            }

            if (deadline.Passed)
            {
                return -1;
            }
        }
    }

    public void Dispose()
    {
        // Waits for a running callback, so that none writes to a descriptor that is closed.
        _registration.Dispose();
        _event?.Dispose();
    }

    private static void Signal(int fd)
    {
        ulong one = 1;
        _ = Libc.write(fd, (byte*)&one, sizeof(ulong));
    }
}
