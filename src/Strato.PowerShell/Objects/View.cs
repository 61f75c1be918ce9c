using System;
using System.Collections;
using System.Globalization;
using System.Linq;
using Strato.Client;

namespace Strato;

/// <summary>How the module's views (Strato.Format.ps1xml) write values; objects carry plain numbers.</summary>
public static class View
{
    private const string Escape = "\u001b[";

    /// <summary>Bytes as people say them: <c>512 MB</c>, <c>1.5 GB</c>; units as PowerShell's, 1 MB = 1,048,576.</summary>
    public static string Size(long? bytes)
    {
        if (bytes is not long value)
        {
            return "";
        }

        ReadOnlySpan<string> units = ["B", "KB", "MB", "GB", "TB", "PB"];
        double size = value;
        int unit = 0;
        while (size >= 1024 && unit < units.Length - 1)
        {
            size /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{size:0.#} {units[unit]}");
    }

    /// <summary>Bytes a second as <see cref="Size"/> writes bytes.</summary>
    public static string Rate(double? bytes) => Size((long?)bytes);

    /// <summary>Seconds as <c>hh:mm:ss</c>, with days before it when there are any.</summary>
    public static string Duration(double seconds)
    {
        TimeSpan time = TimeSpan.FromSeconds(Math.Floor(seconds));
        return time.ToString(time.Days > 0 ? @"d\.hh\:mm\:ss" : @"hh\:mm\:ss", CultureInfo.InvariantCulture);
    }

    /// <summary>A setting's value: amounts of bytes as people say them.</summary>
    public static string Setting(string path, object? value) => value switch
    {
        long bytes when path is "Memory" or "HugePage" => Size(bytes),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    /// <summary>A guest's word, safe for a terminal.</summary>
    public static string Plain(string? text) => TerminalText.Plain(text ?? "");

    /// <summary>A guest's words, as PowerShell writes a list: <c>{lo, eth0}</c>.</summary>
    public static string PlainList(IEnumerable? items) => items is null ? "" : $"{{{string.Join(", ", items.Cast<object?>().Select(item => Plain(item?.ToString())))}}}";

    /// <summary>A VM's state in its colour. PowerShell removes the colour where the terminal or $PSStyle wants none.</summary>
    public static string State(string state) => state switch
    {
        VmState.Running => Colour(state, 32),
        VmState.Paused or VmState.Starting => Colour(state, 33),
        VmState.Failed or VmState.Unresponsive or VmState.Halted => Colour(state, 31),
        _ => state,
    };

    /// <summary>A level of the log in its colour.</summary>
    public static string Level(string? level) => level switch
    {
        "error" => Colour(level, 31),
        "warning" => Colour(level, 33),
        _ => level ?? "",
    };

    /// <summary>KVM's verdict in its colour.</summary>
    public static string Kvm(string verdict) => Colour(verdict, verdict == "usable" ? 32 : 31);

    /// <summary>A check's result in its colour.</summary>
    public static string Check(string result) => Colour(result, result switch { "Passed" => 32, "Warning" => 33, _ => 31 });

    /// <summary>Whether something is good, in its colour.</summary>
    public static string Good(bool good) => Colour(good ? "True" : "False", good ? 32 : 31);

    /// <summary>A name in a tree, below its parent; the current one is marked.</summary>
    public static string Branch(int depth, string name, bool isCurrent)
    {
        string branch = depth == 0 ? "" : $"{new string(' ', (depth - 1) * 2)}└ ";
        return $"{branch}{Plain(name)}{(isCurrent ? Colour(" ◄", 32) : "")}";
    }

    private static string Colour(string text, int colour) =>
        string.Create(CultureInfo.InvariantCulture, $"{Escape}{colour}m{text}{Escape}0m");
}
