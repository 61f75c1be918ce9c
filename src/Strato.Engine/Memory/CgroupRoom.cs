using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>What this process's cgroups leave it of a resource (Documentation/admin-guide/cgroup-v2.rst of Linux).</summary>
/// <param name="Bytes">What is left.</param>
/// <param name="Group">The group whose limit that is, such as <c>/system.slice</c>.</param>
internal readonly record struct CgroupRoom(long Bytes, string Group)
{
    /// <summary>The least that any group from this process's own up leaves; null where none has a limit. Of version 2 alone.</summary>
    /// <param name="resource">As the files are called: <c>memory</c>, <c>hugetlb.2MB</c>, <c>hugetlb.2MB.rsvd</c>.</param>
    /// <param name="root">Where the groups are mounted.</param>
    /// <param name="self">The file that tells this process's own.</param>
    public static CgroupRoom? Read(string resource, string root = "/sys/fs/cgroup", string self = "/proc/self/cgroup")
    {
        string? own = Array.Find((KernelFile.Read(self) ?? "").Split('\n'), line => line.StartsWith("0::/", StringComparison.Ordinal));
        CgroupRoom? least = null;
        for (string? group = own?[3..].TrimEnd('/'); group is not null; group = group.Length == 0 ? null : group[..group.LastIndexOf('/')])
        {
            string folder = root + group;
            if (KernelFile.ReadNumber($"{folder}/{resource}.max") is { } limit)
            {
                // Pages of files are counted, and go when there is need.
                long used = (KernelFile.ReadNumber($"{folder}/{resource}.current") ?? 0)
                    - (KernelFile.ReadField($"{folder}/{resource}.stat", "inactive_file ") ?? 0)
                    - (KernelFile.ReadField($"{folder}/{resource}.stat", "active_file ") ?? 0);
                long room = Math.Max(0, limit - used);
                if (least is null || room < least.Value.Bytes)
                {
                    least = new CgroupRoom(room, group.Length == 0 ? "/" : group);
                }
            }
        }

        return least;
    }
}
