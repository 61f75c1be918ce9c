using System;
using System.Diagnostics;

namespace Strato.Engine.Diagnostics;

/// <summary>Holds the messages of one guest-driven source to 10 in 5 seconds, so that a guest can't flood the log.</summary>
/// <remarks>One source, one instance; used by the thread that serves the source.</remarks>
internal sealed class RateLimit
{
    private const int MessagesPerWindow = 10;
    private static readonly long WindowTicks = 5 * Stopwatch.Frequency;

    private long _windowStart;
    private int _inWindow;
    private int _suppressed;

    /// <summary>Whether the next message may be logged; after a quiet spell says how many were left out before it.</summary>
    public bool Allow(out int suppressedBefore)
    {
        long now = Stopwatch.GetTimestamp();
        suppressedBefore = 0;
        if (_windowStart == 0 || now - _windowStart >= WindowTicks)
        {
            suppressedBefore = _suppressed;
            _windowStart = now;
            _inWindow = 0;
            _suppressed = 0;
        }

        if (_inWindow == MessagesPerWindow)
        {
            _suppressed++;
            return false;
        }

        _inWindow++;
        return true;
    }

    /// <summary>Logs a warning of <paramref name="room"/> unless the limit holds it back.</summary>
    /// <remarks>The message is made only when it will be written.</remarks>
    public void Warn(string room, Func<string> message)
    {
        if (Allow(out int suppressed))
        {
            Log.Warning(room, message() + Tail(suppressed));
        }
    }

    /// <summary>As <see cref="Warn"/>, of what is no fault.</summary>
    public void Info(string room, Func<string> message)
    {
        if (Allow(out int suppressed))
        {
            Log.Info(room, message() + Tail(suppressed));
        }
    }

    private static string Tail(int suppressed) => suppressed > 0 ? $" ({suppressed} messages of this source left out before)" : "";
}
