using System;
using System.Collections.Generic;

namespace Strato.Client.Configurations;

/// <summary>Finds where two definitions differ. The name tells VMs apart, and is no difference.</summary>
internal static class DifferenceFinder
{
    // What a running VM takes: SetCpuShare, SetAffinity, Update.
    private static readonly HashSet<string> Live = new(StringComparer.Ordinal) { "Notes", "Weight", "Quota", VmForm.Affinity };

    internal static List<VmDifference> Find(VmDefinition reference, VmDefinition difference)
    {
        List<VmDifference> found = [];
        MapNode a = VmForm.Vm.Write(reference, all: true);
        MapNode b = VmForm.Vm.Write(difference, all: true);
        foreach (Field<VmDefinition> field in VmForm.Vm.Fields)
        {
            ConfigNode before = a.Find(field.Name)!;
            ConfigNode after = b.Find(field.Name)!;
            if (field.Name == VmForm.Name || Form<VmDefinition>.Same(before, after))
            {
                continue;
            }

            bool live = Live.Contains(field.Name) || (field.Name == "Cpu" && reference.Processor.Maximum >= difference.Cpu);
            if (before is ListNode old && after is ListNode next && field.Name != "CpuFeature")
            {
                AddItems(found, field, old, next, !reference.NoHotPlug);
            }
            else
            {
                found.Add(Of(field.Name, before, after, field, !live));
            }
        }

        return found;
    }

    private static void AddItems(List<VmDifference> found, Field<VmDefinition> field, ListNode before, ListNode after, bool hotPlug)
    {
        // Within an item that stays, what a running VM takes.
        string? liveInside = field.Name switch
        {
            VmForm.Drives => "Iops",
            VmForm.NetworkAdapters => "Connected",
            _ => null,
        };
        bool live = Live.Contains(field.Name) || (liveInside is not null && hotPlug);
        bool differs = false;
        foreach (ConfigNode item in before.Items)
        {
            string key = VmForm.KeyOf(field.Name, item) ?? "";
            string path = $"{field.Name}[{key}]";
            if (Item(field.Name, after, key) is not { } other)
            {
                found.Add(Of(path, item, NullNode.Value, field, !live));
                differs = true;
            }
            else if (item is MapNode old && other is MapNode next)
            {
                foreach (IField inner in field.Inner)
                {
                    ConfigNode was = old.Find(inner.Name) ?? NullNode.Value;
                    ConfigNode will = next.Find(inner.Name) ?? NullNode.Value;
                    if (!Form<VmDefinition>.Same(was, will))
                    {
                        found.Add(Of($"{path}.{inner.Name}", was, will, inner, !(inner.Name == liveInside || field.Name == VmForm.Affinity)));
                        differs = true;
                    }
                }
            }
        }

        foreach (ConfigNode item in after.Items)
        {
            string key = VmForm.KeyOf(field.Name, item) ?? "";
            if (Item(field.Name, before, key) is null)
            {
                found.Add(Of($"{field.Name}[{key}]", NullNode.Value, item, field, !live));
                differs = true;
            }
        }

        if (!differs)
        {
            // The same items in another order.
            found.Add(Of(field.Name, Keys(field.Name, before), Keys(field.Name, after), field, field.Name != VmForm.Affinity));
        }
    }

    private static ConfigNode? Item(string list, ListNode items, string key)
    {
        foreach (ConfigNode item in items.Items)
        {
            if (string.Equals(VmForm.KeyOf(list, item), key, StringComparison.OrdinalIgnoreCase))
            {
                return item;
            }
        }

        return null;
    }

    private static ListNode Keys(string list, ListNode items)
    {
        List<ConfigNode> keys = [];
        foreach (ConfigNode item in items.Items)
        {
            keys.Add(new TextNode(VmForm.KeyOf(list, item) ?? ""));
        }

        return new ListNode(keys);
    }

    private static VmDifference Of(string path, ConfigNode before, ConfigNode after, IField field, bool needsRestart)
    {
        string old = DataFileWriter.Inline(before, field);
        string next = DataFileWriter.Inline(after, field);
        (string side, string change) = before is NullNode ? (VmDifference.OnlyDifference, $"Set {path} to {next}")
            : after is NullNode ? (VmDifference.OnlyReference, $"Remove {path}, which is {old}")
            : (VmDifference.Both, $"Change {path} from {old} to {next}");
        return new VmDifference(path, Plain(before, old), Plain(after, next), side, needsRestart, change);
    }

    private static object? Plain(ConfigNode node, string inline) => node switch
    {
        NullNode => null,
        TextNode text => text.Value,
        NumberNode number => number.Value,
        FlagNode flag => flag.Value,
        _ => inline,
    };
}
