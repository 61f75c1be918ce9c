using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>unistd.h</c>, <c>grp.h</c>, <c>pwd.h</c> and <c>linux/capability.h</c>: who a process is, and what it may do.</summary>
internal static unsafe partial class Libc
{
    internal const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

    internal const int SYS_capset = 126;
    private const int BufferOfNames = 16384;

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

    [StructLayout(LayoutKind.Sequential)]
    internal struct passwd_t
    {
        public byte* pw_name;
        public byte* pw_passwd;
        public uint pw_uid;
        public uint pw_gid;
        public byte* pw_gecos;
        public byte* pw_dir;
        public byte* pw_shell;
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

    [LibraryImport("libc")]
    private static partial int getpwnam_r(byte* name, passwd_t* user, byte* buffer, nuint length, passwd_t** result);

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

    /// <summary>The user of a name, as the host knows users; false for none.</summary>
    internal static bool TryFindUser(string name, out uint user, out uint group)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(name) + 1];
        Encoding.UTF8.GetBytes(name, bytes);
        byte[] buffer = new byte[BufferOfNames];
        passwd_t entry;
        passwd_t* found;
        fixed (byte* pointer = bytes, names = buffer)
        {
            bool known = getpwnam_r(pointer, &entry, names, (nuint)buffer.Length, &found) == 0 && found != null;
            (user, group) = known ? (entry.pw_uid, entry.pw_gid) : (0, 0);
            return known;
        }
    }
}
