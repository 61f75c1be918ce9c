using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Strato.Client.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>The host's huge pages, by /sys and /proc (Documentation/admin-guide/mm/hugetlbpage.rst of Linux).</summary>
internal static class HostHugePages
{
    private const string Prefix = "hugepages-";
    private const string Suffix = "kB";

    private const long StepBytes = 256L << 20;

    /// <summary>What stands before /sys and /proc: nothing, but in tests.</summary>
    internal static string Root { get; set; } = "";

    private static string Pools => $"{Root}/sys/kernel/mm/hugepages";

    /// <summary>Each size that the kernel has, the smallest first; none where it has no huge pages.</summary>
    internal static List<HugePageInfo> Read()
    {
        List<HugePageInfo> all = [];
        if (!Directory.Exists(Pools))
        {
            return all;
        }

        List<(long PageSize, string Path)> mounts = Mounts();
        foreach (string folder in Directory.GetDirectories(Pools, $"{Prefix}*{Suffix}"))
        {
            string name = Path.GetFileName(folder);
            if (!long.TryParse(name[Prefix.Length..^Suffix.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes))
            {
                continue;
            }

            long size = kibibytes << 10;
            List<(long PageSize, string Path)> own = mounts.FindAll(mount => mount.PageSize == size);
            int writable = own.FindIndex(mount => Libc.MayFill(mount.Path));
            all.Add(new HugePageInfo
            {
                PageSize = size,
                Total = Number(folder, "nr_hugepages"),
                Free = Number(folder, "free_hugepages"),
                Reserved = Number(folder, "resv_hugepages"),
                Surplus = Number(folder, "surplus_hugepages"),
                MountPath = own.Count == 0 ? null : own[Math.Max(0, writable)].Path,
                Nodes = ReadNodes(name),
            });
        }

        all.Sort((a, b) => a.PageSize.CompareTo(b.PageSize));
        return all;
    }

    /// <summary>The pages of one size; error <c>HugePageSizeUnavailable</c>, which names the sizes that there are.</summary>
    internal static HugePageInfo Get(long pageSize, string where)
    {
        List<HugePageInfo> all = Read();
        string sizes = string.Join(", ", all.ConvertAll(pages => ByteSize.Describe(pages.PageSize)));
        return all.Find(pages => pages.PageSize == pageSize) ?? throw new StratoException(
            StratoErrorKind.Unavailable,
            "HugePageSizeUnavailable",
            $"The host has no huge pages of {ByteSize.Describe(pageSize)}; {(all.Count == 0 ? "its kernel has none of any size" : $"it has them of {sizes}")}.")
        {
            Where = where,
            RecommendedAction = "Get-StratoHugePage lists the sizes; pages of 1GB need a processor with the flag pdpe1gb.",
        };
    }

    /// <summary>Where a hugetlbfs of that page size is mounted; errors <c>HugePageSizeUnavailable</c>, <c>HugePagesNotMounted</c>.</summary>
    internal static string FindMount(long pageSize, string where) => Get(pageSize, where).MountPath ?? throw new StratoException(
        StratoErrorKind.Unavailable, "HugePagesNotMounted", $"No hugetlbfs with pages of {ByteSize.Describe(pageSize)} is mounted.")
    {
        Where = where,
        RecommendedAction = $"As root: mkdir -p {Folder(pageSize)} && mount -t hugetlbfs -o pagesize={ByteSize.Format(pageSize)} hugetlbfs {Folder(pageSize)}",
    };

    /// <summary>
    /// Asks the kernel for so many pages, 256 MiB at a time, since it may have to move memory for them; gives what there is then. What is set aside when the token ends it stays.
    /// Errors: <c>HugePageSizeUnavailable</c>, <c>AccessDenied</c>.
    /// </summary>
    internal static HugePageInfo SetCount(long pageSize, long count, CancellationToken token)
    {
        long step = long.Max(1, StepBytes / pageSize);
        HugePageInfo pages = Get(pageSize, "-Size");
        long next;
        do
        {
            token.ThrowIfCancellationRequested();

            // To give some back takes no time.
            next = count > pages.Total ? long.Min(count, pages.Total + step) : count;
            Write(pageSize, next);
            pages = Get(pageSize, "-Size");
        }
        while (next != count && pages.Total == next);
        return pages;
    }

    private static void Write(long pageSize, long count)
    {
        string file = $"{Pools}/{Prefix}{(pageSize >> 10).ToString(CultureInfo.InvariantCulture)}{Suffix}/nr_hugepages";
        try
        {
            File.WriteAllText(file, count.ToString(CultureInfo.InvariantCulture));
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StratoException(StratoErrorKind.Permission, "AccessDenied", $"The number of huge pages can't be changed: {e.Message}", e)
            {
                RecommendedAction = "Run it as root.",
            };
        }
    }

    /// <summary>All hugetlbfs that are mounted, in the order of the mounts.</summary>
    private static List<(long PageSize, string Path)> Mounts()
    {
        List<(long, string)> mounts = [];
        foreach (string line in (Procfs.ReadText($"{Root}/proc/self/mounts") ?? "").Split('\n'))
        {
            // Device, folder, type, options (fstab(5)); the kernel always tells the page size.
            string[] fields = line.Split(' ');
            if (fields.Length < 4 || fields[2] != "hugetlbfs")
            {
                continue;
            }

            foreach (string option in fields[3].Split(','))
            {
                if (option.StartsWith("pagesize=", StringComparison.Ordinal) && ByteSize.TryParse(option.AsSpan("pagesize=".Length), out long size, out _))
                {
                    mounts.Add((size, Unescape(fields[1])));
                }
            }
        }

        return mounts;
    }

    private static HugePageNode[] ReadNodes(string pool)
    {
        string nodes = $"{Root}/sys/devices/system/node";
        List<HugePageNode> all = [];
        foreach (string node in Directory.Exists(nodes) ? Directory.GetDirectories(nodes, "node*") : [])
        {
            string folder = $"{node}/hugepages/{pool}";
            if (int.TryParse(Path.GetFileName(node).AsSpan("node".Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && Directory.Exists(folder))
            {
                all.Add(new HugePageNode(number, Number(folder, "nr_hugepages"), Number(folder, "free_hugepages")));
            }
        }

        all.Sort((a, b) => a.Node.CompareTo(b.Node));
        return [.. all];
    }

    private static long Number(string folder, string file) =>
        long.TryParse(Procfs.ReadText($"{folder}/{file}"), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out long number) ? number : 0;

    /// <summary>What is usual: /dev/hugepages is systemd's, of the default size.</summary>
    private static string Folder(long pageSize) => pageSize == 2 << 20 ? "/dev/hugepages" : $"/dev/hugepages-{ByteSize.Format(pageSize)}";

    /// <summary>Blanks and the like stand as a backslash and three octal digits.</summary>
    private static string Unescape(string text)
    {
        StringBuilder plain = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 3 < text.Length)
            {
                plain.Append((char)Convert.ToInt32(text.Substring(i + 1, 3), 8));
                i += 3;
            }
            else
            {
                plain.Append(text[i]);
            }
        }

        return plain.ToString();
    }
}
