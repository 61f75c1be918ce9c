using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Qmp.Schema;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>What the server can do, told by itself.</summary>
internal static class SchemaCommands
{
    public static void Commands(QmpCall call)
    {
        call.Result.WriteStartArray();
        foreach (QmpCommand command in QmpCommands.List)
        {
            WriteName(call.Result, command.Name);
        }

        call.Result.WriteEndArray();
    }

    public static void Events(QmpCall call)
    {
        call.Result.WriteStartArray();
        foreach (QmpEvent raised in QmpEvent.All)
        {
            WriteName(call.Result, raised.Name);
        }

        call.Result.WriteEndArray();
    }

    /// <summary>As QEMU's: commands and events, then the types that they refer to, and those that these refer to.</summary>
    public static void Schema(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        HashSet<QmpType> seen = [];
        List<QmpType> types = [];
        json.WriteStartArray();
        foreach (QmpCommand command in QmpCommands.List)
        {
            json.WriteStartObject();
            json.WriteString("name", command.Name);
            json.WriteString("meta-type", "command");
            json.WriteString("arg-type", command.Arguments.Name);
            json.WriteString("ret-type", command.Returns.Name);
            json.WriteEndObject();
            Collect(command.Arguments);
            Collect(command.Returns);
        }

        foreach (QmpEvent raised in QmpEvent.All)
        {
            json.WriteStartObject();
            json.WriteString("name", raised.Name);
            json.WriteString("meta-type", "event");
            json.WriteString("arg-type", raised.Data.Name);
            json.WriteEndObject();
            Collect(raised.Data);
        }

        foreach (QmpType type in types)
        {
            json.WriteStartObject();
            json.WriteString("name", type.Name);
            json.WriteString("meta-type", type.MetaType);
            type.WriteInfo(json);
            json.WriteEndObject();
        }

        json.WriteEndArray();

        void Collect(QmpType type)
        {
            if (seen.Add(type))
            {
                types.Add(type);
                foreach (QmpType part in type.Parts)
                {
                    Collect(part);
                }
            }
        }
    }

    /// <summary>As QEMU's: all options, or the one of a name without its dash.</summary>
    public static void Options(QmpCall call)
    {
        string? wanted = call.Arguments.Text("option");
        List<string> names = [];
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (OptionGroup group in call.Options)
        {
            names.Add(group.Name);
            if (wanted is null || wanted == group.Name)
            {
                WriteOption(json, group);
            }
        }

        json.WriteEndArray();
        if (wanted is not null && !names.Contains(wanted))
        {
            throw new QmpException($"Option '{ConfigurationLimits.Printable(wanted)}' is not one of the command line's{NearName.Hint(wanted, names)}");
        }
    }

    private static void WriteOption(Utf8JsonWriter json, OptionGroup group)
    {
        json.WriteStartObject();
        json.WriteString("option", group.Name);
        json.WriteStartArray("parameters");
        foreach ((string name, string type) in group.Parameters)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("type", type);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteName(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteEndObject();
    }
}
