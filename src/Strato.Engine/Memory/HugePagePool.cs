using System.Globalization;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>The host's huge pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst of Linux).</summary>
/// <param name="PageSize">Bytes.</param>
/// <param name="Total">Pages that the host has set aside, used ones included.</param>
/// <param name="Free">Pages that nobody uses.</param>
/// <param name="Reserved">Of the free ones, those that are promised to a map that has not touched them yet.</param>
internal readonly record struct HugePagePool(long PageSize, long Total, long Free, long Reserved)
{
    private const string Root = "/sys/kernel/mm/hugepages";

    /// <summary>Pages that a new map can have.</summary>
    public long Available => Free - Reserved;

    /// <summary>The file by which the host is given more of them.</summary>
    public string CountFile => $"{Folder(PageSize)}/nr_hugepages";

    /// <summary>As it is now; null when the host has no pages of that size.</summary>
    public static HugePagePool? Read(long pageSize)
    {
        string folder = Folder(pageSize);
        return KernelFile.ReadNumber($"{folder}/nr_hugepages") is { } total
            ? new HugePagePool(pageSize, total, KernelFile.ReadNumber($"{folder}/free_hugepages") ?? 0, KernelFile.ReadNumber($"{folder}/resv_hugepages") ?? 0)
            : null;
    }

    private static string Folder(long pageSize) => string.Create(CultureInfo.InvariantCulture, $"{Root}/hugepages-{pageSize >> 10}kB");
}
