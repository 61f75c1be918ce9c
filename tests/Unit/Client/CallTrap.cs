using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace Strato.Tests.Unit.Client;

/// <summary>Hands the calls by which a process changes files, starts others and ends them to another process, which lets each be or not: seccomp's user notification (Linux 5.5).</summary>
internal static unsafe class CallTrap
{
    /// <summary>seccomp_data.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Notification
    {
        internal ulong Id;
        internal int Pid;
        internal uint Flags;
        internal int Number;
        internal uint Arch;
        internal ulong Instruction;
        internal fixed ulong Arguments[6];
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Response
    {
        internal ulong Id;
        internal long Value;
        internal int Error;
        internal uint Flags;
    }

    internal const int Write = 1, Fsync = 74, Ftruncate = 77, Rename = 82, Mkdir = 83, Rmdir = 84, Link = 86, Unlink = 87, Openat = 257, Mkdirat = 258, Unlinkat = 263, Linkat = 265;

    private const int Openat2Flags = 0x40 | 0x200 | 0x400000; // O_CREAT, O_TRUNC, O_TMPFILE's own
    private const int SYS_seccomp = 317, SYS_pidfd_open = 434, SYS_pidfd_getfd = 438;
    private const uint NotifReceive = 0xc0502100, NotifSend = 0xc0182101;

    // write, sendto, sendmsg, clone, vfork, execve, kill, fsync, ftruncate, rename, mkdir, rmdir, link, unlink, chmod, fchmod, mkdirat, unlinkat, renameat, linkat,
    // fallocate, renameat2, copy_file_range, pidfd_send_signal, clone3
    private static readonly uint[] Calls = [1, 44, 46, 56, 58, 59, 62, 74, 77, 82, 83, 84, 86, 87, 90, 91, 258, 263, 264, 265, 285, 316, 326, 424, 435];

    /// <summary>From now on the calls of this thread, and of all that it starts, wait for whoever has the listener.</summary>
    /// <returns>The listener; -1 where the kernel has none.</returns>
    internal static int Install()
    {
        List<sock_filter> program = [new() { code = 0x20 }];
        int count = Calls.Length;
        program.Add(new() { code = 0x15, jt = (byte)(count + 1), k = Openat });
        for (int i = 0; i < count; i++)
        {
            program.Add(new() { code = 0x15, jt = (byte)(count - i - 1 + 4), k = Calls[i] });
        }

        program.Add(new() { code = 0x06, k = 0x7fff0000 });
        program.Add(new() { code = 0x20, k = 32 });
        program.Add(new() { code = 0x45, jt = 1, k = Openat2Flags });
        program.Add(new() { code = 0x06, k = 0x7fff0000 });
        program.Add(new() { code = 0x06, k = 0x7fc00000 });
        sock_filter[] code = [.. program];
        fixed (sock_filter* first = code)
        {
            sock_fprog filter = new() { len = (ushort)code.Length, filter = first };
            return prctl(38, 1, 0, 0, 0) != 0 ? -1 : (int)syscall(SYS_seccomp, 1, 8, (nint)(&filter), 0, 0, 0);
        }
    }

    /// <summary>Another process's descriptor, as our own; -1 where it may not be had.</summary>
    internal static int Take(int pid, int fd)
    {
        int handle = (int)syscall(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
        int taken = handle < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, handle, fd, 0, 0, 0, 0);
        _ = close(handle);
        return taken;
    }

    /// <summary>The next call that waits; false when nobody is left who could make one.</summary>
    internal static bool Next(int listener, out Notification call)
    {
        while (true)
        {
            pollfd wait = new() { fd = listener, events = 1 };
            if (poll(&wait, 1, -1) > 0 && (wait.revents & 1) == 0)
            {
                call = default;
                return false;
            }

            Notification received = default;
            if (ioctl(listener, NotifReceive, &received) == 0)
            {
                call = received;
                return true;
            }
        }
    }

    /// <summary>Lets the call be made, or fails it.</summary>
    internal static void Answer(int listener, ulong id, int errno = 0)
    {
        Response answer = new() { Id = id, Error = -errno, Flags = errno == 0 ? 1u : 0 };

        // One whose process is gone is nobody's.
        _ = ioctl(listener, NotifSend, &answer);
    }

    internal static void Close(int fd) => _ = close(fd);

    [DllImport("libc")]
    private static extern int prctl(int option, nint second, nint third, nint fourth, nint fifth);

    [DllImport("libc")]
    private static extern nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [DllImport("libc")]
    private static extern int ioctl(int fd, nuint request, void* argument);

    [DllImport("libc")]
    private static extern int poll(pollfd* fds, nuint count, int timeout);

    [DllImport("libc")]
    private static extern int close(int fd);

    private struct pollfd
    {
        internal int fd;
        internal short events;
        internal short revents;
    }

    private struct sock_filter
    {
        internal ushort code;
        internal byte jt;
        internal byte jf;
        internal uint k;
    }

    private struct sock_fprog
    {
        internal ushort len;
        internal sock_filter* filter;
    }
}
