using System;
using System.Globalization;
using System.Text.Json;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Members of a JSON object among a command's arguments, or of the arguments themselves, by their names. They are of the types that the command's schema has.</summary>
/// <param name="text">A valid JSON object, or empty for one without members.</param>
/// <param name="path">What errors put before a member's name: <c>file.</c>.</param>
internal readonly ref struct QmpObject(ReadOnlySpan<byte> text, string path = "")
{
    private readonly ReadOnlySpan<byte> _text = text;

    /// <summary>The text of a member, a valid JSON value; empty when it isn't given.</summary>
    public ReadOnlySpan<byte> Find(string name)
    {
        QmpArguments members = new(_text);
        while (members.Next(out string given, out ReadOnlySpan<byte> value))
        {
            if (given == name)
            {
                return value;
            }
        }

        return default;
    }

    /// <summary>A string; null when it isn't given.</summary>
    public string? Text(string name) => Read(name) is { TokenType: JsonTokenType.String } reader ? reader.GetString() : null;

    /// <summary>A string that has to be given; where the schema leaves it open, for it depends on others.</summary>
    /// <exception cref="QmpException">It isn't.</exception>
    public string Require(string name) => Text(name) ?? throw new QmpException($"Parameter '{path}{name}' is missing");

    /// <summary>A boolean; null when it isn't given.</summary>
    public bool? Boolean(string name) => Read(name).TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => null,
    };

    /// <summary>A whole number, or its digits in a string, decimal or with 0x before; null when it isn't given.</summary>
    /// <exception cref="QmpException">It is something else, which the schema lets pass as a string or as any value.</exception>
    public long? Number(string name)
    {
        Utf8JsonReader reader = Read(name);
        if (reader.TokenType == JsonTokenType.None)
        {
            return null;
        }

        string digits = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
        bool hexadecimal = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        long number = 0;
        bool read = reader.TokenType == JsonTokenType.Number
            ? reader.TryGetInt64(out number)
            : long.TryParse(digits.AsSpan(hexadecimal ? 2 : 0), hexadecimal ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return read ? number : throw new QmpException($"Parameter '{path}{name}' must be a whole number");
    }

    /// <summary>An object; one without members when it isn't given.</summary>
    public QmpObject Object(string name) => new(Find(name), $"{path}{name}.");

    /// <summary>One of some names, as its number; null when it isn't given.</summary>
    public int? Choice(string name, string[] choices) => Text(name) is { } text ? Array.IndexOf(choices, text) : null;

    private Utf8JsonReader Read(string name)
    {
        ReadOnlySpan<byte> value = Find(name);
        Utf8JsonReader reader = new(value);
        _ = !value.IsEmpty && reader.Read();
        return reader;
    }
}
