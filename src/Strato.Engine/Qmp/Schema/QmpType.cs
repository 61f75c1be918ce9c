using System;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp.Schema;

/// <summary>A type of QMP's schema: it checks what clients send, and is told to them by query-qmp-schema.</summary>
/// <remarks>
/// The kinds of types are those of QEMU's introspection (its qapi-code-gen document, "Client JSON Protocol introspection").
/// Only commands without a type of their own for errors say more than the type does: what a number's range is, which names exist.
/// </remarks>
/// <param name="name">Its name in the schema. Clients are to follow it, and not to know it.</param>
internal abstract class QmpType(string name)
{
    public string Name { get; } = name;

    /// <summary>The kind: builtin, enum, array, object, alternate.</summary>
    public abstract string MetaType { get; }

    /// <summary>What a value of it is, after "must be".</summary>
    public abstract string Description { get; }

    /// <summary>Types that it refers to.</summary>
    public virtual IEnumerable<QmpType> Parts => [];

    /// <summary>Whether a value that begins with this token can be one of it.</summary>
    public abstract bool Begins(JsonTokenType token);

    /// <summary>Checks a value.</summary>
    /// <param name="text">The value, valid JSON.</param>
    /// <param name="path">The parameter's name with those of the objects that it is in: <c>file.filename</c>.</param>
    /// <exception cref="QmpException">It isn't of this type.</exception>
    public abstract void Check(ReadOnlySpan<byte> text, string path);

    /// <summary>Writes the members of its SchemaInfo that the kind has, but for name and meta-type.</summary>
    public abstract void WriteInfo(Utf8JsonWriter json);

    /// <summary>Refuses a value that begins with another token.</summary>
    protected void CheckToken(ReadOnlySpan<byte> text, string path)
    {
        if (!Begins(Read(text).TokenType))
        {
            throw Wrong(path);
        }
    }

    protected QmpException Wrong(string path) => new($"Parameter '{path}' must be {Description}");

    /// <summary>A reader on the first token of a value.</summary>
    protected static Utf8JsonReader Read(ReadOnlySpan<byte> text)
    {
        Utf8JsonReader reader = new(text, new JsonReaderOptions { MaxDepth = QmpFramer.MaxDepth });
        _ = reader.Read();
        return reader;
    }
}

/// <summary>A type that JSON has: string, integer, truth value, or any value.</summary>
internal sealed class QmpBuiltin : QmpType
{
    public static readonly QmpBuiltin Text = new("str", "string", "a string", JsonTokenType.String);
    public static readonly QmpBuiltin Int = new("int", "int", "a whole number", JsonTokenType.Number);
    public static readonly QmpBuiltin Bool = new("bool", "boolean", "true or false", JsonTokenType.True, JsonTokenType.False);
    public static readonly QmpBuiltin Any = new("any", "value", "a value");

    private readonly string _jsonType;
    private readonly JsonTokenType[] _tokens;

    private QmpBuiltin(string name, string jsonType, string description, params JsonTokenType[] tokens)
        : base(name)
    {
        _jsonType = jsonType;
        Description = description;
        _tokens = tokens;
    }

    public override string MetaType => "builtin";

    public override string Description { get; }

    public override bool Begins(JsonTokenType token) => _tokens.Length == 0 || Array.IndexOf(_tokens, token) >= 0;

    public override void Check(ReadOnlySpan<byte> text, string path)
    {
        CheckToken(text, path);
        if (this == Int && !Read(text).TryGetInt64(out _))
        {
            throw Wrong(path);
        }
    }

    public override void WriteInfo(Utf8JsonWriter json) => json.WriteString("json-type", _jsonType);
}

/// <summary>One of some names.</summary>
internal sealed class QmpEnum(string name, params string[] values) : QmpType(name)
{
    public override string MetaType => "enum";

    public override string Description => "a string";

    public override bool Begins(JsonTokenType token) => token == JsonTokenType.String;

    public override void Check(ReadOnlySpan<byte> text, string path)
    {
        CheckToken(text, path);
        string given = Read(text).GetString()!;
        if (Array.IndexOf(values, given) < 0)
        {
            throw new QmpException($"Parameter '{path}' is '{ConfigurationLimits.Printable(given)}'; allowed: {string.Join(", ", values)}");
        }
    }

    public override void WriteInfo(Utf8JsonWriter json)
    {
        json.WriteStartArray("members");
        foreach (string value in values)
        {
            json.WriteStartObject();
            json.WriteString("name", value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("values");
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}

/// <summary>Any number of values of one type.</summary>
internal sealed class QmpArray(QmpType element) : QmpType($"[{element.Name}]")
{
    public override string MetaType => "array";

    public override string Description => "an array";

    private QmpType Element => element;

    public override IEnumerable<QmpType> Parts => [element];

    public override bool Begins(JsonTokenType token) => token == JsonTokenType.StartArray;

    public override void Check(ReadOnlySpan<byte> text, string path)
    {
        CheckToken(text, path);
        Utf8JsonReader reader = Read(text);
        for (int index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
        {
            int start = (int)reader.TokenStartIndex;
            reader.Skip();
            element.Check(text[start..(int)reader.BytesConsumed], $"{path}[{index}]");
        }
    }

    public override void WriteInfo(Utf8JsonWriter json) => json.WriteString("element-type", element.Name);

    // Arrays of one type are one, wherever they are declared: they have one name.
    public override bool Equals(object? obj) => obj is QmpArray other && other.Element.Equals(element);

    public override int GetHashCode() => element.GetHashCode();
}

/// <summary>A value of one of several types, which is told by how it begins: seed 001's number in a string.</summary>
internal sealed class QmpAlternate(string name, string description, params QmpType[] types) : QmpType(name)
{
    public override string MetaType => "alternate";

    public override string Description => description;

    public override IEnumerable<QmpType> Parts => types;

    public override bool Begins(JsonTokenType token) => Array.Exists(types, type => type.Begins(token));

    public override void Check(ReadOnlySpan<byte> text, string path)
    {
        JsonTokenType token = Read(text).TokenType;
        QmpType? type = Array.Find(types, type => type.Begins(token));
        try
        {
            (type ?? throw Wrong(path)).Check(text, path);
        }
        catch (QmpException) when (type is QmpBuiltin)
        {
            // In the words of the whole: "a whole number, or its digits in a string".
            throw Wrong(path);
        }
    }

    public override void WriteInfo(Utf8JsonWriter json)
    {
        json.WriteStartArray("members");
        foreach (QmpType type in types)
        {
            json.WriteStartObject();
            json.WriteString("type", type.Name);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
