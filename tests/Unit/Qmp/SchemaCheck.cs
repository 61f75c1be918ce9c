using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace Strato.Tests.Unit.Qmp;

/// <summary>Holds what a server says against its own query-qmp-schema, read as a client reads it.</summary>
/// <param name="schema">The reply's <c>return</c>.</param>
internal sealed class SchemaCheck(JsonElement schema)
{
    private readonly Dictionary<(string Kind, string Name), JsonElement> _infos = schema.EnumerateArray().ToDictionary(
        info => (Kind(Text(info, "meta-type")), Text(info, "name")),
        info => info.Clone());

    public IEnumerable<string> Commands => _infos.Keys.Where(key => key.Kind == "command").Select(key => key.Name);

    public IEnumerable<string> Events => _infos.Keys.Where(key => key.Kind == "event").Select(key => key.Name);

    /// <summary>What is wrong with a command's reply that isn't an error; null when nothing is.</summary>
    public string? FaultOfReply(string command, JsonElement reply) =>
        !_infos.TryGetValue(("command", command), out JsonElement info) ? $"the command {command} is not in the schema"
        : Fault(Text(info, "ret-type"), reply.GetProperty("return"), "return");

    /// <summary>What is wrong with an event; null when nothing is.</summary>
    public string? FaultOfEvent(JsonElement message) =>
        !_infos.TryGetValue(("event", Text(message, "event")), out JsonElement info) ? $"the event {Text(message, "event")} is not in the schema"
        : Fault(Text(info, "arg-type"), message.GetProperty("data"), "data");

    /// <summary>What is wrong with the schema: a name that nothing bears, or that nothing refers to.</summary>
    public IEnumerable<string> Faults()
    {
        HashSet<string> referred = [];
        foreach (JsonElement info in _infos.Values)
        {
            IEnumerable<string> names = new[] { "arg-type", "ret-type", "element-type" }.Where(name => info.TryGetProperty(name, out _)).Select(name => Text(info, name));
            if (Text(info, "meta-type") is "object" or "alternate")
            {
                names = names.Concat(info.GetProperty("members").EnumerateArray().Select(member => Text(member, "type")));
            }

            referred.UnionWith(names);
        }

        IEnumerable<string> types = _infos.Keys.Where(key => key.Kind == "type").Select(key => key.Name).ToList();
        return types.Except(referred).Select(name => $"nothing refers to {name}").Concat(referred.Except(types).Select(name => $"{name} is nowhere"));
    }

    private static string Kind(string metaType) => metaType is "command" or "event" ? metaType : "type";

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private string? Fault(string typeName, JsonElement value, string path)
    {
        JsonElement type = _infos[("type", typeName)];
        return Text(type, "meta-type") switch
        {
            "builtin" => IsBuiltin(Text(type, "json-type"), value) ? null : $"{path} is no {typeName}: {value.GetRawText()}",
            "enum" => value.ValueKind == JsonValueKind.String && type.GetProperty("values").EnumerateArray().Any(one => one.GetString() == value.GetString())
                && type.GetProperty("members").EnumerateArray().Any(one => Text(one, "name") == value.GetString()) ? null : $"{path} is none of {typeName}: {value.GetRawText()}",
            "array" => value.ValueKind != JsonValueKind.Array ? $"{path} is no array"
                : value.EnumerateArray().Select((element, i) => Fault(Text(type, "element-type"), element, $"{path}[{i}]")).FirstOrDefault(fault => fault is not null),
            "alternate" => type.GetProperty("members").EnumerateArray().Any(member => Fault(Text(member, "type"), value, path) is null) ? null : $"{path} is none of {typeName}",
            "object" => value.ValueKind != JsonValueKind.Object ? $"{path} is no object" : FaultOfMembers(type, value, path),
            string other => $"{path}: the kind {other} is unknown",
        };
    }

    private string? FaultOfMembers(JsonElement type, JsonElement value, string path)
    {
        Dictionary<string, JsonElement> members = type.GetProperty("members").EnumerateArray().ToDictionary(member => Text(member, "name"));
        foreach (JsonProperty given in value.EnumerateObject())
        {
            if (!members.Remove(given.Name, out JsonElement member))
            {
                return $"{path}.{given.Name} is not in {Text(type, "name")}, or there twice";
            }

            if (Fault(Text(member, "type"), given.Value, $"{path}.{given.Name}") is { } fault)
            {
                return fault;
            }
        }

        return members.Values.Where(member => !member.TryGetProperty("default", out _)).Select(member => $"{path}.{Text(member, "name")} is missing").FirstOrDefault();
    }

    private static bool IsBuiltin(string jsonType, JsonElement value) => jsonType switch
    {
        "value" => true,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "int" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        _ => false,
    };
}
