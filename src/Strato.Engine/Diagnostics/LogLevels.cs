using System;
using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Diagnostics;

/// <summary>How much a line of the log matters, the most first.</summary>
internal enum LogLevel
{
    Error,
    Warning,
    Info,
}

/// <summary>Which lines the log has: a level for all rooms, and others for some (<c>STRATO_LOG_LEVEL=warning,machine=info</c>).</summary>
internal sealed class LogLevels
{
    /// <summary>The variable of the environment, as StratoVirt has STRATOVIRT_LOG_LEVEL.</summary>
    public const string Variable = "STRATO_LOG_LEVEL";

    /// <summary>All rooms that speak, as they are named in the lines.</summary>
    public static readonly string[] Rooms =
    [
        "block", "boot", "dump", "engine", "log", "machine", "memory", "net", "options", "qmp", "sandbox", "serial", "snapshot", "socket",
        "virtio", "virtio-balloon", "virtio-blk", "virtio-fs", "virtio-mmio", "virtio-net", "virtio-rng", "virtio-vsock",
    ];

    private readonly Dictionary<string, LogLevel> _rooms = new(StringComparer.Ordinal);
    private LogLevel _others = LogLevel.Info;

    /// <summary>Reads the variable's value; null or empty means everything.</summary>
    /// <exception cref="UserErrorException">InvalidOption.</exception>
    public static LogLevels Parse(string? value)
    {
        LogLevels levels = new();
        if (string.IsNullOrEmpty(value))
        {
            return levels;
        }

        foreach (string part in value.Split(','))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            LogLevel level = ParseLevel(part[(equals + 1)..]);
            if (equals < 0)
            {
                levels._others = level;
            }
            else if (Array.IndexOf(Rooms, part[..equals]) >= 0)
            {
                levels._rooms[part[..equals]] = level;
            }
            else
            {
                throw Invalid($"'{ConfigurationLimits.Printable(part[..equals])}' is no room of the engine; allowed: {string.Join(", ", Rooms)}.");
            }
        }

        return levels;
    }

    public bool Allows(LogLevel level, string room) => level <= (_rooms.TryGetValue(room, out LogLevel own) ? own : _others);

    private static LogLevel ParseLevel(string name) => name switch
    {
        "error" => LogLevel.Error,
        "warning" or "warn" => LogLevel.Warning,
        "info" => LogLevel.Info,
        _ => throw Invalid($"'{ConfigurationLimits.Printable(name)}' is not a level of the log; allowed: error, warning, info, or ROOM=LEVEL, several with commas."),
    };

    private static UserErrorException Invalid(string message) => new("InvalidOption", message, Variable);
}
