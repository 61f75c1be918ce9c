using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>unistd.h</c>, <c>grp.h</c> and <c>linux/capability.h</c>: who a process is, and what it may do.</summary>
internal static unsafe partial class Libc
{
    internal const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    internal const int SYS_capset = 126;

    [StructLayout(LayoutKind.Sequential)]
    internal struct cap_user_header_t
    {
        public uint version;
        public int pid;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct cap_user_data_t
    {
        public uint effective;
        public uint permitted;
        public uint inheritable;
    }

    [LibraryImport("libc")]
    internal static partial uint geteuid();

    [LibraryImport("libc")]
    internal static partial uint getegid();

    // glibc and musl carry these three out on every thread of the process; the system calls alone are a thread's.
    [LibraryImport("libc")]
    internal static partial int setgroups(nuint count, uint* groups);

    [LibraryImport("libc")]
    internal static partial int setresgid(uint real, uint effective, uint saved);

    [LibraryImport("libc")]
    internal static partial int setresuid(uint real, uint effective, uint saved);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long capset(long number, cap_user_header_t* header, cap_user_data_t* data);

    /// <summary>Takes the calling thread's capabilities away; -1 with errno on failure.</summary>
    internal static int DropCapabilities()
    {
        cap_user_header_t header = new() { version = _LINUX_CAPABILITY_VERSION_3 };

        // Version 3 has 64 bits, in two parts.
        cap_user_data_t* none = stackalloc cap_user_data_t[2];
        new Span<cap_user_data_t>(none, 2).Clear();
        return (int)capset(SYS_capset, &header, none);
    }

    /// <summary>Takes the process's supplementary groups away; -1 with errno on failure.</summary>
    internal static int DropGroups() => setgroups(0, null);
}
