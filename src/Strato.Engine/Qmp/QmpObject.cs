using System;
using System.Globalization;
using System.Text.Json;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Members of a JSON object among a command's arguments, or of the arguments themselves, by their names and types.</summary>
/// <param name="text">A valid JSON object, or empty for one without members.</param>
/// <param name="path">What errors put before a member's name: <c>file.</c>.</param>
internal readonly ref struct QmpObject(ReadOnlySpan<byte> text, string path = "")
{
    private readonly ReadOnlySpan<byte> _text = text;

    /// <summary>The text of a member, a valid JSON value; empty when it isn't given.</summary>
    /// <exception cref="QmpException">It is given twice.</exception>
    public ReadOnlySpan<byte> Find(string name)
    {
        ReadOnlySpan<byte> found = default;
        QmpArguments members = new(_text);
        while (members.Next(out string given, out ReadOnlySpan<byte> value))
        {
            if (given == name)
            {
                found = found.IsEmpty ? value : throw new QmpException($"Parameter '{path}{name}' is given twice");
            }
        }

        return found;
    }

    /// <summary>Refuses members that aren't known.</summary>
    /// <exception cref="QmpException">There is one.</exception>
    public void CheckNames(params ReadOnlySpan<string> allowed)
    {
        QmpArguments members = new(_text);
        while (members.Next(out string given, out _))
        {
            if (!allowed.Contains(given))
            {
                throw new QmpException($"Parameter '{path}{ConfigurationLimits.Printable(given)}' is unexpected; allowed: {path}{string.Join(", " + path, allowed!)}");
            }
        }
    }

    /// <summary>A string; null when it isn't given.</summary>
    public string? Text(string name)
    {
        Utf8JsonReader reader = Read(name);
        return reader.TokenType switch
        {
            JsonTokenType.None => null,
            JsonTokenType.String => reader.GetString(),
            _ => throw Wrong(name, "a string"),
        };
    }

    /// <summary>A string that has to be given.</summary>
    public string Require(string name) => Text(name) ?? throw new QmpException($"Parameter '{path}{name}' is missing");

    /// <summary>A boolean; null when it isn't given.</summary>
    public bool? Boolean(string name)
    {
        Utf8JsonReader reader = Read(name);
        return reader.TokenType switch
        {
            JsonTokenType.None => null,
            JsonTokenType.True => true,
            JsonTokenType.False => false,
            _ => throw Wrong(name, "true or false"),
        };
    }

    /// <summary>A whole number, or its digits in a string, decimal or with 0x before; null when it isn't given.</summary>
    public long? Number(string name)
    {
        Utf8JsonReader reader = Read(name);
        if (reader.TokenType == JsonTokenType.None)
        {
            return null;
        }

        string digits = reader.TokenType is JsonTokenType.String ? reader.GetString()! : "";
        bool hexadecimal = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        long number = 0;
        bool read = reader.TokenType == JsonTokenType.Number ? reader.TryGetInt64(out number)
            : hexadecimal ? long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            : long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        return read ? number : throw Wrong(name, "a whole number");
    }

    /// <summary>An object; one without members when it isn't given.</summary>
    public QmpObject Object(string name)
    {
        ReadOnlySpan<byte> value = Find(name);
        return value.IsEmpty || value[0] == (byte)'{' ? new QmpObject(value, $"{path}{name}.") : throw Wrong(name, "an object");
    }

    /// <summary>One of some names, as its number; null when it isn't given.</summary>
    public int? Choice(string name, string[] choices)
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        int at = Array.IndexOf(choices, text);
        return at >= 0 ? at : throw new QmpException($"Parameter '{path}{name}' is '{ConfigurationLimits.Printable(text)}'; allowed: {string.Join(", ", choices)}");
    }

    private Utf8JsonReader Read(string name)
    {
        ReadOnlySpan<byte> value = Find(name);
        Utf8JsonReader reader = new(value);
        _ = !value.IsEmpty && reader.Read();
        return reader;
    }

    private QmpException Wrong(string name, string what) => new($"Parameter '{path}{name}' must be {what}");
}
