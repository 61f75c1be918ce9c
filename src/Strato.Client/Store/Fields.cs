using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client.Store;

/// <summary>The fields of one object; those that nobody asked for are the rest.</summary>
internal readonly struct Fields
{
    private readonly Dictionary<string, JsonElement> _left = new(StringComparer.Ordinal);
    private readonly string _path;

    internal Fields(JsonElement value, string path)
    {
        _path = path;
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException($"{(path.Length == 0 ? "it" : path.TrimEnd('.'))} is of kind {value.ValueKind}; an object is expected");
        }

        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (!_left.TryAdd(property.Name, property.Value))
            {
                throw new FormatException($"{path}{property.Name} is there twice");
            }
        }
    }

    internal JsonElement? Optional(string name) =>
        _left.Remove(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    internal string? OptionalText(string name)
    {
        JsonElement? value = Optional(name);
        if (value is null)
        {
            return null;
        }

        if (value.Value.ValueKind == JsonValueKind.String)
        {
            try
            {
                return value.Value.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new FormatException($"{_path}{name} is not valid UTF-8", e);
            }
        }

        throw new FormatException($"{_path}{name} is of kind {value.Value.ValueKind}; a string is expected");
    }

    internal string Text(string name) => OptionalText(name) ?? throw new FormatException($"{_path}{name} is missing");

    internal long Integer(string name)
    {
        JsonElement value = Optional(name) ?? throw new FormatException($"{_path}{name} is missing");
        return Integer(name, value);
    }

    internal bool Flag(string name)
    {
        JsonElement? value = Optional(name);
        return value?.ValueKind switch
        {
            null or JsonValueKind.False => false,
            JsonValueKind.True => true,
            _ => throw new FormatException($"{_path}{name} is {value.Value.GetRawText()}; true or false is expected"),
        };
    }

    /// <summary>The objects of an array; none where it isn't there.</summary>
    internal Fields[] List(string name)
    {
        if (Optional(name) is not { } list)
        {
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array)
        {
            throw new FormatException($"{_path}{name} is of kind {list.ValueKind}; an array is expected");
        }

        Fields[] items = new Fields[list.GetArrayLength()];
        for (int i = 0; i < items.Length; i++)
        {
            items[i] = new Fields(list[i], $"{_path}{name}[{i}].");
        }

        return items;
    }

    /// <summary>The fields of an object; null where it isn't there.</summary>
    internal Fields? Object(string name) => Optional(name) is { } value ? new Fields(value, $"{_path}{name}.") : null;

    internal long? OptionalInteger(string name) => Optional(name) is { } value ? Integer(name, value) : null;

    /// <summary>A number that is small where it is right; beyond an int it stays as wrong as it is.</summary>
    internal int? OptionalCount(string name) => OptionalInteger(name) is { } number ? (int)Math.Clamp(number, int.MinValue, int.MaxValue) : null;

    internal KeyValuePair<string, JsonElement>[] Rest()
    {
        KeyValuePair<string, JsonElement>[] rest = new KeyValuePair<string, JsonElement>[_left.Count];
        int i = 0;
        foreach ((string name, JsonElement value) in _left)
        {
            rest[i++] = new(name, value.Clone());
        }

        return rest;
    }

    private long Integer(string name, JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
        ? number
        : throw new FormatException($"{_path}{name} is {value.GetRawText()}; a whole number is expected");
}
