using System;
using System.Collections.Generic;
using System.Linq;

namespace Strato.Tests.CmdletHost;

/// <summary>One command of a pipeline: a cmdlet's name and its arguments, as PowerShell's parser would hand them over.</summary>
public sealed class Step
{
    private readonly Dictionary<string, object?> _named = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="name">Such as <c>Get-StratoVm</c>.</param>
    /// <param name="positional">Arguments without a parameter's name.</param>
    public Step(string name, params object?[] positional)
    {
        Name = name;
        Positional = positional;
    }

    public string Name { get; }

    public IReadOnlyList<object?> Positional { get; }

    public IReadOnlyDictionary<string, object?> Named => _named;

    /// <summary>Adds <c>-parameter value</c>.</summary>
    public Step With(string parameter, object? value)
    {
        _named.Add(parameter, value);
        return this;
    }

    /// <summary>Adds a switch, or several.</summary>
    public Step Switch(params string[] parameters)
    {
        foreach (string parameter in parameters)
        {
            _named.Add(parameter, true);
        }

        return this;
    }

    /// <summary>The command as one would type it, for transcripts.</summary>
    public override string ToString() => string.Join(
        ' ',
        [Name, .. Positional.Select(Quote), .. _named.Select(pair => pair.Value is true ? $"-{pair.Key}" : $"-{pair.Key} {Quote(pair.Value)}")]);

    private static string Quote(object? value) => value switch
    {
        null => "$null",
        string text when text.Length > 0 && text.All(c => char.IsLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or '*') => text,
        string text => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'",
        long bytes when bytes > 0 && bytes % (1L << 30) == 0 => $"{bytes >> 30}GB",
        long bytes when bytes > 0 && bytes % (1L << 20) == 0 => $"{bytes >> 20}MB",
        object?[] many => string.Join(", ", many.Select(Quote)),
        _ => value.ToString() ?? "",
    };
}
