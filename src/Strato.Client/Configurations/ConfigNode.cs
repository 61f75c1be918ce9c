using System.Collections.Generic;

namespace Strato.Client.Configurations;

/// <summary>A value of a configuration file, whichever form the file has.</summary>
internal abstract record ConfigNode;

/// <summary>No value: what it is for isn't there.</summary>
internal sealed record NullNode : ConfigNode
{
    internal static NullNode Value { get; } = new();
}

internal sealed record TextNode(string Value) : ConfigNode;

internal sealed record NumberNode(long Value) : ConfigNode;

internal sealed record FlagNode(bool Value) : ConfigNode;

internal sealed record ListNode(IReadOnlyList<ConfigNode> Items) : ConfigNode;

/// <summary>Names, each once without regard to case, and their values in the file's order.</summary>
internal sealed record MapNode(IReadOnlyList<KeyValuePair<string, ConfigNode>> Entries) : ConfigNode
{
    internal ConfigNode? Find(string name)
    {
        foreach ((string key, ConfigNode value) in Entries)
        {
            if (string.Equals(key, name, System.StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return null;
    }
}
