using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Strato.Client.Configurations;

/// <summary>Reads a PowerShell data file (.psd1): a hashtable of texts, numbers, <c>$true</c>, <c>$false</c>, <c>$null</c>, lists and hashtables.</summary>
/// <remarks>
/// The language is the part of PowerShell's that Import-PowerShellDataFile takes as constants: nothing in it is run. Numbers are whole,
/// decimal or hexadecimal, with PowerShell's KB to PB (powers of 1024); <c>1.5GB</c> is whole, too.
/// </remarks>
internal sealed class DataFileReader
{
    private const int MaximumDepth = 32;

    private readonly string _text;
    private readonly Dictionary<string, int> _lines = new(StringComparer.OrdinalIgnoreCase);
    private int _at;
    private int _depth;
    private int _counted;
    private int _line = 1;

    private DataFileReader(string text) => _text = text;

    /// <summary>Reads a whole file.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="lines">The line, from 1, of each value by its path, such as <c>Drives[1].Path</c>.</param>
    /// <exception cref="FormatException">With line and column, and what is wrong there.</exception>
    internal static MapNode Read(string text, out IReadOnlyDictionary<string, int> lines)
    {
        DataFileReader reader = new(text);
        lines = reader._lines;
        reader.SkipBlank(newlines: true);
        if (!reader.Take("@{"))
        {
            throw reader.Error("a hashtable, @{ … }, is expected");
        }

        MapNode map = reader.ReadMap("");
        reader.SkipBlank(newlines: true);
        return reader._at == text.Length ? map : throw reader.Error("the file goes on behind its hashtable");
    }

    private MapNode ReadMap(string path)
    {
        Deepen();
        List<KeyValuePair<string, ConfigNode>> entries = [];
        HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
        while (true)
        {
            SkipSeparators();
            if (Take("}"))
            {
                _depth--;
                return new MapNode(entries);
            }

            int start = _at;
            string key = ReadKey();
            if (!seen.Add(key))
            {
                _at = start;
                throw Error($"'{Shown(key)}' is given twice");
            }

            string inner = path.Length == 0 ? key : $"{path}.{key}";
            _lines[inner] = LineAt(start);
            SkipBlank(newlines: false);
            if (!Take("="))
            {
                throw Error($"'=' is expected behind '{Shown(key)}'");
            }

            SkipBlank(newlines: true);
            entries.Add(new(key, ReadValue(inner)));
            SkipBlank(newlines: false);
            if (_at < _text.Length && _text[_at] is not ('}' or ';' or '\n' or '\r'))
            {
                throw Error("the next line, ';' or '}' is expected");
            }
        }
    }

    private string ReadKey()
    {
        if (_at < _text.Length && (IsSingleQuote(_text[_at]) || IsDoubleQuote(_text[_at])))
        {
            return ReadText();
        }

        int start = _at;
        while (_at < _text.Length && (char.IsLetterOrDigit(_text[_at]) || _text[_at] is '_'))
        {
            _at++;
        }

        return _at > start ? _text[start.._at] : throw Error(_at == _text.Length ? "the file ends within a hashtable" : "a name is expected");
    }

    /// <summary>One value, or several divided by commas, which are a list.</summary>
    private ConfigNode ReadValue(string path)
    {
        ConfigNode first = ReadSingle(path);
        SkipBlank(newlines: false);
        if (_at >= _text.Length || _text[_at] != ',')
        {
            return first;
        }

        List<ConfigNode> items = [first];
        while (Take(","))
        {
            SkipBlank(newlines: true);
            items.Add(ReadSingle(string.Create(CultureInfo.InvariantCulture, $"{path}[{items.Count}]")));
            SkipBlank(newlines: false);
        }

        return new ListNode(items);
    }

    private ConfigNode ReadSingle(string path)
    {
        _lines.TryAdd(path, LineAt(_at));
        if (_at >= _text.Length)
        {
            throw Error("the file ends where a value is expected");
        }

        char c = _text[_at];
        if (c == '@' && _at + 1 < _text.Length)
        {
            char next = _text[_at + 1];
            if (next is '{' or '(')
            {
                _at += 2;
                return next == '{' ? ReadMap(path) : ReadList(path);
            }

            if (IsSingleQuote(next) || IsDoubleQuote(next))
            {
                return new TextNode(ReadHereText());
            }
        }

        if (IsSingleQuote(c) || IsDoubleQuote(c))
        {
            return new TextNode(ReadText());
        }

        return c == '$' ? ReadConstant() : char.IsAsciiDigit(c) || c is '-' or '.' ? ReadNumber() : throw Error("a text in quotes, a number, $true, $false, $null, @( … ) or @{ … } is expected");
    }

    private ListNode ReadList(string path)
    {
        Deepen();
        List<ConfigNode> items = [];
        while (true)
        {
            SkipSeparators();
            if (Take(")"))
            {
                _depth--;
                return new ListNode(items);
            }

            if (_at == _text.Length)
            {
                throw Error("the file ends within a list");
            }

            items.Add(ReadSingle(string.Create(CultureInfo.InvariantCulture, $"{path}[{items.Count}]")));
            SkipBlank(newlines: false);
            if (Take(","))
            {
                SkipBlank(newlines: true);
                if (_at < _text.Length && _text[_at] == ')')
                {
                    throw Error("a value is expected behind ','");
                }
            }
            else if (_at < _text.Length && _text[_at] is not (')' or ';' or '\n' or '\r'))
            {
                throw Error("',', the next line or ')' is expected");
            }
        }
    }

    private ConfigNode ReadConstant()
    {
        int start = _at++;
        while (_at < _text.Length && char.IsLetterOrDigit(_text[_at]))
        {
            _at++;
        }

        switch (_text[(start + 1).._at].ToLowerInvariant())
        {
            case "true":
                return new FlagNode(true);
            case "false":
                return new FlagNode(false);
            case "null":
                return NullNode.Value;
            default:
                _at = start;
                throw Error("a variable can't be used here; allowed: $true, $false, $null");
        }
    }

    private NumberNode ReadNumber()
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '-' or '.'))
        {
            _at++;
        }

        string word = _text[start.._at];
        if (TryNumber(word, out long value))
        {
            return new NumberNode(value);
        }

        _at = start;
        throw Error($"'{Shown(word)}' is no whole number; allowed are such as 4, 0x10 and 512MB");
    }

    private static bool TryNumber(string word, out long value)
    {
        value = 0;
        int unit = word.Length < 3 ? -1 : Array.IndexOf(DataFileWriter.Units, word[^2..].ToUpperInvariant());
        string digits = unit < 0 ? word : word[..^2];
        bool minus = digits.StartsWith('-');
        digits = minus ? digits[1..] : digits;
        digits = digits.EndsWith('l') || digits.EndsWith('L') ? digits[..^1] : digits;
        decimal number;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            if (!ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong hexadecimal))
            {
                return false;
            }

            number = hexadecimal;
        }
        else if (!decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number))
        {
            return false;
        }

        try
        {
            number = (minus ? -number : number) * (1L << (10 * (unit + 1)));
            value = decimal.ToInt64(number);
            return value == number;
        }
        catch (OverflowException)
        {
            return false;
        }
    }

    private string ReadText()
    {
        int start = _at;
        bool isDouble = IsDoubleQuote(_text[_at++]);
        StringBuilder text = new();
        while (_at < _text.Length)
        {
            char c = _text[_at++];
            if (isDouble ? IsDoubleQuote(c) : IsSingleQuote(c))
            {
                // A doubled quote is one; of two different ones PowerShell takes the second.
                if (_at < _text.Length && (isDouble ? IsDoubleQuote(_text[_at]) : IsSingleQuote(_text[_at])))
                {
                    text.Append(_text[_at++]);
                    continue;
                }

                return text.ToString();
            }

            Append(text, c, isDouble);
        }

        _at = start;
        throw Error("the text has no closing quote");
    }

    /// <summary>A here-string: from the line behind its opening to the line before its closing.</summary>
    private string ReadHereText()
    {
        int start = _at;
        bool isDouble = IsDoubleQuote(_text[_at + 1]);
        _at += 2;
        while (_at < _text.Length && _text[_at] is ' ' or '\t')
        {
            _at++;
        }

        if (!TakeNewline())
        {
            throw Error("a here-string begins on the line behind @' or @\"");
        }

        StringBuilder text = new();
        int end = 0;
        while (_at + 1 < _text.Length)
        {
            bool atLineStart = _text[_at - 1] is '\n' or '\r';
            if (atLineStart && (isDouble ? IsDoubleQuote(_text[_at]) : IsSingleQuote(_text[_at])) && _text[_at + 1] == '@')
            {
                _at += 2;
                return text.ToString(0, end);
            }

            char c = _text[_at++];
            if (c is '\n' or '\r')
            {
                end = c == '\n' && text.Length > end && text[^1] == '\r' ? end : text.Length;
                text.Append(c);
            }
            else
            {
                Append(text, c, isDouble);
                end = text.Length;
            }
        }

        _at = start;
        throw Error("the here-string has no end: its quote and @ at a line's beginning");
    }

    private void Append(StringBuilder text, char c, bool isDouble)
    {
        if (isDouble && c == '$' && _at < _text.Length && (char.IsLetter(_text[_at]) || _text[_at] is '{' or '(' or '_' or '?' or '$' or '^' or ':'))
        {
            _at--;
            throw Error("a text in double quotes can't have variables here; '…' takes $ as it is, and `$ stands for it");
        }

        if (!isDouble || c != '`' || _at == _text.Length)
        {
            text.Append(c);
            return;
        }

        c = _text[_at++];
        if (c == 'u')
        {
            AppendCodePoint(text);
            return;
        }

        text.Append(c switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => '\0',
            'a' => '\a',
            'b' => '\b',
            'e' => '\u001b',
            'f' => '\f',
            'v' => '\v',
            _ => c,
        });
    }

    private void AppendCodePoint(StringBuilder text)
    {
        int close = _at < _text.Length && _text[_at] == '{' ? _text.IndexOf('}', _at) : -1;
        if (close < 0
            || close - _at > 7
            || !int.TryParse(_text.AsSpan(_at + 1, close - _at - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            || code is < 0 or > 0x10FFFF
            || code is >= 0xD800 and <= 0xDFFF)
        {
            throw Error("`u{…} is a character's number in hexadecimal");
        }

        text.Append(char.ConvertFromUtf32(code));
        _at = close + 1;
    }

    private void SkipSeparators()
    {
        do
        {
            SkipBlank(newlines: true);
        }
        while (Take(";"));
    }

    private void SkipBlank(bool newlines)
    {
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c is '\n' or '\r' ? newlines : char.IsWhiteSpace(c) || c == '\uFEFF')
            {
                _at++;
            }
            else if (c == '#')
            {
                int end = _text.IndexOf('\n', _at);
                _at = end < 0 ? _text.Length : end;
            }
            else if (c == '<' && string.CompareOrdinal(_text, _at, "<#", 0, 2) == 0)
            {
                int end = _text.IndexOf("#>", _at + 2, StringComparison.Ordinal);
                _at = end < 0 ? throw Error("the comment <# has no #>") : end + 2;
            }
            else if (c == '`' && _at + 1 < _text.Length && _text[_at + 1] is '\n' or '\r')
            {
                _at++;
                _ = TakeNewline();
            }
            else
            {
                return;
            }
        }
    }

    private bool TakeNewline() => Take("\r\n") || Take("\n") || Take("\r");

    private bool Take(string expected)
    {
        if (string.CompareOrdinal(_text, _at, expected, 0, expected.Length) != 0)
        {
            return false;
        }

        _at += expected.Length;
        return true;
    }

    private void Deepen()
    {
        if (++_depth > MaximumDepth)
        {
            throw Error($"hashtables and lists stand in each other {MaximumDepth} deep at most");
        }
    }

    /// <summary>As PowerShell has it: word processors' quotes are quotes.</summary>
    internal static bool IsSingleQuote(char c) => c is '\'' or '\u2018' or '\u2019' or '\u201A' or '\u201B';

    private static bool IsDoubleQuote(char c) => c is '"' or '\u201C' or '\u201D' or '\u201E';

    /// <summary>The line of a place; those behind the last one asked for cost little.</summary>
    private int LineAt(int at)
    {
        if (at < _counted)
        {
            (_counted, _line) = (0, 1);
        }

        for (; _counted < at; _counted++)
        {
            _line += _text[_counted] == '\n' ? 1 : 0;
        }

        return _line;
    }

    private static string Shown(string text) => Protocol.Configuration.ConfigurationLimits.Printable(text);

    private FormatException Error(string problem)
    {
        int start = _at == 0 ? 0 : _text.LastIndexOf('\n', _at - 1) + 1;
        return new FormatException(string.Create(CultureInfo.InvariantCulture, $"line {LineAt(_at)}, column {_at - start + 1}: {problem}"));
    }
}
