using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>sched.h</c>, <c>sys/resource.h</c> and the rest of what shuts a process in.</summary>
internal static unsafe partial class Libc
{
    internal const int CLONE_NEWUTS = 0x04000000;
    internal const int CLONE_NEWIPC = 0x08000000;
    internal const int CLONE_NEWNET = 0x40000000;

    internal const int PR_SET_DUMPABLE = 4;
    internal const int PR_SET_NO_NEW_PRIVS = 38;

    internal const int SYS_keyctl = 250;
    internal const int KEYCTL_JOIN_SESSION_KEYRING = 1;

    internal const int RLIMIT_NPROC = 6;
    internal const int RLIMIT_NOFILE = 7;

    [StructLayout(LayoutKind.Sequential)]
    internal struct rlimit_t
    {
        public ulong rlim_cur;
        public ulong rlim_max;
    }

    [LibraryImport("libc")]
    internal static partial int unshare(int flags);

    [LibraryImport("libc")]
    internal static partial int setns(int fd, int flags);

    [LibraryImport("libc")]
    internal static partial int fchdir(int fd);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long keyctl(long number, int operation, nint name);

    /// <summary>Leaves the session's keys to those who have them (keyctl(2)): the calling thread gets an empty keyring. Hosts without keyrings have none to leave.</summary>
    internal static void LeaveKeyring() => _ = keyctl(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);

    [LibraryImport("libc")]
    private static partial byte* mkdtemp(byte* template);

    [LibraryImport("libc")]
    private static partial int rmdir(byte* path);

    [LibraryImport("libc")]
    private static partial int chroot(byte* path);

    [LibraryImport("libc")]
    private static partial int getrlimit(int resource, rlimit_t* limit);

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, rlimit_t* limit);

    [LibraryImport("libc")]
    private static partial int execve(byte* path, byte** arguments, byte** environment);

    /// <summary>Makes a folder of the owner's alone; null with errno on failure.</summary>
    /// <param name="prefix">Its path, less what makes it unique.</param>
    internal static string? MakeFolder(string prefix)
    {
        byte[] template = Encoding.UTF8.GetBytes(prefix + "XXXXXX\0");
        fixed (byte* pointer = template)
        {
            return mkdtemp(pointer) == null ? null : Encoding.UTF8.GetString(template, 0, template.Length - 1);
        }
    }

    /// <summary>Removes an empty folder; -1 with errno on failure.</summary>
    internal static int RemoveFolder(string path)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        fixed (byte* pointer = bytes)
        {
            return rmdir(pointer);
        }
    }

    /// <summary>Makes an open folder the process's root, and its working folder; -1 with errno on failure.</summary>
    internal static int ChangeRoot(int folder)
    {
        byte* here = stackalloc byte[] { (byte)'.', 0 };
        return fchdir(folder) < 0 ? -1 : chroot(here);
    }

    /// <summary>Lowers a limit of the process, for good; one that is lower already stays.</summary>
    /// <returns>-1 with errno on failure.</returns>
    internal static int LowerLimit(int resource, ulong limit)
    {
        rlimit_t now;
        if (getrlimit(resource, &now) < 0)
        {
            return -1;
        }

        now.rlim_max = Math.Min(now.rlim_max, limit);
        now.rlim_cur = now.rlim_max;
        return setrlimit(resource, &now);
    }

    /// <summary>Becomes another program, with this environment; returns, with errno, only when that fails.</summary>
    /// <param name="path">The program; not looked for on PATH.</param>
    /// <param name="arguments">All of argv.</param>
    /// <param name="environment">NAME=VALUE each.</param>
    internal static void Execute(string path, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment)
    {
        byte* program = Text(path);
        byte** argv = Vector(arguments);
        byte** envp = Vector(environment);
        _ = execve(program, argv, envp);
        int errno = Errno.Last;
        Free(argv);
        Free(envp);
        NativeMemory.Free(program);
        _ = Errno.Fail(errno);
    }
}
