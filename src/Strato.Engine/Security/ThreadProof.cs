using System;
using System.Globalization;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Security;

/// <summary>Looks at each thread of the process whether it is shut in: what was forgotten must end the start, not wait for a guest to find it.</summary>
internal static class ThreadProof
{
    // linux/sched.h: threads that the kernel keeps in a process for its own work, as KVM, vhost and io_uring do. They have the
    // rights of whoever caused them, and never run a program's code.
    private const uint PF_IO_WORKER = 0x10;
    private const uint PF_USER_WORKER = 0x4000;

    /// <summary>The field of /proc/TID/stat that has the flags.</summary>
    private const int FlagsField = 9;

    // A thread that has ended, and was waited for, is still listed for a moment.
    private const int Looks = 100;
    private const int LookMilliseconds = 2;

    /// <param name="tasks">/proc/self/task, opened while there were paths.</param>
    /// <param name="user">The user that each thread has to be.</param>
    /// <exception cref="UserErrorException">SandboxRefused.</exception>
    public static void Check(FileDescriptor tasks, uint user)
    {
        for (int look = 1; Find(tasks, user) is { } fault; look++)
        {
            if (look == Looks)
            {
                throw new UserErrorException("SandboxRefused", $"The engine can't be shut in: {fault}.", "-sandbox");
            }

            // No descriptor tells of it.
            _ = Libc.Poll(-1, PollEvents.None, LookMilliseconds);
        }
    }

    private static string? Find(FileDescriptor tasks, uint user)
    {
        int count = 0;
        foreach (string thread in Libc.ListFolder(tasks.Value))
        {
            // One that can't be read has ended.
            if (KernelFile.ReadBelow(tasks.Value, $"{thread}/stat") is not { } stat ||
                KernelFile.ReadBelow(tasks.Value, $"{thread}/status") is not { } status ||
                IsKernels(stat))
            {
                continue;
            }

            if (Fault(status, user) is { } fault)
            {
                return $"thread {thread} has {fault}";
            }

            count++;
        }

        return count > 0 ? null : "its threads can't be looked at";
    }

    /// <summary>Whether a thread is the kernel's own, by its /proc stat.</summary>
    internal static bool IsKernels(string stat)
    {
        // Field 2, the name, stands in parentheses and may hold any character; the next is field 3.
        string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > FlagsField - 3 &&
            uint.TryParse(fields[FlagsField - 3], NumberStyles.None, CultureInfo.InvariantCulture, out uint flags) &&
            (flags & (PF_IO_WORKER | PF_USER_WORKER)) != 0;
    }

    /// <summary>What a thread still has that it shouldn't, by its /proc status; null for nothing.</summary>
    internal static string? Fault(string status, uint user)
    {
        string name = user.ToString(CultureInfo.InvariantCulture);
        (string Line, string Value)[] wanted =
        [
            ("Uid", $"{name}\t{name}\t{name}\t{name}"),
            ("CapPrm", "0000000000000000"),
            ("CapEff", "0000000000000000"),
            ("NoNewPrivs", "1"),
        ];
        string[] lines = status.Split('\n');
        foreach ((string line, string value) in wanted)
        {
            string found = Array.Find(lines, one => one.StartsWith($"{line}:\t", StringComparison.Ordinal))?[(line.Length + 2)..] ?? "nothing";
            if (found != value)
            {
                return $"{line} {found.Replace('\t', ' ')}, and not {value.Replace('\t', ' ')}";
            }
        }

        return null;
    }
}
