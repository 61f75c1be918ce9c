using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace Strato.Tools.Help;

/// <summary>
/// Writes an about_ topic, the plain text that Get-Help shows, of a page of markdown: headings, paragraphs, lists, tables of two
/// columns and code. Lines have at most 80 characters, as PowerShell's own topics do; code is left as it is.
/// </summary>
internal sealed class AboutWriter
{
    private const int Width = 80;
    private const int TermWidth = 22;

    private readonly StringBuilder _text = new();
    private readonly List<string> _paragraph = [];
    private Block _last;
    private int _depth = 4;

    private enum Block
    {
        Heading,
        Paragraph,
        Item,
        Row,
        Code,
    }

    /// <summary>The text of the page <paramref name="name"/>. Errors: <see cref="FormatException"/> for what has no form here.</summary>
    public static string Write(string name, string markdown)
    {
        AboutWriter writer = new();
        writer._text.Append($"TOPIC\n    {name}\n");
        writer.Lines(name, markdown.ReplaceLineEndings("\n").Split('\n').Skip(1));
        return writer._text.ToString();
    }

    private void Lines(string name, IEnumerable<string> lines)
    {
        bool code = false;
        foreach (string line in lines)
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                End();
                code = !code;
                _text.Append(code ? "\n" : "");
                _last = Block.Code;
            }
            else if (code)
            {
                _text.Append(line.Length == 0 ? "\n" : $"{new string(' ', _depth + 4)}{line}\n");
            }
            else if (line.StartsWith('#'))
            {
                End();
                _depth = line.TakeWhile(c => c == '#').Count() switch
                {
                    2 => 4,
                    3 => 8,
                    _ => throw new FormatException($"{name}: the heading '{line}' is of a level other than ## and ###"),
                };
                _text.Append($"\n{new string(' ', _depth - 4)}{line.TrimStart('#').Trim().ToUpperInvariant()}\n");
                _last = Block.Heading;
            }
            else
            {
                if (line.Length == 0 || line.StartsWith("- ", StringComparison.Ordinal) || line.StartsWith('|'))
                {
                    End();
                }

                if (line.Length > 0)
                {
                    _paragraph.Add(line.Trim());
                }
            }
        }

        End();
    }

    /// <summary>Writes the paragraph, item or row that is complete.</summary>
    private void End()
    {
        if (_paragraph.Count == 0)
        {
            return;
        }

        string words = Plain(string.Join(' ', _paragraph));
        _paragraph.Clear();
        string indent = new(' ', _depth);
        if (words.StartsWith('|'))
        {
            string[] cells = [.. words.Trim('|').Split('|').Select(cell => cell.Trim())];
            if (!cells.All(cell => cell.Trim('-').Length == 0))
            {
                Write(Block.Row, $"{indent}{cells[0].PadRight(TermWidth)} ", cells[1], new string(' ', _depth + TermWidth + 1));
            }
        }
        else if (words.StartsWith("- ", StringComparison.Ordinal))
        {
            Write(Block.Item, indent + "- ", words[2..], indent + "  ");
        }
        else
        {
            Write(Block.Paragraph, indent, words, indent);
        }
    }

    private void Write(Block kind, string first, string words, string rest)
    {
        if (_last != Block.Heading && (_last != kind || kind == Block.Paragraph))
        {
            _text.Append('\n');
        }

        _last = kind;
        string line = first;
        bool empty = true;
        foreach (string word in words.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!empty && line.Length + 1 + word.Length > Width)
            {
                _text.Append(line.TrimEnd()).Append('\n');
                line = rest;
                empty = true;
            }

            line += empty ? word : " " + word;
            empty = false;
        }

        _text.Append(line.TrimEnd()).Append('\n');
    }

    private static string Plain(string markdown) => markdown.Replace("`", "", StringComparison.Ordinal).Replace("**", "", StringComparison.Ordinal);
}
