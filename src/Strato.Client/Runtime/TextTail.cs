using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace Strato.Client.Runtime;

/// <summary>The last lines of a file, without reading all of it.</summary>
internal static class TextTail
{
    /// <summary>Characters of a line at most: a longer one comes in pieces, for a guest may print gigabytes without a newline.</summary>
    internal const int MaximumLine = 1 << 20;

    private const int Block = 16384;

    /// <param name="path">Not there is empty.</param>
    /// <param name="lines">How many.</param>
    /// <returns>Lines without their ends (LF or CR LF); bytes that are not UTF-8 become U+FFFD.</returns>
    internal static IReadOnlyList<string> Read(string path, int lines)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return [.. Read(file, lines)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The lines that are there now, each read when it is asked for.</summary>
    /// <param name="file">Can seek, and may grow.</param>
    /// <param name="lines">How many of the last; null for all.</param>
    internal static IEnumerable<string> Read(Stream file, int? lines)
    {
        long left = file.Length;
        long start = lines is { } last ? Find(file, last) : 0;
        left -= start;
        file.Seek(start, SeekOrigin.Begin);
        Decoder decoder = Encoding.UTF8.GetDecoder();
        StringBuilder line = new();
        byte[] bytes = new byte[Block];
        char[] text = new char[Block + 1];
        while (left > 0)
        {
            int count = file.Read(bytes, 0, (int)Math.Min(bytes.Length, left));
            left = count == 0 ? 0 : left - count;
            int characters = decoder.GetChars(bytes, 0, count, text, 0, flush: left == 0);
            for (int i = 0; i < characters; i++)
            {
                // Not ReadLine, which takes a lone CR for an end of line as well; consoles send those to begin a line anew.
                if (text[i] != '\n')
                {
                    line.Append(text[i]);
                }

                if (text[i] == '\n' || line.Length == MaximumLine)
                {
                    yield return Take(line);
                }
            }
        }

        if (line.Length > 0)
        {
            yield return Take(line);
        }
    }

    /// <summary>Offset where the last so many lines begin; a newline at the very end doesn't begin another, and one that is too long counts as several.</summary>
    internal static long Find(Stream file, int lines)
    {
        long end = file.Length;
        if (lines <= 0)
        {
            return end;
        }

        byte[] block = new byte[Block];
        long lineEnd = end;
        int found = 0;
        for (long position = end; position > 0;)
        {
            int size = (int)Math.Min(Block, position);
            position -= size;
            file.Seek(position, SeekOrigin.Begin);
            file.ReadExactly(block, 0, size);
            for (int i = size - 1; i >= 0; i--)
            {
                long next = position + i + 1;
                if ((block[i] == '\n' && next != end) || lineEnd - next == MaximumLine)
                {
                    lineEnd = next;
                    if (++found == lines)
                    {
                        return next;
                    }
                }
            }
        }

        return 0;
    }

    /// <summary>A line without its end; what it was built in is empty then.</summary>
    internal static string Take(StringBuilder line)
    {
        while (line.Length > 0 && line[^1] == '\r')
        {
            line.Length--;
        }

        string text = line.ToString();
        line.Clear();
        return text;
    }
}
