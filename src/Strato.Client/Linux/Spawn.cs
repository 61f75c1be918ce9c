using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Strato.Client.Linux;

/// <summary>Starts a process that shares nothing with this one but what is named.</summary>
/// <remarks>
/// A child of <c>Process.Start</c> stays in the shell's process group, where Ctrl-C reaches it, and inherits its standard output, so that
/// <c>pwsh -c … | cat</c> waits for it. Here: a session of its own, standard input from /dev/null, every other descriptor closed, all
/// signals at their defaults (.NET ignores SIGPIPE, and ignored signals stay ignored across exec), and / as working folder.
/// </remarks>
internal static unsafe class Spawn
{
    /// <summary>The number of the first descriptor that is passed behind the readiness pipe's.</summary>
    internal const int FirstPassed = 4;

    /// <summary>Copies of descriptors lie above all targets, at least here.</summary>
    private const int LeastSource = 64;

    /// <param name="path">The program.</param>
    /// <param name="arguments">Without the program's name.</param>
    /// <param name="output">Descriptor that becomes its standard output, or -1 for the log.</param>
    /// <param name="log">File that takes its standard error (and output), appended to; made with mode 0600.</param>
    /// <param name="ready">Descriptor that becomes its descriptor 3, or -1.</param>
    /// <param name="passed">Descriptors that become its descriptors 4, 5, … behind <paramref name="ready"/>; null for none.</param>
    /// <returns>The pid: a child of this process that must be waited for.</returns>
    internal static int Start(string path, IReadOnlyList<string> arguments, int output, string log, int ready, IReadOnlyList<FileDescriptor>? passed = null)
    {
        byte* actions = stackalloc byte[Libc.OpaqueSize];
        byte* attributes = stackalloc byte[Libc.OpaqueSize];
        byte* signals = stackalloc byte[Libc.OpaqueSize];
        using CStrings argv = new([path, .. arguments]);
        using CStrings envp = new(EnvironmentStrings());

        // A dup2 onto itself, and targets that are still needed as sources, are out of the way when the sources are high.
        int least = int.Max(LeastSource, FirstPassed + (passed?.Count ?? 0));
        using HighDescriptors high = new(path, least);
        int highOutput = output < 0 ? -1 : high.Copy(output);
        int highReady = ready < 0 ? -1 : high.Copy(ready);
        int[] highPassed = Array.ConvertAll<FileDescriptor, int>([.. passed ?? []], file => high.Copy(file.Value));

        Check(path, Libc.posix_spawn_file_actions_init(actions));
        Check(path, Libc.posix_spawnattr_init(attributes));
        try
        {
            fixed (byte* nothing = "/dev/null\0"u8)
            fixed (byte* logPath = Libc.Bytes(log))
            {
                Check(path, Libc.posix_spawn_file_actions_addopen(actions, 0, nothing, Libc.O_RDONLY, 0));
                Check(path, Libc.posix_spawn_file_actions_addopen(actions, 2, logPath, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_APPEND, 0x180));
                Check(path, Libc.posix_spawn_file_actions_adddup2(actions, output < 0 ? 2 : highOutput, 1));
                int next = 3;
                if (ready >= 0)
                {
                    Check(path, Libc.posix_spawn_file_actions_adddup2(actions, highReady, next++));
                }

                foreach (int file in highPassed)
                {
                    Check(path, Libc.posix_spawn_file_actions_adddup2(actions, file, next++));
                }

                CloseFrom(path, actions, next);
                ChangeToRoot(actions);

                Libc.sigemptyset(signals);
                Check(path, Libc.posix_spawnattr_setsigmask(attributes, signals));
                Libc.sigfillset(signals);
                Check(path, Libc.posix_spawnattr_setsigdefault(attributes, signals));
                Check(path, Libc.posix_spawnattr_setflags(attributes, Libc.POSIX_SPAWN_SETSID | Libc.POSIX_SPAWN_SETSIGMASK | Libc.POSIX_SPAWN_SETSIGDEF));
                fixed (byte* program = Libc.Bytes(path))
                {
                    int pid;
                    Check(path, Libc.posix_spawn(&pid, program, actions, attributes, argv.Pointer, envp.Pointer));
                    return pid;
                }
            }
        }
        finally
        {
            _ = Libc.posix_spawn_file_actions_destroy(actions);
            _ = Libc.posix_spawnattr_destroy(attributes);
        }
    }

    private static void CloseFrom(string path, byte* actions, int first)
    {
        try
        {
            Check(path, Libc.posix_spawn_file_actions_addclosefrom_np(actions, first));
        }
        catch (EntryPointNotFoundException)
        {
            // An older glibc, or musl: what is open now is closed one by one. All that .NET opens closes itself on exec.
            foreach (string entry in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
            {
                if (int.TryParse(Path.GetFileName(entry), out int fd) && fd >= first && IsInherited(fd))
                {
                    Check(path, Libc.posix_spawn_file_actions_addclose(actions, fd));
                }
            }
        }
    }

    private static bool IsInherited(int fd)
    {
        int flags = Libc.fcntl(fd, Libc.F_GETFD, (nint)0);
        return flags >= 0 && (flags & Libc.FD_CLOEXEC) == 0;
    }

    private static void ChangeToRoot(byte* actions)
    {
        try
        {
            fixed (byte* root = "/\0"u8)
            {
                _ = Libc.posix_spawn_file_actions_addchdir_np(actions, root);
            }
        }
        catch (EntryPointNotFoundException)
        {
            // The child keeps this folder busy; no more than that.
        }
    }

    private static List<string> EnvironmentStrings()
    {
        List<string> result = [];
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            result.Add($"{entry.Key}={entry.Value}");
        }

        return result;
    }

    private static void Check(string path, int error)
    {
        if (error != 0)
        {
            throw Failed(path, error);
        }
    }

    private static StratoException Failed(string path, int errno) =>
        new(StratoErrorKind.Failed, "EngineStartFailed", $"The engine '{path}' can't be started: {Errno.Text(errno)}.") { Where = path };

    /// <summary>Copies of descriptors that aren't below a number, and close themselves on exec.</summary>
    private sealed class HighDescriptors(string path, int least) : IDisposable
    {
        private readonly List<FileDescriptor> _copies = [];

        internal int Copy(int fd)
        {
            int copy = Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, (nint)least);
            if (copy < 0)
            {
                throw Failed(path, Errno.Last);
            }

            _copies.Add(new FileDescriptor(copy));
            return copy;
        }

        public void Dispose() => _copies.ForEach(copy => copy.Dispose());
    }

    /// <summary>An array of C strings that ends with a null pointer.</summary>
    private readonly struct CStrings : IDisposable
    {
        internal readonly byte** Pointer;

        internal CStrings(List<string> strings)
        {
            int bytes = 0;
            foreach (string text in strings)
            {
                bytes += Encoding.UTF8.GetByteCount(text) + 1;
            }

            nuint table = (nuint)((strings.Count + 1) * sizeof(byte*));
            Pointer = (byte**)System.Runtime.InteropServices.NativeMemory.Alloc(table + (nuint)bytes);
            byte* next = (byte*)Pointer + table;
            for (int i = 0; i < strings.Count; i++)
            {
                Pointer[i] = next;
                int length = Encoding.UTF8.GetBytes(strings[i], new Span<byte>(next, bytes));
                next[length] = 0;
                next += length + 1;
                bytes -= length + 1;
            }

            Pointer[strings.Count] = null;
        }

        public void Dispose() => System.Runtime.InteropServices.NativeMemory.Free(Pointer);
    }
}
