using System.Collections.Generic;

namespace Strato.Client;

/// <summary>The host's huge pages of one size, as they were at one moment.</summary>
public sealed record HugePageInfo
{
    /// <summary>Bytes of a page.</summary>
    public required long PageSize { get; init; }

    /// <summary>Pages set aside, used ones included.</summary>
    public required long Total { get; init; }

    /// <summary>Pages that nobody uses.</summary>
    public required long Free { get; init; }

    /// <summary>Of the free ones, those that are promised to a process which hasn't touched them yet.</summary>
    public required long Reserved { get; init; }

    /// <summary>Pages beyond those set aside, made while a process needs them.</summary>
    public required long Surplus { get; init; }

    /// <summary>Where a hugetlbfs of that page size is mounted: the first in which files can be made, else the first; null for none.</summary>
    public string? MountPath { get; init; }

    /// <summary>The pages of each NUMA node, by its number.</summary>
    public required IReadOnlyList<HugePageNode> Nodes { get; init; }
}

/// <summary>A NUMA node's huge pages of one size.</summary>
/// <param name="Node">Its number.</param>
/// <param name="Total">Pages set aside, used ones included.</param>
/// <param name="Free">Pages that nobody uses.</param>
public readonly record struct HugePageNode(int Node, long Total, long Free);
