using System;
using System.Collections.Generic;
using System.Text;

namespace Strato.Client.Configurations;

/// <summary>Divides a command line into words as sh does: quotes, backslashes, line ends behind a backslash, comments. Nothing is expanded.</summary>
internal static class ShellWords
{
    /// <summary>The words, each with its line from 1.</summary>
    /// <exception cref="FormatException">A quote that isn't closed, or what a shell would expand or run, with its line.</exception>
    internal static List<(string Text, int Line)> Split(string text)
    {
        List<(string, int)> words = [];
        StringBuilder word = new();
        bool inWord = false;
        int line = 1, begun = 1;
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c is ' ' or '\t' or '\r' or '\n')
            {
                End();
                line += c == '\n' ? 1 : 0;
                continue;
            }

            if (c == '#' && !inWord)
            {
                int end = text.IndexOf('\n', i);
                i = end < 0 ? text.Length : end - 1;
                continue;
            }

            if (c == '\\' && i + 1 < text.Length && (text[i + 1] == '\n' || (text[i + 1] == '\r' && i + 2 < text.Length && text[i + 2] == '\n')))
            {
                i += text[i + 1] == '\r' ? 2 : 1;
                line++;
                continue;
            }

            begun = inWord ? begun : line;
            inWord = true;
            switch (c)
            {
                case '\'' or '"':
                    i = Quoted(text, i, word, ref line);
                    break;
                case '\\' when i + 1 < text.Length:
                    word.Append(text[++i]);
                    break;
                case '$' or '`' or ';' or '|' or '&' or '<' or '>' or '(' or ')':
                    throw new FormatException($"line {line}: '{c}' has a meaning for a shell, which isn't there; quote it, and write what it stands for");
                default:
                    word.Append(c);
                    break;
            }
        }

        End();
        return words;

        void End()
        {
            if (inWord)
            {
                words.Add((word.ToString(), begun));
                word.Clear();
                inWord = false;
            }
        }
    }

    /// <summary>Takes a quoted part.</summary>
    /// <returns>Where its closing quote is.</returns>
    private static int Quoted(string text, int open, StringBuilder word, ref int line)
    {
        char quote = text[open];
        int first = line;
        for (int i = open + 1; i < text.Length; i++)
        {
            char c = text[i];
            if (c == quote)
            {
                return i;
            }

            line += c == '\n' ? 1 : 0;
            if (quote == '"' && c == '\\' && i + 1 < text.Length && text[i + 1] is '"' or '\\' or '$' or '`' or '\n')
            {
                i++;
                line += text[i] == '\n' ? 1 : 0;
                word.Append(text[i] == '\n' ? "" : text[i].ToString());
                continue;
            }

            if (quote == '"' && c is '$' or '`')
            {
                throw new FormatException($"line {line}: '{c}' has a meaning for a shell, which isn't there; write what it stands for");
            }

            word.Append(c);
        }

        throw new FormatException($"line {first}: the quote {quote} isn't closed");
    }
}
