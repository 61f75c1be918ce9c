using System;
using System.Collections.Generic;
using Strato.Engine.Qmp;

namespace Strato.Engine.Cli;

/// <summary>The options' parts for QMP, read from what <c>-help</c> prints of them, which is the one place where they are listed.</summary>
internal static class OptionGroups
{
    public static IReadOnlyList<OptionGroup> List(IEnumerable<OptionSpec> options)
    {
        List<OptionGroup> groups = [];
        foreach (OptionSpec option in options)
        {
            // Of what is in KEY=VALUE… the help has the rest.
            groups.Add(new OptionGroup(option.Name[1..], option.ValueName is null ? [] : Parameters($"{option.ValueName} {option.Help}")));
        }

        return groups;
    }

    private static List<(string Name, string Type)> Parameters(string text)
    {
        List<(string Name, string Type)> parameters = [];
        for (int equals = text.IndexOf('='); equals >= 0; equals = text.IndexOf('=', equals + 1))
        {
            int start = equals;
            while (start > 0 && (char.IsAsciiLetterLower(text[start - 1]) || char.IsAsciiDigit(text[start - 1]) || text[start - 1] is '-' or '_' or '.'))
            {
                start--;
            }

            string name = text[start..equals];
            if (name.Length > 0 && char.IsAsciiLetterLower(name[0]) && !parameters.Exists(parameter => parameter.Name == name))
            {
                parameters.Add((name, TypeOf(text.AsSpan(equals + 1))));
            }
        }

        return parameters;
    }

    /// <summary>By what the help says a value looks like: <c>on|off</c>, <c>N</c>, <c>1..32</c>, <c>BYTES</c>, or any text.</summary>
    private static string TypeOf(ReadOnlySpan<char> value)
    {
        // "[cpus=]N": the bracket is around what may be left out.
        value = value.TrimStart(']');
        int end = value.IndexOfAnyExceptInRange('0', 'z');
        ReadOnlySpan<char> word = (end < 0 ? value : value[..end]).TrimEnd("[]");
        return word is "on" or "off" or "true" or "false" ? "boolean"
            : word is "N" or "MILLISECONDS" || (word.Length > 0 && char.IsAsciiDigit(word[0])) ? "number"
            : word is "BYTES" or "SIZE" ? "size"
            : "string";
    }
}
