using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using Strato.Protocol.Configuration;

namespace Strato.Protocol.CommandLine;

/// <summary>The value of one option that has parts: <c>file=/disk.img,id=root,readonly=on</c>.</summary>
/// <remarks>
/// As QEMU reads them: parts are divided by commas, a doubled comma stands for one, a part without <c>=</c> is a flag
/// (<c>server</c>, or <c>nowait</c> for wait=off), and the first part may be the bare value of an implied key.
/// Parts are taken by name; what is left at <see cref="End"/> is unknown.
/// </remarks>
public sealed class SubOptions
{
    private readonly string _option;
    private readonly List<(string Key, string? Value)> _parts = [];
    private readonly List<string> _known = [];

    /// <param name="option">The option's name with its dash, for errors.</param>
    /// <param name="text">Its value.</param>
    /// <param name="impliedKey">Key of a first part that has none; null where every part has its key.</param>
    /// <param name="repeatable">Key that may be given more than once, for <see cref="TakeAll"/>.</param>
    /// <exception cref="UserErrorException">InvalidOption: an empty part, or a key twice.</exception>
    public SubOptions(string option, string text, string? impliedKey = null, string? repeatable = null)
    {
        _option = option;
        int index = 0;
        do
        {
            string part = NextPart(text, ref index);
            int equals = part.IndexOf('=');
            string key = equals < 0 ? part : part[..equals];
            string? value = equals < 0 ? null : part[(equals + 1)..];
            if (_parts.Count == 0 && impliedKey is not null && !(equals >= 0 && IsKey(key)))
            {
                (key, value) = (impliedKey, part);
            }

            if (key.Length == 0)
            {
                throw Invalid($"'{ConfigurationLimits.Printable(text)}' has an empty part; parts are KEY=VALUE, divided by commas (a doubled comma stands for one in a value).");
            }

            foreach ((string other, _) in _parts)
            {
                if (other == key && key != repeatable)
                {
                    throw Invalid($"'{ConfigurationLimits.Printable(key)}' is given twice.");
                }
            }

            _parts.Add((key, value));
        }
        while (index <= text.Length);
    }

    /// <summary>Takes a value; null when the key isn't there.</summary>
    public string? Take(string key)
    {
        if (!_known.Contains(key))
        {
            _known.Add(key);
        }

        for (int i = 0; i < _parts.Count; i++)
        {
            if (_parts[i].Key == key)
            {
                string? value = _parts[i].Value;
                _parts.RemoveAt(i);
                return value ?? throw Invalid($"'{key}' needs a value: {key}=…", key);
            }
        }

        return null;
    }

    /// <summary>Takes the values of a key that may be given more than once.</summary>
    public List<string> TakeAll(string key)
    {
        List<string> values = [];
        while (Take(key) is { } value)
        {
            values.Add(value);
        }

        return values;
    }

    /// <summary>Takes a value that must be there.</summary>
    public string Require(string key) => Take(key) ?? throw Invalid($"'{key}' is missing: {key}=…", key);

    /// <summary>Takes a truth value: <c>key=on</c>, <c>key</c> alone for on, <c>nokey</c> for off; null when none is there.</summary>
    public bool? TakeBoolean(string key)
    {
        _known.Add(key);
        for (int i = 0; i < _parts.Count; i++)
        {
            (string given, string? value) = _parts[i];
            if (given == key || (given == "no" + key && value is null))
            {
                _parts.RemoveAt(i);
                return given != key ? false : value is null ? true : ParseBoolean(value, key);
            }
        }

        return null;
    }

    /// <summary>Takes a whole number, whose range is checked with the configuration; null when none is there.</summary>
    public long? TakeNumber(string key)
    {
        string? value = Take(key);
        return value is null ? null
            : long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number
            : throw Invalid($"'{key}={ConfigurationLimits.Printable(value)}' is not a whole number below 2^63.", key);
    }

    /// <summary>Takes the id of what the option describes; null when none is there.</summary>
    public string? TakeId(string key = "id")
    {
        string? id = Take(key);
        if (id is not null)
        {
            ConfigurationLimits.CheckId(id, Where(key));
        }

        return id;
    }

    /// <summary>Takes a value of which only some are built.</summary>
    public string? TakeOneOf(string key, params string[] allowed)
    {
        string? value = Take(key);
        return value is null || Array.IndexOf(allowed, value) >= 0
            ? value
            : throw Invalid($"'{key}={ConfigurationLimits.Printable(value)}' is unknown{NearName.Hint(value, allowed)}; allowed: {string.Join(", ", allowed)}.", key);
    }

    /// <summary>Takes whatever is left, each as it was given.</summary>
    public List<string> TakeRest()
    {
        List<string> rest = _parts.ConvertAll(static part => part.Value is null ? part.Key : $"{part.Key}={part.Value}");
        _parts.Clear();
        return rest;
    }

    /// <summary>Refuses whatever hasn't been taken.</summary>
    public void End()
    {
        if (_parts.Count > 0)
        {
            string key = _parts[0].Key;
            throw Invalid($"'{ConfigurationLimits.Printable(key)}' is unknown{NearName.Hint(key, _known)}; allowed: {string.Join(", ", _known)}.", key);
        }
    }

    /// <param name="message">What was given and what is allowed.</param>
    /// <param name="key">The part it is about.</param>
    public UserErrorException Invalid(string message, string? key = null) => new("InvalidOption", message, Where(key));

    /// <summary>Where a part stands, for errors: <c>-drive file</c>.</summary>
    public string Where(string? key) => key is null ? _option : $"{_option} {ConfigurationLimits.Printable(key)}";

    private bool ParseBoolean(string value, string key) => value.ToLowerInvariant() switch
    {
        "on" or "true" or "yes" => true,
        "off" or "false" or "no" => false,
        _ => throw Invalid($"'{key}={ConfigurationLimits.Printable(value)}' is neither on nor off; allowed: on, off, true, false, yes, no.", key),
    };

    /// <summary>Takes the text up to the next single comma; the index is past the text's end after the last part.</summary>
    private static string NextPart(string text, ref int index)
    {
        StringBuilder part = new();
        for (; index < text.Length; index++)
        {
            if (text[index] == ',')
            {
                if (index + 1 == text.Length || text[index + 1] != ',')
                {
                    index++;
                    return part.ToString();
                }

                index++;
            }

            part.Append(text[index]);
        }

        index++;
        return part.ToString();
    }

    private static bool IsKey(string text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
            {
                return false;
            }
        }

        return text.Length > 0;
    }
}
