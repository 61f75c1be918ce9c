using System;
using System.Globalization;
using System.Text;

namespace Strato.Protocol;

/// <summary>The line with which the engine begins a console's log anew when the log has reached its limit; the client finds by it what belongs together.</summary>
public static class ConsoleLogMark
{
    /// <summary>What the name of the file before has behind the log's own.</summary>
    public const string OlderSuffix = ".1";

    /// <summary>Bytes of a mark at most, with its newline.</summary>
    public const int MaxLength = 128;

    private const string Opening = "[strato: from byte ";
    private const string Continued = " on; what was before is in the file .1]";
    private const string Dropped = " on; what was before has been dropped]";

    /// <summary>The line, with its newline.</summary>
    /// <param name="offset">Bytes of output before what follows the mark.</param>
    /// <param name="kept">Whether what was before is in the file of <see cref="OlderSuffix"/>.</param>
    public static byte[] Line(long offset, bool kept) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Opening}{offset}{(kept ? Continued : Dropped)}\n"));

    /// <summary>Reads the mark at a log's beginning; false when it begins without one.</summary>
    /// <param name="head">The log's first bytes, <see cref="MaxLength"/> of them where it has so many.</param>
    /// <param name="length">Bytes of the mark, with its newline.</param>
    /// <param name="offset">As in <see cref="Line"/>.</param>
    /// <param name="kept">As in <see cref="Line"/>.</param>
    public static bool TryRead(ReadOnlySpan<byte> head, out int length, out long offset, out bool kept)
    {
        length = head.IndexOf((byte)'\n') + 1;
        offset = 0;
        kept = false;
        string line = Encoding.ASCII.GetString(head[..Math.Max(length - 1, 0)]);
        if (!line.StartsWith(Opening, StringComparison.Ordinal))
        {
            return false;
        }

        kept = line.EndsWith(Continued, StringComparison.Ordinal);
        string ending = kept ? Continued : Dropped;
        return line.EndsWith(ending, StringComparison.Ordinal)
            && line.Length > Opening.Length + ending.Length
            && long.TryParse(line[Opening.Length..^ending.Length], NumberStyles.None, CultureInfo.InvariantCulture, out offset);
    }
}
