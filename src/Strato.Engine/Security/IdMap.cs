using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Linux;

namespace Strato.Engine.Security;

/// <summary>The user or group ids that there are in this user namespace: <c>/proc/self/uid_map</c>, <c>gid_map</c> (user_namespaces(7)).</summary>
internal sealed class IdMap
{
    private readonly List<(uint First, uint Count)> _ranges = [];

    /// <param name="text">The file's: a line for each range, "first-inside first-outside count".</param>
    public IdMap(string text)
    {
        foreach (string line in text.Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 3 &&
                uint.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint first) &&
                uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint count))
            {
                _ranges.Add((first, count));
            }
        }
    }

    /// <summary>This process's users.</summary>
    public static IdMap Users => new(KernelFile.Read("/proc/self/uid_map") ?? "");

    /// <summary>This process's groups.</summary>
    public static IdMap Groups => new(KernelFile.Read("/proc/self/gid_map") ?? "");

    /// <summary>Whether a process here can have the id.</summary>
    public bool Has(uint id)
    {
        foreach ((uint first, uint count) in _ranges)
        {
            if (id >= first && id - first < count)
            {
                return true;
            }
        }

        return false;
    }
}
