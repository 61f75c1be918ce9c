using System;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Strato.Client.Qmp;

/// <summary>Makes elements of the JSON that guests and engines send.</summary>
/// <remarks>
/// The parser takes bytes that aren't UTF-8, and halves of surrogate pairs, but what reads an element throws at them, even a look for another member.
/// So each becomes U+FFFD before: every text and name of an element that comes from here can be read.
/// </remarks>
internal static class ReceivedJson
{
    private const int EscapeLength = 6;

    /// <param name="bytes">One value.</param>
    /// <param name="most">How deep objects and arrays may nest.</param>
    /// <exception cref="JsonException">It isn't JSON.</exception>
    internal static JsonElement Parse(ReadOnlyMemory<byte> bytes, int most = 64)
    {
        using JsonDocument document = JsonDocument.Parse(Mend(bytes), new JsonDocumentOptions { MaxDepth = most });
        return document.RootElement.Clone();
    }

    private static ReadOnlyMemory<byte> Mend(ReadOnlyMemory<byte> bytes)
    {
        if (!Utf8.IsValid(bytes.Span))
        {
            bytes = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes.Span));
        }

        ReadOnlySpan<byte> text = bytes.Span;
        byte[]? mended = null;
        for (int at = Next(text, 0); at < text.Length; at = Next(text, at))
        {
            if (!TryUnit(text, at, out char unit))
            {
                // Another escape; of two backslashes the second begins none.
                at += 2;
            }
            else if (char.IsHighSurrogate(unit) && TryUnit(text, at + EscapeLength, out char low) && char.IsLowSurrogate(low))
            {
                at += 2 * EscapeLength;
            }
            else
            {
                if (char.IsSurrogate(unit))
                {
                    mended ??= bytes.ToArray();
                    "\\ufffd"u8.CopyTo(mended.AsSpan(at));
                }

                at += EscapeLength;
            }
        }

        return mended ?? bytes;
    }

    /// <summary>Offset of the next backslash, or the end.</summary>
    private static int Next(ReadOnlySpan<byte> text, int from)
    {
        int found = from < text.Length ? text[from..].IndexOf((byte)'\\') : -1;
        return found < 0 ? text.Length : from + found;
    }

    /// <summary>The code unit of an escape such as <c>\u00e9</c>.</summary>
    private static bool TryUnit(ReadOnlySpan<byte> text, int at, out char unit)
    {
        unit = '\0';
        if (at + EscapeLength > text.Length || text[at] != '\\' || text[at + 1] != 'u'
            || !ushort.TryParse(text.Slice(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort number))
        {
            return false;
        }

        unit = (char)number;
        return true;
    }
}
