using System;
using Strato.PowerShell;
using Strato.Protocol;

namespace Strato;

/// <summary>One line of an engine's log.</summary>
public sealed class LogEntry
{
    internal LogEntry(VmTarget vm, string line)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        Line = line;
        if (EngineLog.TryParse(line) is { } parsed)
        {
            Time = parsed.Time.ToLocalTime();
            Level = parsed.Level;
            Source = parsed.Room;
            Message = parsed.Message;
        }
        else
        {
            Message = line;
        }
    }

    /// <summary>Name of the VM.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Local time; null for a line that isn't the engine's own, such as the last words of its runtime.</summary>
    public DateTime? Time { get; }

    /// <summary>error, warning or info; null as <see cref="Time"/>.</summary>
    public string? Level { get; }

    /// <summary>The part of the engine that speaks, such as machine or net; client for what the cmdlets write; null as <see cref="Time"/>.</summary>
    public string? Source { get; }

    /// <summary>What it says.</summary>
    public string Message { get; }

    /// <summary>The whole line as it stands in the log.</summary>
    public string Line { get; }

    public override string ToString() => Line;
}
