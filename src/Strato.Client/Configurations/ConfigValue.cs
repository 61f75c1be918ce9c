using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>Where a configuration comes from.</summary>
/// <param name="Name">The file's path, or what stands for it, for errors.</param>
/// <param name="Folder">What relative paths of the configuration are relative to; absolute.</param>
/// <param name="LineOf">The line of a value by its path, from 1; 0 where that isn't known.</param>
internal sealed record ConfigSource(string Name, string Folder, Func<string, int> LineOf)
{
    /// <summary>The error <c>InvalidConfiguration</c>, with the place of a value.</summary>
    internal StratoException Error(string path, string problem, StratoException? inner = null)
    {
        string where = Where(path);
        return new StratoException(inner?.Kind ?? StratoErrorKind.InvalidData, inner?.Id ?? "InvalidConfiguration", $"In '{Name}'{where}: {problem.TrimEnd('.')}.", inner)
        {
            Where = path.Length == 0 ? Name : path,
            VmName = inner?.VmName,
            RecommendedAction = inner?.RecommendedAction,
        };
    }

    private string Where(string path)
    {
        int line = LineOf(path);
        string place = line > 0 ? string.Create(CultureInfo.InvariantCulture, $", line {line}") : "";
        return path.Length == 0 ? place : $"{place}, {path}";
    }
}

/// <summary>A value that a file gives, with its place for errors: <c>Drives[1].Path</c>.</summary>
internal sealed record ConfigValue(ConfigNode Node, string Path, ConfigSource Source)
{
    internal bool IsNull => Node is NullNode;

    internal ConfigValue Part(string name, ConfigNode node) => new(node, Path.Length == 0 ? name : $"{Path}.{name}", Source);

    internal string Text() => OptionalText() ?? throw Wrong("a text in quotes");

    internal string? OptionalText() => Node switch
    {
        NullNode => null,
        TextNode text => text.Value,
        _ => throw Wrong("a text in quotes"),
    };

    /// <summary>An absolute path.</summary>
    internal string? OptionalPath()
    {
        string? text = OptionalText();
        return string.IsNullOrEmpty(text) ? null
            : text.Contains('\0') ? throw Error("a path has no zero character")
            : System.IO.Path.GetFullPath(text, Source.Folder);
    }

    internal long? OptionalNumber() => Node switch
    {
        NullNode => null,
        NumberNode number => number.Value,
        _ => throw Wrong("a whole number"),
    };

    internal bool? OptionalFlag() => Node switch
    {
        NullNode => null,
        FlagNode flag => flag.Value,
        _ => throw Wrong("$true or $false"),
    };

    internal int? OptionalChoice(string[] names)
    {
        if (OptionalText() is not { } text)
        {
            return null;
        }

        int index = Array.FindIndex(names, name => string.Equals(name, text, StringComparison.OrdinalIgnoreCase));
        return index >= 0 ? index : throw Error($"'{ConfigurationLimits.Printable(text)}' is unknown{NearName.Hint(text, names)}; allowed: {string.Join(", ", names)}");
    }

    /// <summary>The items; a single value is a list of one, as everywhere in PowerShell.</summary>
    internal ConfigValue[] List()
    {
        IReadOnlyList<ConfigNode> items = Node switch
        {
            NullNode => [],
            ListNode list => list.Items,
            _ => [Node],
        };
        ConfigValue[] values = new ConfigValue[items.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = new ConfigValue(items[i], Node is ListNode ? string.Create(CultureInfo.InvariantCulture, $"{Path}[{i}]") : Path, Source);
        }

        return values;
    }

    internal MapNode Map() => Node as MapNode ?? throw Wrong("a hashtable of settings");

    internal StratoException Unknown(string name, IEnumerable<string> allowed)
    {
        string path = Path.Length == 0 ? name : $"{Path}.{name}";
        return Source.Error(ConfigurationLimits.Printable(path), $"the setting '{ConfigurationLimits.Printable(name)}' is unknown{NearName.Hint(name, allowed)}; allowed here: {string.Join(", ", allowed)}");
    }

    internal StratoException Error(string problem) => Source.Error(Path, problem);

    private StratoException Wrong(string expected)
    {
        string given = Node switch
        {
            TextNode text => $"the text '{ConfigurationLimits.Printable(text.Value)}'",
            NumberNode number => string.Create(CultureInfo.InvariantCulture, $"the number {number.Value}"),
            FlagNode flag => flag.Value ? "$true" : "$false",
            ListNode => "a list",
            MapNode => "a hashtable",
            _ => "$null",
        };
        return Error($"it is {given}; {expected} is expected");
    }
}
