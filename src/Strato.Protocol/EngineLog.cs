using System;

namespace Strato.Protocol;

/// <summary>How a line of the engine's log is worded: the engine writes by it, and the client finds by it why an engine ended.</summary>
/// <remarks>A line is <c>TIME LEVEL ROOM: MESSAGE</c>. The last message of an engine that ends in order is <c>end (REASON)</c>.</remarks>
public static class EngineLog
{
    /// <summary>Level of what made something fail.</summary>
    public const string Error = "error";

    /// <summary>Reason of an end that nobody wished for: KVM or the engine failed while the machine ran.</summary>
    public const string HostError = "host-error";

    private const string EndOpening = ": end (";

    /// <summary>One line, with its newline.</summary>
    /// <param name="time">In UTC.</param>
    /// <param name="level">One word.</param>
    /// <param name="room">One word: the part of the engine that speaks.</param>
    /// <param name="message">What it says.</param>
    public static string Line(DateTime time, string level, string room, string message) =>
        $"{time:yyyy-MM-ddTHH:mm:ss.ffffffZ} {level} {room}: {message}\n";

    /// <summary>The message of an engine that ends in order.</summary>
    /// <param name="reason">QEMU's name: guest-shutdown, host-signal, <see cref="HostError"/> …</param>
    public static string End(string reason) => $"end ({reason})";

    /// <summary>Whether a line (without its newline) tells of an error.</summary>
    public static bool IsError(string line)
    {
        string[] words = line.Split(' ', 3);
        return words.Length == 3 && words[1] == Error;
    }

    /// <summary>The reason in a line (without its newline) with the message <see cref="End"/>; null if it has another.</summary>
    public static string? FindEnd(string line)
    {
        // The room is the third word, so the first colon and blank behind it begin the message.
        string[] words = line.Split(' ', 3);
        int opening = words.Length == 3 ? words[2].IndexOf(": ", StringComparison.Ordinal) : -1;
        return opening >= 0 && words[2].AsSpan(opening).StartsWith(EndOpening, StringComparison.Ordinal) && line[^1] == ')'
            ? words[2][(opening + EndOpening.Length)..^1]
            : null;
    }
}
