using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <remarks>linux/seccomp.h, linux/filter.h, linux/prctl.h, linux/audit.h.</remarks>
internal static unsafe partial class Libc
{
    internal const int SIGSYS = 31;
    internal const int SA_SIGINFO = 4;
    internal const int SA_ONSTACK = 0x08000000;

    internal const int PR_GET_NAME = 16;
    internal const int PR_SET_VMA = 0x53564d41;

    internal const int SECCOMP_SET_MODE_FILTER = 1;
    internal const int SECCOMP_FILTER_FLAG_TSYNC = 1;

    /// <summary>Linux before 5.16 slows a thread with a filter down, lest its code be made to speculate: guests have mitigations of their own.</summary>
    internal const int SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
    internal const uint SECCOMP_RET_KILL_PROCESS = 0x80000000;
    internal const uint SECCOMP_RET_TRAP = 0x00030000;
    internal const uint SECCOMP_RET_ERRNO = 0x00050000;
    internal const uint SECCOMP_RET_ALLOW = 0x7fff0000;

    internal const uint AUDIT_ARCH_X86_64 = 0xc000003e;

    internal const ushort BPF_LD_W_ABS = 0x20;
    internal const ushort BPF_JMP_JA = 0x05;
    internal const ushort BPF_JMP_JEQ_K = 0x15;
    internal const ushort BPF_ALU_AND_K = 0x54;
    internal const ushort BPF_RET_K = 0x06;

    /// <summary>Where a filter finds the call's number, its architecture and its first argument (struct seccomp_data).</summary>
    internal const uint SeccompNumber = 0;
    internal const uint SeccompArchitecture = 4;
    internal const uint SeccompArguments = 16;

    private const int SYS_seccomp = 317;

    [StructLayout(LayoutKind.Sequential)]
    internal struct sock_filter
    {
        public ushort code;
        public byte jt;
        public byte jf;
        public uint k;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct sock_fprog
    {
        public ushort len;
        public sock_filter* filter;
    }

    /// <summary>Has the kernel ask a filter about each call of all threads there are, and of those that they make. It can't be taken back.</summary>
    /// <remarks>No program that they start gets more rights than they have, for that is what a filter without rights asks for.</remarks>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    internal static void FilterProcess(ReadOnlySpan<sock_filter> filter)
    {
        fixed (sock_filter* first = filter)
        {
            sock_fprog program = new() { len = (ushort)filter.Length, filter = first };
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            {
                throw LinuxException.Last("prctl(PR_SET_NO_NEW_PRIVS)");
            }

            nint result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, (nint)(&program), 0, 0, 0);
            if (result != 0)
            {
                throw result < 0 ? LinuxException.Last("seccomp") : new LinuxException($"seccomp: thread {result} has a filter of its own", Errno.EINVAL);
            }
        }
    }

    /// <summary>Adds a filter for the calling thread, and those that it makes. Both filters have to allow a call.</summary>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    internal static void FilterThread(ReadOnlySpan<sock_filter> filter)
    {
        fixed (sock_filter* first = filter)
        {
            sock_fprog program = new() { len = (ushort)filter.Length, filter = first };
            if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, (nint)(&program), 0, 0, 0) < 0)
            {
                throw LinuxException.Last("seccomp");
            }
        }
    }

    /// <summary>Sets a handler that nothing interrupts: a signal that comes of what it does, such as SIGPIPE, waits.</summary>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    internal static void SetFinalHandler(int signal, nint handler)
    {
        sigaction_t action = new() { sa_handler = handler, sa_flags = SA_SIGINFO | SA_ONSTACK, sa_mask = new sigset_t { bits = ~0UL } };
        if (sigaction(signal, &action, null) < 0)
        {
            throw LinuxException.Last($"sigaction({signal})");
        }
    }
}
