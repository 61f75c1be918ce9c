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
    private static int _descriptor = 2;

    /// <summary>Sends all further lines to <paramref name="descriptor"/>, which the log then owns.</summary>
    public static void Redirect(int descriptor) => _descriptor = descriptor;

    public static void Error(string room, string message) => Write(EngineLog.Error, room, message);

    public static void Warning(string room, string message) => Write("warning", room, message);

    public static void Info(string room, string message) => Write("info", room, message);

    // A log that can't be written (full disk, closed pipe) must not stop the machine: the result is not looked at.
    private static void Write(string level, string room, string message) =>
        _ = Libc.Write(_descriptor, Encoding.UTF8.GetBytes(EngineLog.Line(DateTime.UtcNow, level, room, message)));
}
