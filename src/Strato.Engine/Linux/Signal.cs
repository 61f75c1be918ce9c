using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>signal.h</c>: masks, handlers, and sending a signal to one thread.</summary>
internal static unsafe partial class Libc
{
    internal const int SIGHUP = 1;
    internal const int SIGINT = 2;
    internal const int SIGKILL = 9;
    internal const int SIGPIPE = 13;
    internal const int SIGTERM = 15;
    internal const int SIGXFSZ = 25;

    /// <summary>The kick of a vCPU thread. The runtime uses SIGRTMIN (34) to suspend threads; this is the next one.</summary>
    internal const int SIGVCPU = 35;

    internal const int SIG_BLOCK = 0;
    internal const int SIG_UNBLOCK = 1;

    internal const nint SIG_IGN = 1;

    /// <summary>sigset_t of glibc: 1024 bits, of which the kernel looks at 64.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 128)]
    internal struct sigset_t
    {
        public ulong bits;

        public void Add(int signal) => bits |= 1UL << (signal - 1);
    }

    /// <summary>struct sigaction of glibc on x86-64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct sigaction_t
    {
        public nint sa_handler;
        public sigset_t sa_mask;
        public int sa_flags;
        public nint sa_restorer;
    }

    [LibraryImport("libc")]
    internal static partial int sigaction(int signal, sigaction_t* action, sigaction_t* old);

    [LibraryImport("libc")]
    internal static partial int pthread_sigmask(int how, sigset_t* set, sigset_t* old);

    [LibraryImport("libc")]
    internal static partial int tgkill(int tgid, int tid, int signal);

    /// <summary>Ignores a signal from now on, in this process and those that it starts.</summary>
    internal static void IgnoreSignal(int signal)
    {
        sigaction_t action = new() { sa_handler = SIG_IGN };
        _ = sigaction(signal, &action, null);
    }
}
