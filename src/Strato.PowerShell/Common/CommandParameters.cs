using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>-Command, -FilePath, -ArgumentList and -Environment of cmdlets that run something in a guest.</summary>
internal static class CommandParameters
{
    /// <summary>Error <c>ParametersConflict</c>; null where they go together.</summary>
    /// <param name="command">A line for a shell, or null.</param>
    /// <param name="filePath">A program, or null.</param>
    /// <param name="arguments">Of the program.</param>
    /// <param name="whose">Whose shell takes the line.</param>
    public static StratoException? Conflict(string? command, string? filePath, string[] arguments, string whose) =>
        command is not null && filePath is not null ? Conflict($"-Command is for the {whose}'s shell, and -FilePath for a program without one; give one of them.")
        : arguments.Length > 0 && filePath is null ? Conflict("-ArgumentList is for -FilePath; arguments of -Command stand in its text.")
        : null;

    public static Dictionary<string, string> Variables(IDictionary? environment)
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in environment ?? new Hashtable())
        {
            object? value = entry.Value is PSObject wrapped ? wrapped.BaseObject : entry.Value;
            variables[Convert.ToString(entry.Key, CultureInfo.InvariantCulture) ?? ""] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        }

        return variables;
    }

    private static StratoException Conflict(string message) => new(StratoErrorKind.InvalidArgument, "ParametersConflict", message);
}
