using System;
using System.Text;
using System.Text.RegularExpressions;

namespace Strato.Client.Consoles;

/// <summary>Looks for a pattern in console output that comes in pieces, across their borders.</summary>
/// <remarks>
/// The pattern sees plain text (see <see cref="ConsoleText"/>). Text is kept until it exceeds twice <see cref="Window"/> characters, then
/// all but the last <see cref="Window"/> go: a match can be no longer than that, and <c>^</c> and <c>\A</c> still mean the true beginning.
/// A pattern is tried whenever something has come, so one that depends on what follows it (<c>$</c>, <c>\z</c>, look-ahead, a greedy end)
/// sees the text as it ends at that moment.
/// </remarks>
internal sealed class ConsoleMatcher
{
    internal const int Window = 64 * 1024;

    private readonly Regex _pattern;
    private readonly ConsoleText _decoder = new();
    private readonly StringBuilder _text = new();
    private bool _trimmed;

    internal ConsoleMatcher(Regex pattern)
    {
        _pattern = pattern;
    }

    /// <summary>The last lines seen, for an error.</summary>
    internal string LastLine
    {
        get
        {
            string[] lines = _text.ToString(Math.Max(0, _text.Length - 500), Math.Min(500, _text.Length)).TrimEnd().Split('\n');
            return lines[^1].Trim();
        }
    }

    internal ConsoleMatch? Feed(ReadOnlySpan<byte> bytes)
    {
        int before = _text.Length;
        _decoder.Feed(bytes, _text);
        if (_text.Length == before)
        {
            return null;
        }

        string text = _text.ToString();
        Match match;
        try
        {
            // With a start behind the beginning, ^ and \A don't match there, and look-behind sees the character before.
            match = _pattern.Match(text, _trimmed ? 1 : 0);
        }
        catch (RegexMatchTimeoutException e)
        {
            throw new StratoException(StratoErrorKind.Timeout, "MatchTimeout", $"The pattern '{_pattern}' takes longer than {e.MatchTimeout.TotalSeconds} seconds to match.", e)
            {
                Where = "-Match",
                RecommendedAction = "Use an expression without nested repetition.",
            };
        }

        if (match.Success)
        {
            int start = match.Index == 0 ? 0 : text.LastIndexOf('\n', match.Index - 1) + 1;
            int end = text.IndexOf('\n', match.Index + match.Length);
            return new ConsoleMatch(match.Value, text[start..(end < 0 ? text.Length : end)], match);
        }

        if (_text.Length > 2 * Window)
        {
            _text.Remove(0, _text.Length - Window);
            _trimmed = true;
        }

        return null;
    }
}
