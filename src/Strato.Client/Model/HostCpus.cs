using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Strato.Client;

/// <summary>A set of the host's CPUs, written as <c>0-3,8,^2</c>: ranges, and those that are taken out of them, as libvirt has it.</summary>
public sealed class HostCpus
{
    /// <summary>More than any Linux knows (CONFIG_NR_CPUS is 8192 at most).</summary>
    public const int Most = 8192;

    private readonly SortedSet<int> _cpus;

    private HostCpus(SortedSet<int> cpus) => _cpus = cpus;

    public int Count => _cpus.Count;

    /// <summary>Error <c>InvalidAffinity</c>, with what is allowed.</summary>
    public static HostCpus Parse(string text, string where)
    {
        SortedSet<int> cpus = [];
        SortedSet<int> without = [];
        foreach (string given in text.Split(','))
        {
            string part = given.Trim();
            bool excludes = part.StartsWith('^');
            string[] ends = part[(excludes ? 1 : 0)..].Split('-');
            if (ends.Length > 2 || !TryRead(ends[0], out int first) || !TryRead(ends[^1], out int last) || last < first)
            {
                throw new StratoException(
                    StratoErrorKind.InvalidArgument,
                    "InvalidAffinity",
                    $"'{part}' is not a host CPU, nor several; allowed: numbers from 0 on, ranges such as 0-3, and ^2 for one that is left out.")
                {
                    Where = where,
                };
            }

            for (int cpu = first; cpu <= last; cpu++)
            {
                (excludes ? without : cpus).Add(cpu);
            }
        }

        cpus.ExceptWith(without);
        return cpus.Count > 0
            ? new HostCpus(cpus)
            : throw new StratoException(StratoErrorKind.InvalidArgument, "InvalidAffinity", $"'{text}' has no host CPU left.") { Where = where };
    }

    /// <summary>Those whose bits are set, the first CPU's lowest.</summary>
    internal static HostCpus FromMask(ReadOnlySpan<byte> mask)
    {
        SortedSet<int> cpus = [];
        for (int cpu = 0; cpu < mask.Length * 8; cpu++)
        {
            if ((mask[cpu / 8] & (1 << (cpu % 8))) != 0)
            {
                cpus.Add(cpu);
            }
        }

        return new HostCpus(cpus);
    }

    /// <summary>As sched_setaffinity takes it.</summary>
    internal byte[] ToMask()
    {
        byte[] mask = new byte[Most / 8];
        foreach (int cpu in _cpus)
        {
            mask[cpu / 8] |= (byte)(1 << (cpu % 8));
        }

        return mask;
    }

    /// <summary>Those that the other lacks.</summary>
    public HostCpus Except(HostCpus other)
    {
        SortedSet<int> left = [.. _cpus];
        left.ExceptWith(other._cpus);
        return new HostCpus(left);
    }

    /// <summary>In ranges: <c>0-3,8</c>.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        int first = -1;
        foreach (int cpu in _cpus)
        {
            first = _cpus.Contains(cpu - 1) ? first : cpu;
            if (!_cpus.Contains(cpu + 1))
            {
                text.Append(text.Length > 0 ? "," : "").Append(CultureInfo.InvariantCulture, $"{first}").Append(cpu > first ? string.Create(CultureInfo.InvariantCulture, $"-{cpu}") : "");
            }
        }

        return text.ToString();
    }

    private static bool TryRead(string text, out int cpu) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out cpu) && cpu < Most;
}
