using System.Linq;
using Strato.Client;

namespace Strato;

/// <summary>The host's huge pages of one size, as they were at one moment.</summary>
public sealed class HugePage
{
    internal HugePage(HugePageInfo info)
    {
        Size = info.PageSize;
        Total = info.Total;
        Free = info.Free;
        Reserved = info.Reserved;
        Surplus = info.Surplus;
        MountPath = info.MountPath;
        Nodes = [.. info.Nodes.Select(node => new HugePageNode(node.Node, node.Total, node.Free))];
    }

    /// <summary>Bytes of a page.</summary>
    public long Size { get; }

    /// <summary>Pages set aside, used ones included.</summary>
    public long Total { get; }

    /// <summary>Pages that nobody uses.</summary>
    public long Free { get; }

    /// <summary>Of the free ones, those that are promised to a process which hasn't touched them yet.</summary>
    public long Reserved { get; }

    /// <summary>Pages beyond those set aside, made while a process needs them.</summary>
    public long Surplus { get; }

    /// <summary>Where a hugetlbfs of that page size is mounted; null for none.</summary>
    public string? MountPath { get; }

    /// <summary>The pages of each NUMA node.</summary>
    public HugePageNode[] Nodes { get; }

    public override string ToString() => View.Size(Size);
}

/// <summary>A NUMA node's huge pages of one size.</summary>
public sealed class HugePageNode
{
    internal HugePageNode(int node, long total, long free) => (Node, Total, Free) = (node, total, free);

    /// <summary>The node's number.</summary>
    public int Node { get; }

    /// <summary>Pages set aside, used ones included.</summary>
    public long Total { get; }

    /// <summary>Pages that nobody uses.</summary>
    public long Free { get; }

    public override string ToString() => $"{Node}: {Free} of {Total} free";
}
