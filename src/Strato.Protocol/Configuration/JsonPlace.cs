using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;

namespace Strato.Protocol.Configuration;

/// <summary>Finds where in a JSON text the value of a path such as <c>drive[1].path_on_host</c> stands, so that errors found later can say it.</summary>
public static class JsonPlace
{
    /// <summary>The line, from 1, of a value, or of the object that it is missing from; 0 when neither is in the text.</summary>
    /// <param name="utf8">A JSON document, as far as it is one.</param>
    /// <param name="path">As errors of <see cref="ConfigurationReader"/> name it. A field that is missing has its object's line.</param>
    public static int LineOf(ReadOnlySpan<byte> utf8, string path)
    {
        // As the reader of the configuration does.
        utf8 = utf8.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
        Utf8JsonReader reader = new(utf8);
        List<(string Path, int Index)> open = [];
        string name = "";
        int best = 0;
        long at = -1;
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = reader.GetString()!;
                        string own = PathOf(open, name);
                        // Of a field that is given twice, the second.
                        if (own.Length >= best && IsPrefix(own, path))
                        {
                            (best, at) = (own.Length, reader.TokenStartIndex);
                        }

                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        open.RemoveAt(open.Count - 1);
                        break;
                    default:
                        string value = PathOf(open, name);
                        if (value.Length > best && IsPrefix(value, path))
                        {
                            (best, at) = (value.Length, reader.TokenStartIndex);
                        }

                        if (open.Count > 0 && open[^1].Index >= 0)
                        {
                            open[^1] = (open[^1].Path, open[^1].Index + 1);
                        }

                        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                        {
                            open.Add((value, reader.TokenType == JsonTokenType.StartArray ? 0 : -1));
                        }

                        break;
                }
            }
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // What follows isn't JSON; the path may stand before it.
        }

        // The value itself, or what it is missing from.
        return at < 0 || path.AsSpan(best).TrimStart('.').IndexOfAny('.', '[') >= 0 ? 0 : 1 + utf8[..(int)at].Count((byte)'\n');
    }

    /// <summary>The path of a value within what is open: an array's next item, or the field of a name.</summary>
    private static string PathOf(List<(string Path, int Index)> open, string name) =>
        open.Count == 0 ? ""
        : open[^1].Index >= 0 ? string.Create(CultureInfo.InvariantCulture, $"{open[^1].Path}[{open[^1].Index}]")
        : open[^1].Path.Length == 0 ? name
        : $"{open[^1].Path}.{name}";

    private static bool IsPrefix(string start, string path) =>
        path.StartsWith(start, StringComparison.Ordinal) && (path.Length == start.Length || path[start.Length] is '.' or '[');
}
