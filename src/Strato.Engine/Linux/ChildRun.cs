using System;
using System.Collections;
using System.Collections.Generic;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary>A program of the host's that the engine runs to its end, and waits for.</summary>
internal static class ChildRun
{
    /// <summary>The number under which a child finds the descriptor that it inherits.</summary>
    public const int Inherited = 3;

    /// <summary>Bytes of the end of a child's standard error that are looked at.</summary>
    private const int MaxTail = 4096;

    /// <summary>Runs a program in a session of its own, with this process's environment; output goes nowhere.</summary>
    /// <param name="path">The program; not looked for on PATH.</param>
    /// <param name="arguments">All of argv.</param>
    /// <param name="inherit">What the child gets as <see cref="Inherited"/>; null for nothing.</param>
    /// <returns>Null when it exited with 0; else how it ended and the last line that it wrote to standard error, or why it can't be started.</returns>
    public static string? Run(string path, ReadOnlySpan<string> arguments, FileDescriptor? inherit = null)
    {
        // A file, and not a pipe: it neither fills up nor waits for what the child left behind with its end of it.
        using FileDescriptor file = Libc.CreateMemoryFile("strato-child\0"u8);
        using FileDescriptor errors = new(Libc.fcntl(file.Value, Libc.F_DUPFD_CLOEXEC, Inherited + 1));
        int child;
        try
        {
            child = Libc.SpawnSession(path, arguments, Environment(), inherit?.Value ?? -1, Inherited, errors.Value);
        }
        catch (LinuxException e)
        {
            return Errno.Text(e.Errno);
        }

        int status = Libc.WaitChild(child);
        if (status == 0)
        {
            return null;
        }

        string end = DescribeEnd(status);
        string last = LastLine(file.Value);
        return last.Length == 0 ? end : $"{end}: {last}";
    }

    /// <summary>How a child ended, by its status as wait(2) has it.</summary>
    public static string DescribeEnd(int status) => (status & 0x7f) is var signal and not 0 ? $"signal {signal}" : $"exit code {status >> 8}";

    /// <summary>What a shell has for a child's end: its exit code, or 128 and the signal.</summary>
    public static int ExitCode(int status) => (status & 0x7f) is var signal and not 0 ? 128 + signal : status >> 8;

    /// <summary>NAME=VALUE of each variable of this process.</summary>
    public static string[] Environment()
    {
        List<string> environment = [];
        foreach (DictionaryEntry entry in System.Environment.GetEnvironmentVariables())
        {
            environment.Add($"{entry.Key}={entry.Value}");
        }

        return [.. environment];
    }

    private static string LastLine(int fd)
    {
        byte[] tail = new byte[MaxTail];
        long length = Libc.Stat(fd, out Libc.statx_t status) == 0 ? (long)status.stx_size : 0;
        nint count = Libc.PRead(fd, tail, Math.Max(0, length - MaxTail));
        string text = Encoding.UTF8.GetString(tail, 0, (int)Math.Max(count, 0)).TrimEnd();
        return text[(text.LastIndexOf('\n') + 1)..].Trim();
    }
}
