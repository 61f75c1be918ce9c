using System.Collections.Generic;

namespace Strato.Client.Snapshots;

/// <summary>Snapshots as a tree: each below the one that it was saved after.</summary>
internal static class SnapshotTree
{
    /// <summary>Each behind its parent, brothers by time; with depths, names of parents, and which is the current one.</summary>
    /// <remarks>What names a parent that isn't there stands at the top; so does the first of a circle that somebody wrote by hand.</remarks>
    internal static List<VmSnapshot> Order(List<VmSnapshot> all, string? current)
    {
        Dictionary<string, VmSnapshot> byId = [];
        foreach (VmSnapshot snapshot in all)
        {
            byId[snapshot.Id] = snapshot;
        }

        List<VmSnapshot> sorted = [.. all];
        sorted.Sort(static (a, b) => a.Created != b.Created ? a.Created.CompareTo(b.Created) : string.CompareOrdinal(a.Id, b.Id));
        List<VmSnapshot> ordered = [];
        HashSet<string> placed = [];
        foreach (VmSnapshot snapshot in sorted)
        {
            if (snapshot.ParentId is null || !byId.ContainsKey(snapshot.ParentId))
            {
                Place(snapshot, 0);
            }
        }

        foreach (VmSnapshot snapshot in sorted)
        {
            Place(snapshot, 0);
        }

        return ordered;

        void Place(VmSnapshot snapshot, int depth)
        {
            // A deep line of snapshots is no reason to recurse: it is walked by a stack.
            Stack<(VmSnapshot Snapshot, int Depth)> next = new([(snapshot, depth)]);
            while (next.TryPop(out (VmSnapshot Snapshot, int Depth) item))
            {
                if (!placed.Add(item.Snapshot.Id))
                {
                    continue;
                }

                VmSnapshot? parent = item.Snapshot.ParentId is { } id ? byId.GetValueOrDefault(id) : null;
                ordered.Add(item.Snapshot with { Depth = item.Depth, ParentName = parent?.Name, IsCurrent = item.Snapshot.Id == current });
                for (int i = sorted.Count - 1; i >= 0; i--)
                {
                    if (sorted[i].ParentId == item.Snapshot.Id)
                    {
                        next.Push((sorted[i], item.Depth + 1));
                    }
                }
            }
        }
    }

    /// <summary>Those below one, at any depth.</summary>
    internal static List<VmSnapshot> Below(IReadOnlyList<VmSnapshot> all, string id)
    {
        HashSet<string> above = [id];
        List<VmSnapshot> below = [];

        // In a listing each stands behind its parent.
        foreach (VmSnapshot snapshot in all)
        {
            if (snapshot.ParentId is { } parent && above.Contains(parent) && above.Add(snapshot.Id))
            {
                below.Add(snapshot);
            }
        }

        return below;
    }
}
