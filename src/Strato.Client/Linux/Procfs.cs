using System;
using System.Globalization;
using System.IO;
using System.Text;

namespace Strato.Client.Linux;

/// <summary>What /proc tells about processes.</summary>
internal static class Procfs
{
    /// <summary>Ticks a second of the times in /proc/PID/stat.</summary>
    internal static long TicksPerSecond { get; } = Math.Max(1, (long)Libc.sysconf(Libc._SC_CLK_TCK));

    /// <summary>Changes with every boot of the host.</summary>
    internal static string BootId => ReadText("/proc/sys/kernel/random/boot_id")?.Trim() ?? "";

    /// <summary>/proc/PID/stat as far as it is needed here.</summary>
    /// <param name="State">Field 3, such as <c>S</c>, <c>T</c> (stopped by a signal) or <c>Z</c>.</param>
    /// <param name="CpuTicks">Fields 14 and 15: user and system time.</param>
    /// <param name="StartTime">Field 22: ticks between the host's boot and the start of the process.</param>
    /// <param name="ResidentPages">Field 24.</param>
    internal readonly record struct Stat(char State, long CpuTicks, long StartTime, long ResidentPages);

    /// <summary>Null if there is no such process.</summary>
    internal static Stat? TryReadStat(int pid) => ReadText($"/proc/{pid}/stat") is { } text ? ParseStat(text) : null;

    /// <summary>Bytes of huge pages that a process occupies, which aren't among its resident pages.</summary>
    internal static long HugePageBytes(int pid) => ParseHugePageBytes(ReadText($"/proc/{pid}/status") ?? "");

    /// <summary>The line <c>HugetlbPages: 4096 kB</c> of /proc/PID/status.</summary>
    internal static long ParseHugePageBytes(string status)
    {
        const string Field = "\nHugetlbPages:";
        int at = status.IndexOf(Field, StringComparison.Ordinal);
        return at >= 0 && long.TryParse(status[(at + Field.Length)..].Trim().Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes) ? kibibytes << 10 : 0;
    }

    /// <summary>Field 2, the command's name, stands in parentheses and may itself hold spaces and parentheses: the last ')' ends it.</summary>
    internal static Stat? ParseStat(string text)
    {
        int end = text.LastIndexOf(')');
        if (end < 0)
        {
            return null;
        }

        // The first of these is field 3.
        string[] fields = text[(end + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length < 22)
        {
            return null;
        }

        return new Stat(fields[0][0], Field(14) + Field(15), Field(22), Field(24));

        long Field(int number) => long.TryParse(fields[number - 3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : 0;
    }

    /// <summary>Time since the process started.</summary>
    internal static TimeSpan Age(Stat stat)
    {
        string? text = ReadText("/proc/uptime");
        if (text is null || !double.TryParse(text.Split(' ')[0], NumberStyles.Float, CultureInfo.InvariantCulture, out double uptime))
        {
            return TimeSpan.Zero;
        }

        return TimeSpan.FromSeconds(Math.Max(0, uptime - ((double)stat.StartTime / TicksPerSecond)));
    }

    /// <summary>Nanoseconds all threads of a process have run (schedstat, exact where the kernel keeps it), or null.</summary>
    internal static long? TryReadCpuNanoseconds(int pid)
    {
        long sum = 0;
        try
        {
            foreach (string task in Directory.EnumerateDirectories($"/proc/{pid}/task"))
            {
                string? text = ReadText(Path.Combine(task, "schedstat"));
                if (text is not null && long.TryParse(text.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long time))
                {
                    sum += time;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        return sum == 0 ? null : sum;
    }

    /// <summary>Nanoseconds that one thread has run, or null.</summary>
    internal static long? TryReadTaskNanoseconds(int pid, int task) =>
        ReadText($"/proc/{pid}/task/{task}/schedstat") is { } text && long.TryParse(text.Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out long time) ? time : null;

    /// <summary>The CPU that one thread runs on or ran on last (field 39 of its stat), or null.</summary>
    internal static int? TryReadTaskCpu(int pid, int task)
    {
        // After the command's name, which may hold spaces; the first of these is field 3.
        string text = ReadText($"/proc/{pid}/task/{task}/stat") ?? "";
        string[] fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 36 && int.TryParse(fields[36], NumberStyles.None, CultureInfo.InvariantCulture, out int cpu) ? cpu : null;
    }

    /// <summary>A small file whole; null if it isn't there or can't be read.</summary>
    internal static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path, Encoding.UTF8);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
