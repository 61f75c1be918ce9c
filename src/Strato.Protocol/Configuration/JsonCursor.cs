using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Strato.Protocol.Configuration;

/// <summary>Walks through one JSON document by hand, knowing the path of where it is: <c>drive[1].path_on_host</c>.</summary>
/// <remarks>Strict: RFC 8259 without comments or trailing commas, no field twice, and errors that name the path.</remarks>
internal ref struct JsonCursor
{
    private const int MaxDepth = 16;

    private readonly List<string> _path = [];
    private readonly List<HashSet<string>> _seen = [];
    private readonly ReadOnlySpan<byte> _text;
    private Utf8JsonReader _reader;

    public JsonCursor(ReadOnlySpan<byte> utf8)
    {
        // To the reader more could follow: so it tells a text that ends early (no token) from one that is wrong (exception).
        _text = utf8;
        _reader = new Utf8JsonReader(utf8, isFinalBlock: false, new JsonReaderState(new JsonReaderOptions { MaxDepth = MaxDepth }));
    }

    /// <summary>The path of the value that is read, without the document's root.</summary>
    public readonly string Path => string.Concat(_path).TrimStart('.');

    /// <summary>Path of a field of the object that is read.</summary>
    public readonly string PathOf(string field) => _path.Count == 0 ? field : $"{Path}.{field}";

    /// <summary>Takes the <c>{</c> of the next value.</summary>
    public void BeginObject()
    {
        Expect(JsonTokenType.StartObject, "an object");
        _seen.Add(new HashSet<string>(StringComparer.Ordinal));
        _path.Add("");
    }

    /// <summary>Takes the name of the object's next field, or its <c>}</c>, when it returns false.</summary>
    public bool NextField(out string name)
    {
        Read();
        if (_reader.TokenType == JsonTokenType.EndObject)
        {
            _seen.RemoveAt(_seen.Count - 1);
            _path.RemoveAt(_path.Count - 1);
            name = "";
            return false;
        }

        name = Text();
        _path[^1] = "." + ConfigurationLimits.Printable(name);
        return _seen[^1].Add(name) ? true : throw new UserErrorException("DuplicateField", "The field is given twice.", Path);
    }

    /// <summary>Takes the <c>[</c> of the next value.</summary>
    public void BeginArray()
    {
        Expect(JsonTokenType.StartArray, "an array");
        _path.Add("");
    }

    /// <summary>Goes to the array's next item, of the given index, which must be an object and is begun; or takes the <c>]</c>.</summary>
    public bool NextObject(int index)
    {
        _path[^1] = string.Create(CultureInfo.InvariantCulture, $"[{index}]");
        Read();
        switch (_reader.TokenType)
        {
            case JsonTokenType.EndArray:
                _path.RemoveAt(_path.Count - 1);
                return false;
            case JsonTokenType.StartObject:
                _seen.Add(new HashSet<string>(StringComparer.Ordinal));
                _path.Add("");
                return true;
            default:
                throw WrongType("an object");
        }
    }

    public string GetString()
    {
        Expect(JsonTokenType.String, "a string");
        return Text();
    }

    public bool GetBoolean()
    {
        Read();
        return _reader.TokenType switch
        {
            JsonTokenType.True => true,
            JsonTokenType.False => false,
            _ => throw WrongType("true or false"),
        };
    }

    public long GetInt64()
    {
        Expect(JsonTokenType.Number, "a whole number");
        return _reader.TryGetInt64(out long value) ? value : throw WrongType("a whole number below 2^63");
    }

    /// <summary>Takes an object as it is written, whatever is in it.</summary>
    public byte[] GetObjectText()
    {
        Expect(JsonTokenType.StartObject, "an object");
        int start = (int)_reader.TokenStartIndex;
        int depth = 1;
        while (depth > 0)
        {
            Read();
            depth += _reader.TokenType switch
            {
                JsonTokenType.StartObject or JsonTokenType.StartArray => 1,
                JsonTokenType.EndObject or JsonTokenType.EndArray => -1,
                _ => 0,
            };
        }

        return _text[start..(int)_reader.BytesConsumed].ToArray();
    }

    /// <summary>Takes the end of the document.</summary>
    public void End()
    {
        // Behind a whole document the reader finds nothing, and throws at whatever stands there but white space.
        _ = TryRead();
    }

    /// <summary>The error for a field that isn't known here.</summary>
    public readonly UserErrorException UnknownField(string name, params string[] allowed) => new(
        "UnknownField",
        $"The field '{ConfigurationLimits.Printable(name)}' is unknown{NearName.Hint(name, allowed)}; allowed here: {string.Join(", ", allowed)}.",
        Path);

    private void Expect(JsonTokenType type, string name)
    {
        Read();
        if (_reader.TokenType != type)
        {
            throw WrongType(name);
        }
    }

    private readonly UserErrorException WrongType(string expected)
    {
        string given = _reader.TokenType switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray or JsonTokenType.EndArray => "an array",
            JsonTokenType.String => "a string",
            JsonTokenType.Number => "the number " + ConfigurationLimits.Printable(Encoding.UTF8.GetString(_reader.ValueSpan)),
            JsonTokenType.Null => "null",
            _ => _reader.TokenType == JsonTokenType.True ? "true" : "false",
        };
        return new UserErrorException("InvalidField", $"The value is {given}; it must be {expected}.", Path.Length == 0 ? "(document)" : Path);
    }

    private readonly string Text()
    {
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new UserErrorException("InvalidJson", "The text is not valid UTF-8, or has half of a surrogate pair.", Path, e);
        }
    }

    private void Read()
    {
        if (!TryRead())
        {
            int line = _text.Count((byte)'\n') + 1;
            int column = _text.Length - _text.LastIndexOf((byte)'\n');
            throw new UserErrorException("InvalidJson", $"The JSON ends early, at line {line}, column {column}.", Path);
        }
    }

    private bool TryRead()
    {
        try
        {
            return _reader.Read();
        }
        catch (JsonException e)
        {
            // The reader counts from 0, editors from 1. Its own text ends with its count, and is cut there.
            string reason = e.Message;
            int cut = reason.IndexOf(" LineNumber:", StringComparison.Ordinal);
            reason = cut < 0 ? reason : reason[..cut];
            throw new UserErrorException(
                "InvalidJson",
                $"The JSON is not valid, at line {(e.LineNumber ?? 0) + 1}, column {(e.BytePositionInLine ?? 0) + 1}: {reason}",
                Path,
                e);
        }
    }
}
