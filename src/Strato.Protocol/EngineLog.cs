using System;
using System.Globalization;

namespace Strato.Protocol;

/// <summary>How a line of the engine's log is worded: the engine writes by it, and the client finds by it why an engine ended.</summary>
/// <remarks>A line is <c>TIME LEVEL ROOM: MESSAGE</c>. The last message of an engine that ends in order is <c>end (REASON)</c>.</remarks>
public static class EngineLog
{
    /// <summary>Level of what made something fail.</summary>
    public const string Error = "error";

    /// <summary>Reason of an end that nobody wished for: KVM or the engine failed while the machine ran.</summary>
    public const string HostError = "host-error";

    /// <summary>Room of the lines that come from the program that starts an engine.</summary>
    public const string Client = "client";

    /// <summary>Room of what the log says about itself.</summary>
    public const string LogRoom = "log";

    private const string EndOpening = ": end (";
    private const string StartOpening = "start of ";
    private const string EmptiedEnding = " was full, and is emptied: it can't be renamed";
    private const string TimeFormat = "yyyy-MM-ddTHH:mm:ss.ffffffZ";

    /// <summary>One line, with its newline.</summary>
    /// <param name="time">In UTC.</param>
    /// <param name="level">One word.</param>
    /// <param name="room">One word: the part of the engine that speaks.</param>
    /// <param name="message">What it says.</param>
    public static string Line(DateTime time, string level, string room, string message) =>
        $"{time.ToString(TimeFormat, CultureInfo.InvariantCulture)} {level} {room}: {message}\n";

    /// <summary>The first message of a run, of the room <see cref="Client"/>: by it the runs of a log that was put aside are told apart.</summary>
    /// <param name="machine">Its name.</param>
    public static string Start(string machine) => $"{StartOpening}'{machine}'";

    /// <summary>The message, of the room <see cref="LogRoom"/>, of a log that begins anew in its own file.</summary>
    /// <param name="path">Of the file.</param>
    public static string Emptied(string path) => $"{path}{EmptiedEnding}";

    /// <summary>The parts of a line (without its newline); null for one that isn't the log's own, such as the last words of the runtime.</summary>
    /// <remarks>A line of the filter of system calls begins with <c>@</c> and the seconds since 1970: its handler can't divide time into years.</remarks>
    public static EngineLogLine? TryParse(string line)
    {
        string[] words = line.Split(' ', 3);
        int end = words.Length == 3 ? words[2].IndexOf(": ", StringComparison.Ordinal) : -1;
        return end > 0 && words[1].Length > 0 && TryParseTime(words[0], out DateTime time) && words[2].IndexOf(' ', StringComparison.Ordinal) == end + 1
            ? new EngineLogLine(time, words[1], words[2][..end], words[2][(end + 2)..])
            : null;
    }

    /// <summary>Whether a line (without its newline) is the first of a run, as far as its log has it.</summary>
    public static bool BeginsRun(string line) => TryParse(line) is { } parsed
        && ((parsed.Room == Client && parsed.Message.StartsWith(StartOpening, StringComparison.Ordinal))
            || (parsed.Room == LogRoom && parsed.Message.EndsWith(EmptiedEnding, StringComparison.Ordinal)));

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

    private static bool TryParseTime(string text, out DateTime time)
    {
        const long MaxSeconds = 253402300799; // the year 9999
        if (text.Length > 1 && text[0] == '@' && long.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds <= MaxSeconds)
        {
            time = DateTime.UnixEpoch.AddSeconds(seconds);
            return true;
        }

        return DateTime.TryParseExact(text, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
    }
}

/// <summary>A line of the engine's log in its parts.</summary>
/// <param name="Time">In UTC.</param>
/// <param name="Level">One word: error, warning or info.</param>
/// <param name="Room">One word: the part of the engine that speaks.</param>
/// <param name="Message">What it says.</param>
public sealed record EngineLogLine(DateTime Time, string Level, string Room, string Message);
