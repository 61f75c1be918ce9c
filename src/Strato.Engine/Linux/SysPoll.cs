using System;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

[Flags]
internal enum PollEvents : short
{
    None = 0,
    In = 0x001,
    Out = 0x004,
    Error = 0x008,
    HangUp = 0x010,
}

/// <summary><c>poll.h</c>: readiness of one descriptor, outside an event loop.</summary>
internal static unsafe partial class Libc
{
    [StructLayout(LayoutKind.Sequential)]
    internal struct pollfd
    {
        public int fd;
        public PollEvents events;
        public PollEvents revents;
    }

    [LibraryImport("libc")]
    internal static partial int poll(pollfd* descriptors, nuint count, int timeoutMilliseconds);

    /// <summary>Waits until one of the events, an error or a hang-up; None when the time is over. A signal, or a stop, doesn't end the wait.</summary>
    internal static PollEvents Poll(int fd, PollEvents events, int timeoutMilliseconds)
    {
        long start = Stopwatch.GetTimestamp();
        int left = timeoutMilliseconds;
        while (true)
        {
            pollfd descriptor = new() { fd = fd, events = events };
            int count = poll(&descriptor, 1, left);
            if (count >= 0 || Errno.Last != Errno.EINTR)
            {
                return count > 0 ? descriptor.revents : PollEvents.None;
            }

            // -1 waits for ever.
            left = timeoutMilliseconds < 0 ? timeoutMilliseconds : Math.Max(0, timeoutMilliseconds - (int)Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
    }
}
