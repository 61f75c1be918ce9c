using System;
using System.Globalization;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>What /proc and /sys tell about the host.</summary>
internal static class HostFacts
{
    /// <summary>Bytes; huge pages in pieces of HugePageSize bytes.</summary>
    internal readonly record struct MemoryFacts(long Total, long Available, long HugePageSize, long HugePagesTotal, long HugePagesFree);

    internal static MemoryFacts Memory() => ParseMemory(Procfs.ReadText("/proc/meminfo") ?? "");

    internal static MemoryFacts ParseMemory(string text)
    {
        return new MemoryFacts(Field("MemTotal") << 10, Field("MemAvailable") << 10, Field("Hugepagesize") << 10, Field("HugePages_Total"), Field("HugePages_Free"));

        long Field(string name)
        {
            foreach (string line in text.Split('\n'))
            {
                if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length && line[name.Length] == ':')
                {
                    string value = line[(name.Length + 1)..].Trim().Split(' ')[0];
                    return long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
                }
            }

            return 0;
        }
    }

    internal static string CpuModel()
    {
        foreach (string line in (Procfs.ReadText("/proc/cpuinfo") ?? "").Split('\n'))
        {
            if (line.StartsWith("model name", StringComparison.Ordinal) && line.IndexOf(':', StringComparison.Ordinal) is int colon and > 0)
            {
                return line[(colon + 1)..].Trim();
            }
        }

        return "unknown";
    }

    /// <summary>Logical CPUs online, whatever this process may use.</summary>
    internal static int CpuCount()
    {
        int count = 0;
        foreach (string range in (Procfs.ReadText("/sys/devices/system/cpu/online") ?? "").Trim().Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = range.Split('-');
            if (int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first) && int.TryParse(ends[^1], NumberStyles.None, CultureInfo.InvariantCulture, out int last))
            {
                count += last - first + 1;
            }
        }

        return count > 0 ? count : Environment.ProcessorCount;
    }

    /// <summary>The word in brackets: <c>always [madvise] never</c>.</summary>
    internal static string TransparentHugePages()
    {
        string text = Procfs.ReadText("/sys/kernel/mm/transparent_hugepage/enabled") ?? "";
        int open = text.IndexOf('[', StringComparison.Ordinal);
        int close = text.IndexOf(']', StringComparison.Ordinal);
        return open >= 0 && close > open ? text[(open + 1)..close] : "";
    }

    internal static string KernelRelease() => (Procfs.ReadText("/proc/sys/kernel/osrelease") ?? "unknown").Trim();

    internal static string HostName() => (Procfs.ReadText("/proc/sys/kernel/hostname") ?? Environment.MachineName).Trim();

    /// <summary>What to do about the verdict of <c>strato-engine -probe</c>.</summary>
    internal static string? Remedy(string verdict) => verdict switch
    {
        "usable" => null,
        "emulated" => "Use a host with hardware virtualization, or a cloud instance with nested virtualization; tests/Lab/lab runs stock guests anywhere; Start-StratoVm -AllowEmulation tries all the same.",
        "no-permission" => ReadinessPipe.ActionFor("KvmNoPermission"),
        "absent" => ReadinessPipe.ActionFor("KvmUnavailable"),
        _ => "See that the engine is there and runs: strato-engine -probe.",
    };
}
