using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>spawn.h</c>: a new process, in a session of its own.</summary>
internal static unsafe partial class Libc
{
    private const short POSIX_SPAWN_SETSIGDEF = 0x04;
    private const short POSIX_SPAWN_SETSIGMASK = 0x08;
    private const short POSIX_SPAWN_SETSID = 0x80;

    /// <summary>posix_spawn_file_actions_t of glibc, opaque.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 80)]
    private struct posix_spawn_file_actions_t
    {
        private readonly long _opaque;
    }

    /// <summary>posix_spawnattr_t of glibc, opaque.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 336)]
    private struct posix_spawnattr_t
    {
        private readonly long _opaque;
    }

    /// <summary>Starts a program in a new session, with default signals and /dev/null as standard streams.</summary>
    /// <param name="path">The program.</param>
    /// <param name="arguments">All of argv.</param>
    /// <param name="environment">NAME=VALUE each.</param>
    /// <param name="inherit">The one descriptor the child gets, under the number <paramref name="as"/>; -1 for none.</param>
    /// <param name="as">At least 3.</param>
    /// <param name="errors">Where its standard error goes, above <paramref name="as"/>; -1 for /dev/null.</param>
    /// <param name="keepsOthers">Whether the child keeps those that aren't closed on exec.</param>
    /// <returns>The child's process id.</returns>
    /// <exception cref="LinuxException">posix_spawn fails.</exception>
    internal static int SpawnSession(string path, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, int inherit, int @as, int errors = -1, bool keepsOthers = false)
    {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none = default;
        sigset_t all = new() { bits = ~0UL };
        _ = posix_spawn_file_actions_init(&actions);
        _ = posix_spawnattr_init(&attributes);
        _ = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        _ = posix_spawnattr_setsigmask(&attributes, &none);
        _ = posix_spawnattr_setsigdefault(&attributes, &all);
        byte** argv = Vector(arguments);
        byte** envp = Vector(environment);
        byte* program = Text(path);
        byte* nothing = Text("/dev/null");
        try
        {
            if (inherit >= 0)
            {
                _ = posix_spawn_file_actions_adddup2(&actions, inherit, @as);
            }

            for (int stream = 0; stream < 3; stream++)
            {
                _ = posix_spawn_file_actions_addopen(&actions, stream, nothing, O_RDWR, 0);
            }

            if (errors >= 0)
            {
                _ = posix_spawn_file_actions_adddup2(&actions, errors, 2);
            }

            if (!keepsOthers)
            {
                _ = posix_spawn_file_actions_addclosefrom_np(&actions, inherit >= 0 ? @as + 1 : 3);
            }

            int pid;
            int error = posix_spawn(&pid, program, &actions, &attributes, argv, envp);
            return error == 0 ? pid : throw new LinuxException($"posix_spawn({path})", error);
        }
        finally
        {
            Free(argv);
            Free(envp);
            NativeMemory.Free(program);
            NativeMemory.Free(nothing);
            _ = posix_spawn_file_actions_destroy(&actions);
            _ = posix_spawnattr_destroy(&attributes);
        }
    }

    /// <summary>Waits until a child has ended, however it does: its status as wait(2) has it.</summary>
    internal static int WaitChild(int pid)
    {
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR)
        {
        }

        return status;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int waitpid(int pid, int* status, int options);

    [LibraryImport("libc")]
    private static partial int posix_spawn(
        int* pid, byte* path, posix_spawn_file_actions_t* actions, posix_spawnattr_t* attributes, byte** argv, byte** envp);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_init(posix_spawn_file_actions_t* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t* actions);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t* actions, int fd, int target);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addopen(
        posix_spawn_file_actions_t* actions, int fd, byte* path, int flags, uint mode);

    [LibraryImport("libc")]
    private static partial int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t* actions, int lowest);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_init(posix_spawnattr_t* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_destroy(posix_spawnattr_t* attributes);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setflags(posix_spawnattr_t* attributes, short flags);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigmask(posix_spawnattr_t* attributes, sigset_t* mask);

    [LibraryImport("libc")]
    private static partial int posix_spawnattr_setsigdefault(posix_spawnattr_t* attributes, sigset_t* signals);

    private static byte* Text(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        byte* copy = (byte*)NativeMemory.Alloc((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(copy, length));
        copy[length] = 0;
        return copy;
    }

    private static byte** Vector(ReadOnlySpan<string> texts)
    {
        byte** vector = (byte**)NativeMemory.AllocZeroed((nuint)texts.Length + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < texts.Length; i++)
        {
            vector[i] = Text(texts[i]);
        }

        return vector;
    }

    private static void Free(byte** vector)
    {
        for (byte** item = vector; *item is not null; item++)
        {
            NativeMemory.Free(*item);
        }

        NativeMemory.Free(vector);
    }
}
