using System;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp.Schema;

/// <summary>One member of a <see cref="QmpStruct"/>.</summary>
/// <param name="Name">As it is written in JSON.</param>
/// <param name="Type">What it is.</param>
/// <param name="Optional">Whether it may be left out.</param>
internal readonly record struct QmpMember(string Name, QmpType Type, bool Optional)
{
    /// <summary>A member that is always there.</summary>
    public static QmpMember Must(string name, QmpType type) => new(name, type, Optional: false);

    /// <summary>A member that may be left out.</summary>
    public static QmpMember May(string name, QmpType type) => new(name, type, Optional: true);
}

/// <summary>An object with named members, and no others: a command's arguments, an event's data, a value.</summary>
internal sealed class QmpStruct(string name, params QmpMember[] members) : QmpType(name)
{
    /// <summary>Without members: what a command without arguments takes, and a command that only does something returns.</summary>
    public static readonly QmpStruct Empty = new("empty");

    public override string MetaType => "object";

    public override string Description => "an object";

    public IReadOnlyList<QmpMember> Members => members;

    public override IEnumerable<QmpType> Parts => Array.ConvertAll(members, member => member.Type);

    public override bool Begins(JsonTokenType token) => token == JsonTokenType.StartObject;

    public override void Check(ReadOnlySpan<byte> text, string path)
    {
        CheckToken(text, path);
        CheckMembers(text, "", path + ".");
    }

    /// <summary>Checks the members of a value that is an object.</summary>
    /// <param name="text">The object, or empty for one without members.</param>
    /// <param name="owner">For errors: <c> of device_add</c>, or empty.</param>
    /// <param name="path">What stands before a member's name in errors: <c>file.</c>.</param>
    /// <exception cref="QmpException">A member is unknown, given twice, missing, or not of its type.</exception>
    public void CheckMembers(ReadOnlySpan<byte> text, string owner, string path)
    {
        ulong seen = 0;
        QmpArguments given = new(text);
        while (given.Next(out string name, out ReadOnlySpan<byte> value))
        {
            int at = Array.FindIndex(members, member => member.Name == name);
            if (at < 0)
            {
                string allowed = members.Length == 0 ? "none" : string.Join(", ", Array.ConvertAll(members, member => path + member.Name));
                throw new QmpException($"Parameter '{path}{ConfigurationLimits.Printable(name)}'{owner} is unexpected; allowed: {allowed}");
            }

            if ((seen & (1UL << at)) != 0)
            {
                throw new QmpException($"Parameter '{path}{name}' is given twice");
            }

            seen |= 1UL << at;
            members[at].Type.Check(value, path + name);
        }

        for (int i = 0; i < members.Length; i++)
        {
            if (!members[i].Optional && (seen & (1UL << i)) == 0)
            {
                throw new QmpException($"Parameter '{path}{members[i].Name}' is missing");
            }
        }
    }

    public override void WriteInfo(Utf8JsonWriter json)
    {
        json.WriteStartArray("members");
        foreach (QmpMember member in members)
        {
            json.WriteStartObject();
            json.WriteString("name", member.Name);
            json.WriteString("type", member.Type.Name);
            if (member.Optional)
            {
                // QEMU's sign for "may be left out", whatever happens then.
                json.WriteNull("default");
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
