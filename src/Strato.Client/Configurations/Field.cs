using System;
using System.Collections.Generic;

namespace Strato.Client.Configurations;

/// <summary>What is known of a setting without its value.</summary>
internal interface IField
{
    /// <summary>As a file has it.</summary>
    string Name { get; }

    /// <summary>A comment for readers: units, what is allowed; null for none.</summary>
    string? Note { get; }

    /// <summary>Whether it is an amount of bytes.</summary>
    bool IsSize { get; }

    /// <summary>Of a hashtable, or of the hashtables of a list: its settings.</summary>
    IReadOnlyList<IField> Inner { get; }
}

/// <summary>One setting of something.</summary>
/// <param name="Name">As a file has it.</param>
/// <param name="Note">A comment for readers; null for none.</param>
/// <param name="Get">Its value.</param>
/// <param name="Set">With another value, which is refused where it isn't of its kind.</param>
internal sealed record Field<T>(string Name, string? Note, Func<T, ConfigNode> Get, Func<T, ConfigValue, T> Set) : IField
{
    public bool IsSize { get; init; }

    /// <summary>Whether it has to be given.</summary>
    public bool IsRequired { get; init; }

    public IReadOnlyList<IField> Inner { get; init; } = [];
}

/// <summary>The settings of something: read, written and compared by one table.</summary>
/// <param name="Blank">Makes one with nothing but defaults.</param>
/// <param name="Fields">In the order in which they are written.</param>
internal sealed record Form<T>(Func<T> Blank, params Field<T>[] Fields)
{
    /// <summary>All settings, or those that differ from the defaults.</summary>
    internal MapNode Write(T value, bool all)
    {
        T blank = all ? value : Blank();
        List<KeyValuePair<string, ConfigNode>> entries = [];
        foreach (Field<T> field in Fields)
        {
            ConfigNode node = field.Get(value);
            if (all || field.IsRequired || !Same(node, field.Get(blank)))
            {
                entries.Add(new(field.Name, node));
            }
        }

        return new MapNode(entries);
    }

    /// <summary>Something with what a file gives in the place of what it has.</summary>
    internal T Read(T before, ConfigValue given, bool whole)
    {
        T result = before;
        MapNode map = given.Map();
        foreach ((string key, ConfigNode node) in map.Entries)
        {
            Field<T> field = Array.Find(Fields, one => string.Equals(one.Name, key, StringComparison.OrdinalIgnoreCase))
                ?? throw given.Unknown(key, Array.ConvertAll(Fields, one => one.Name));
            result = field.Set(result, given.Part(field.Name, node));
        }

        foreach (Field<T> field in whole ? Fields : [])
        {
            if (field.IsRequired && map.Find(field.Name) is null or NullNode)
            {
                throw given.Error($"'{field.Name}' is missing");
            }
        }

        return result;
    }

    internal static bool Same(ConfigNode a, ConfigNode b) => DataFileWriter.Inline(a, null) == DataFileWriter.Inline(b, null);
}

/// <summary>Makes fields of each kind.</summary>
internal static class Fields<T>
{
    internal static Field<T> Text(string name, string? note, Func<T, string?> get, Func<T, string?, T> set, bool required = false) =>
        new(name, note, value => OfText(get(value)), (value, given) => set(value, given.OptionalText())) { IsRequired = required };

    internal static Field<T> Path(string name, string? note, Func<T, string?> get, Func<T, string?, T> set, bool required = false) =>
        new(name, note, value => OfText(get(value)), (value, given) => set(value, given.OptionalPath())) { IsRequired = required };

    internal static Field<T> Number(string name, string? note, Func<T, long?> get, Func<T, long?, T> set, bool required = false) =>
        new(name, note, value => OfNumber(get(value)), (value, given) => set(value, given.OptionalNumber())) { IsRequired = required };

    internal static Field<T> Count(string name, string? note, Func<T, int?> get, Func<T, int?, T> set, bool required = false) =>
        Number(name, note, value => get(value), (value, given) => set(value, given is { } number ? (int)Math.Clamp(number, int.MinValue, int.MaxValue) : null), required);

    internal static Field<T> Size(string name, string? note, Func<T, long?> get, Func<T, long?, T> set, bool required = false) =>
        Number(name, note, get, set, required) with { IsSize = true };

    internal static Field<T> Flag(string name, string? note, Func<T, bool?> get, Func<T, bool?, T> set) =>
        new(name, note, value => get(value) is { } flag ? new FlagNode(flag) : NullNode.Value, (value, given) => set(value, given.OptionalFlag()));

    /// <summary>One of the names of an enum's members, in their order.</summary>
    internal static Field<T> Choice(string name, string? note, string[] names, Func<T, int?> get, Func<T, int?, T> set) =>
        new(name, note ?? string.Join(", ", names), value => OfText(get(value) is { } index ? names[index] : null), (value, given) => set(value, given.OptionalChoice(names)));

    /// <param name="name">Of the field.</param>
    /// <param name="note">Beside it in files; null for none.</param>
    /// <param name="get">The texts.</param>
    /// <param name="set">Sets them.</param>
    /// <param name="read">What a text of a file means, which may throw; null for itself.</param>
    internal static Field<T> Texts(string name, string? note, Func<T, IReadOnlyList<string>> get, Func<T, IReadOnlyList<string>, T> set, Func<string, string>? read = null) =>
        new(name, note, value => new ListNode(Each(get(value), OfText)), (value, given) => set(value, Array.ConvertAll(given.List(), item => ReadText(item, read))));

    private static string ReadText(ConfigValue item, Func<string, string>? read)
    {
        try
        {
            return read is null ? item.Text() : read(item.Text());
        }
        catch (StratoException e) when (e.Id == "InvalidPublish")
        {
            throw item.Source.Error(item.Path, e.Message, e);
        }
    }

    internal static Field<T> Items<TItem>(string name, string? note, Form<TItem> form, Func<T, IReadOnlyList<TItem>> get, Func<T, IReadOnlyList<TItem>, T> set) =>
        new(
            name,
            note,
            value => new ListNode(Each(get(value), item => (ConfigNode)form.Write(item, all: false))),
            (value, given) => set(value, Array.ConvertAll(given.List(), item => form.Read(form.Blank(), item, whole: true))))
        {
            Inner = form.Fields,
        };

    internal static Field<T> Item<TItem>(string name, string? note, Form<TItem> form, Func<T, TItem?> get, Func<T, TItem?, T> set)
        where TItem : class =>
        new(
            name,
            note,
            value => get(value) is { } item ? form.Write(item, all: false) : NullNode.Value,
            (value, given) => set(value, given.IsNull ? null : form.Read(form.Blank(), given, whole: true)))
        {
            Inner = form.Fields,
        };

    private static ConfigNode OfText(string? text) => text is null ? NullNode.Value : new TextNode(text);

    private static ConfigNode OfNumber(long? number) => number is { } value ? new NumberNode(value) : NullNode.Value;

    private static List<ConfigNode> Each<TItem>(IReadOnlyList<TItem> items, Func<TItem, ConfigNode> make)
    {
        List<ConfigNode> nodes = [];
        foreach (TItem item in items)
        {
            nodes.Add(make(item));
        }

        return nodes;
    }
}
