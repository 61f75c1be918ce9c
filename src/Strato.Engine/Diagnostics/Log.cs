using System;
using System.Text;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Diagnostics;

/// <summary>The engine's log: one line a message, to standard error or the file of <c>-D</c>.</summary>
/// <remarks>
/// A line is one write(2), so lines of several threads never mix and no lock is held; nothing that runs in a
/// signal handler logs. Messages that a guest can provoke go through a <see cref="RateLimit"/>.
/// </remarks>
internal static class Log
{
    /// <summary>Where lines go. Its number stays the same when the file behind it changes.</summary>
    public static int Descriptor { get; private set; } = 2;

    /// <summary>Which lines are written.</summary>
    public static LogLevels Levels { get; set; } = new();

    /// <summary>Called after each line, on the thread that wrote it.</summary>
    public static Action? Written { get; set; }

    /// <summary>Sends all further lines to <paramref name="descriptor"/>, which the log then owns.</summary>
    public static void Redirect(int descriptor) => Descriptor = descriptor;

    public static void Error(string room, string message) => Write(LogLevel.Error, EngineLog.Error, room, message);

    public static void Warning(string room, string message) => Write(LogLevel.Warning, "warning", room, message);

    public static void Info(string room, string message) => Write(LogLevel.Info, "info", room, message);

    /// <summary>Why the engine ends: written whatever the levels, for the client looks for it.</summary>
    public static void End(string room, string reason) => Write("info", room, EngineLog.End(reason));

    private static void Write(LogLevel level, string name, string room, string message)
    {
        if (Levels.Allows(level, room))
        {
            Write(name, room, message);
        }
    }

    // A log that can't be written (full disk, closed pipe) must not stop the machine: the result is not looked at.
    private static void Write(string level, string room, string message)
    {
        _ = Libc.Write(Descriptor, Encoding.UTF8.GetBytes(EngineLog.Line(DateTime.UtcNow, level, room, message)));
        Written?.Invoke();
    }
}
