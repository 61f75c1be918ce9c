using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>What the host keeps guest memory in, where it isn't plain memory of the engine.</summary>
public sealed class MemoryBacking
{
    /// <summary>Folder in which guest memory is a file without a name, of a hugetlbfs for huge pages; null for none.</summary>
    public string? Path { get; set; }

    /// <summary>The option or JSON path that gave <see cref="Path"/> or <see cref="HugePageSize"/>, for errors.</summary>
    public string PathWhere { get; set; } = "-mem-path";

    /// <summary>Whether <see cref="Path"/> has to be on a hugetlbfs.</summary>
    public bool Huge { get; set; }

    /// <summary>Bytes of a huge page where no folder is needed (memfd), 0 for the kernel's choice; null for plain pages.</summary>
    public long? HugePageSize { get; set; }

    /// <summary>Whether all of it is allocated before the guest starts.</summary>
    public bool Preallocate { get; set; }

    /// <summary>Whether the host may keep one copy of equal pages (KSM).</summary>
    public bool Merge { get; set; }

    /// <summary>The option or JSON path that gave <see cref="Merge"/>, for errors.</summary>
    public string MergeWhere { get; set; } = "-machine mem-merge";

    /// <summary>Checks a folder's path: absolute, since a daemon's working directory is nobody's.</summary>
    /// <exception cref="UserErrorException">InvalidPath.</exception>
    public static void CheckPath(string path, string where)
    {
        ConfigurationLimits.CheckPath(path, "memory's folder", where);
        if (path[0] != '/')
        {
            throw new UserErrorException("InvalidPath", $"The path of the memory's folder, '{ConfigurationLimits.Printable(path)}', is not absolute.", where);
        }
    }

    /// <summary>Checks that no device wants to give back what huge pages hold.</summary>
    /// <param name="devices">All devices.</param>
    /// <param name="where">What asks for huge pages, for the error.</param>
    /// <exception cref="UserErrorException">BalloonWithHugePages.</exception>
    public static void CheckBalloon(IReadOnlyList<DeviceConfiguration> devices, string where)
    {
        foreach (DeviceConfiguration device in devices)
        {
            if (device is BalloonConfiguration)
            {
                throw new UserErrorException(
                    "BalloonWithHugePages",
                    $"The balloon '{device.Name}' gives memory back by pages of 4096 bytes, and the guest's memory is of huge pages ({where}); give the machine one of both.",
                    device.Where);
            }
        }
    }

    /// <summary>Checks the values and how they go with each other, the sharing of memory, and the devices.</summary>
    public void Check(bool shared, IReadOnlyList<DeviceConfiguration> devices)
    {
        if (Path is not null)
        {
            CheckPath(Path, PathWhere);
        }

        if (Merge && (shared || Path is not null || HugePageSize is not null))
        {
            string other = Path is not null || HugePageSize is not null ? $"in a file ({PathWhere})" : "shared with other processes (mem-share=on)";
            throw new UserErrorException("InvalidOption", $"Equal pages can't be merged in memory that is {other}: the kernel merges only those of plain memory; give one of both.", MergeWhere);
        }

        if (Huge || HugePageSize is not null)
        {
            CheckBalloon(devices, PathWhere);
        }
    }
}
