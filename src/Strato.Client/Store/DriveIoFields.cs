using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using Strato.Protocol.Configuration;

namespace Strato.Client.Store;

/// <summary>A drive's I/O in <c>vm.json</c> and on the engine's command line: the same names and values, but for how JSON writes them.</summary>
internal static class DriveIoFields
{
    private static readonly string[] Switch = ["off", "on"];

    /// <summary>What is given, as parts of <c>-drive</c> without its iothread.</summary>
    internal static IEnumerable<(string Key, string Value)> Options(DriveIo io)
    {
        foreach ((string key, string? value) in All(io))
        {
            if (value is not null)
            {
                yield return (key, value);
            }
        }
    }

    internal static void Write(Utf8JsonWriter writer, DriveIo io)
    {
        if (io.IoThread is { Length: > 0 })
        {
            writer.WriteString("iothread", io.IoThread);
        }

        foreach ((string key, string? value) in All(io))
        {
            if (value is not null)
            {
                writer.WriteString(key, value);
            }
        }
    }

    /// <param name="text">Gives a field's text, or null.</param>
    /// <exception cref="FormatException">A value that is unknown.</exception>
    internal static DriveIo Read(Func<string, string?> text) => new()
    {
        Aio = (DriveAio?)Choice(text, "aio", DriveNames.Aio),
        Cache = (DriveCache?)Choice(text, "cache", DriveNames.Cache),
        Direct = Choice(text, "direct", Switch) is { } direct ? direct == 1 : null,
        Iops = Number(text, "iops"),
        IoThread = text("iothread"),
        QueueCount = Number(text, "num-queues"),
        QueueSize = Number(text, "queue-size"),
        Discard = (DriveDiscard?)Choice(text, "discard", DriveNames.Discard),
        DetectZeroes = (DriveDetectZeroes?)Choice(text, "detect-zeroes", DriveNames.DetectZeroes),
        WriteErrorAction = (DriveErrorAction?)Choice(text, "werror", DriveNames.WriteError),
        ReadErrorAction = (DriveErrorAction?)Choice(text, "rerror", DriveNames.ReadError),
        Snapshot = Choice(text, "snapshot", Switch) is { } snapshot ? snapshot == 1 : null,
    };

    private static (string Key, string? Value)[] All(DriveIo io) =>
    [
        ("aio", Name(DriveNames.Aio, (int?)io.Aio)),
        ("cache", Name(DriveNames.Cache, (int?)io.Cache)),
        ("direct", Name(Switch, io.Direct is { } direct ? (direct ? 1 : 0) : null)),
        ("iops", io.Iops?.ToString(CultureInfo.InvariantCulture)),
        ("num-queues", io.QueueCount?.ToString(CultureInfo.InvariantCulture)),
        ("queue-size", io.QueueSize?.ToString(CultureInfo.InvariantCulture)),
        ("discard", Name(DriveNames.Discard, (int?)io.Discard)),
        ("detect-zeroes", Name(DriveNames.DetectZeroes, (int?)io.DetectZeroes)),
        ("werror", Name(DriveNames.WriteError, (int?)io.WriteErrorAction)),
        ("rerror", Name(DriveNames.WriteError, (int?)io.ReadErrorAction)),
        ("snapshot", Name(Switch, io.Snapshot is { } snapshot ? (snapshot ? 1 : 0) : null)),
    ];

    private static string? Name(string[] names, int? value) => value is { } index ? names[index] : null;

    private static int? Choice(Func<string, string?> text, string key, string[] names)
    {
        if (text(key) is not { } value)
        {
            return null;
        }

        int index = Array.IndexOf(names, value);
        return index >= 0 ? index : throw new FormatException($"{key} of a drive is '{value}'; allowed: {string.Join(", ", names)}");
    }

    private static int? Number(Func<string, string?> text, string key) =>
        text(key) is not { } value ? null
        : int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : throw new FormatException($"{key} of a drive is '{value}'; a whole number is expected");
}
