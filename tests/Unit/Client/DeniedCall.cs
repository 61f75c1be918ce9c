using System;
using System.Runtime.InteropServices;

namespace Strato.Tests.Unit.Client;

/// <summary>Takes a system call away from the calling thread and what it starts, for good: a process of its own is to do that.</summary>
internal static unsafe class DeniedCall
{
    internal const uint SYS_pidfd_open = 434;
    internal const uint EMFILE = 24;

    private const int PR_SET_SECCOMP = 22;
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const int SECCOMP_MODE_FILTER = 2;
    private const uint SECCOMP_RET_ERRNO = 0x50000;
    private const uint SECCOMP_RET_ALLOW = 0x7fff0000;

    /// <param name="number">Of the call, on x86-64.</param>
    /// <param name="errno">What it fails with from now on.</param>
    internal static void Fail(uint number, uint errno)
    {
        sock_filter* program = stackalloc sock_filter[]
        {
            new() { code = 0x20, jt = 0 },              // ld [0], the number in seccomp_data
            new() { code = 0x15, jf = 1, k = number },         // jeq number, else over the next
            new() { code = 0x06, k = SECCOMP_RET_ERRNO | errno },
            new() { code = 0x06, k = SECCOMP_RET_ALLOW },
        };
        sock_fprog filter = new() { len = 4, filter = program };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
        {
            throw new InvalidOperationException($"prctl: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError())}");
        }
    }

    [DllImport("libc")]
    private static extern int prctl(int option, nint mode, void* argument, nint fourth, nint fifth);

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
