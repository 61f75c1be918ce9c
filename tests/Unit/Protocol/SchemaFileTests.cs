using System;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Xunit;

namespace Strato.Tests.Unit.Protocol;

/// <summary>strato-vm.schema.json against the reader: the same fields, and the same verdict on each example.</summary>
public class SchemaFileTests
{
    private static readonly JsonElement Schema = Load();

    [Theory]
    [MemberData(nameof(GoodExamples))]
    public void WhatIsReadIsValid(string json)
    {
        _ = ConfigurationReader.Read(Encoding.UTF8.GetBytes(json));
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.Null(Fault(Schema, document.RootElement, "$"));
    }

    [Theory]
    [MemberData(nameof(BadExamples))]
    public void WhatIsRefusedIsNotValid(string json)
    {
        Assert.Throws<UserErrorException>(() => ConfigurationReader.Read(Encoding.UTF8.GetBytes(json)));
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.NotNull(Fault(Schema, document.RootElement, "$"));
    }

    /// <summary>The reader's error lists what is allowed: the same names as the schema's, but for the second way to write some.</summary>
    [Theory]
    [InlineData("", "{\"zzz\":1}")]
    [InlineData("boot-source", "{\"boot-source\":{\"zzz\":1}}")]
    [InlineData("machine-config", "{\"machine-config\":{\"zzz\":1}}")]
    [InlineData("drive", "{\"drive\":[{\"zzz\":1}]}")]
    [InlineData("net", "{\"net\":[{\"zzz\":1}]}")]
    [InlineData("console", "{\"console\":[{\"zzz\":1}]}")]
    [InlineData("vsock", "{\"vsock\":{\"zzz\":1}}")]
    [InlineData("balloon", "{\"balloon\":{\"zzz\":1}}")]
    [InlineData("serial", "{\"serial\":{\"zzz\":1}}")]
    [InlineData("iothread", "{\"iothread\":[{\"zzz\":1}]}")]
    public void FieldsAreTheReaders(string section, string json)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => ConfigurationReader.Read(Encoding.UTF8.GetBytes(json)));
        Assert.Equal("UnknownField", error.Id);
        string[] allowed = error.Message[(error.Message.IndexOf("allowed here: ", StringComparison.Ordinal) + 14)..].TrimEnd('.').Split(", ");
        JsonElement schema = section.Length == 0 ? Schema : Schema.GetProperty("properties").GetProperty(section);
        schema = schema.TryGetProperty("items", out JsonElement items) ? items : schema;
        string[] described = [.. schema.GetProperty("properties").EnumerateObject().Where(one => !one.Value.TryGetProperty("$ref", out JsonElement to) || !to.GetString()!.StartsWith("#/properties", StringComparison.Ordinal)).Select(one => one.Name)];
        Assert.Equal(allowed.Order(), described.Except(["$schema"]).Order());
    }

    [Fact]
    public void EverythingThatTheWriterWritesIsValid()
    {
        VmConfiguration vm = ConfigurationReader.Read("""
            {"machine-config": {"vcpu_count": 3, "mem_size": 805306368, "dump_guest_core": false, "mem-share": true, "mem_path": "/h", "mem_prealloc": true, "mem_merge": false, "hotplug": false},
             "boot-source": {"kernel_image_path": "/k", "boot_args": "a", "initrd_fs_path": "/i"}, "serial": {"stdio": false}, "iothread": [{"id": "t"}],
             "drive": [{"drive_id": "d", "path_on_host": "/d", "read_only": true, "direct": true, "iops": 3, "serial_num": "s", "iothread": "t"}],
             "net": [{"iface_id": "n", "host_dev_name": "tap0", "mac": "52:54:00:12:34:56", "iothread": "t"}], "console": [{"console_id": "c", "socket_path": "/c"}],
             "vsock": {"vsock_id": "v", "guest_cid": 3}, "balloon": {"deflate_on_oom": true}, "strato": {"Name": "x", "Drives": [{"a": [1, {}]}]}}
            """u8);
        using JsonDocument document = JsonDocument.Parse(ConfigurationWriter.Write(vm));
        Assert.Null(Fault(Schema, document.RootElement, "$"));
        Assert.Equal(10, document.RootElement.EnumerateObject().Count());
    }

    [Theory]
    [InlineData("mem_path", "\"/huge\"")]
    [InlineData("mem-path", "\"/huge\"")]
    public void TheSeedsTwoSpellingsAreOne(string name, string value)
    {
        Assert.Equal("/huge", ConfigurationReader.Read(Encoding.UTF8.GetBytes($$$"""{"machine-config":{"{{{name}}}":{{{value}}}}}""")).Backing.Path);
        UserErrorException error = Assert.Throws<UserErrorException>(
            () => ConfigurationReader.Read(Encoding.UTF8.GetBytes($$$"""{"machine-config":{"mem_path":{{{value}}},"mem-path":{{{value}}}}}""")));
        Assert.Equal(("DuplicateField", "machine-config.mem-path"), (error.Id, error.Where));
    }

    public static TheoryData<string> GoodExamples => new(
        """{}""",
        """{"$schema": "strato-vm.schema.json"}""",
        """{"machine-config": {"type": "microvm", "vcpu_count": 254, "mem_size": 549755813888}}""",
        """{"machine-config": {"mem-path": "/h", "mem_share": true, "dump-guest-core": false, "mem-prealloc": true, "mem-merge": true, "vcpu-count": 1, "mem-size": 268435456}}""",
        """{"drive": [{"drive_id": "a", "path_on_host": "/a", "iops": 1000000}]}""",
        """{"vsock": {"guest_cid": 4294967294}}""",
        """{"balloon": {}}""",
        """{"net": [{"iface_id": "n", "host_dev_name": "t", "mac": "52-54-00-12-34-56"}]}""");

    public static TheoryData<string> BadExamples => new(
        """[]""",
        """{"$schema": 1}""",
        """{"machine-config": {"type": "q35"}}""",
        """{"machine-config": {"dump_guest-core": true}}""",
        """{"net": [{"iface_id": "n", "host_dev_name": "t", "mac": "53:54:00:12:34:56"}]}""",
        """{"net": [{"iface_id": "n", "host_dev_name": "t", "mac": "00:00:00:00:00:00"}]}""",
        """{"net": [{"iface_id": "n", "host_dev_name": "t", "mac": "52:54-00:12:34:56"}]}""",
        """{"machine-config": {"vcpu_count": 0}}""",
        """{"machine-config": {"vcpu_count": 255}}""",
        """{"machine-config": {"vcpu_count": 1.5}}""",
        """{"machine-config": {"mem_size": 268435455}}""",
        """{"machine-config": {"mem_size": 268435457}}""",
        """{"machine-config": {"mem_path": "h"}}""",
        """{"machine-config": {"mem_path": true}}""",
        """{"machine-config": {"hotplug": "on"}}""",
        """{"drive": {}}""",
        """{"drive": [{"drive_id": "a"}]}""",
        """{"drive": [{"drive_id": "", "path_on_host": "/a"}]}""",
        """{"drive": [{"drive_id": "a", "path_on_host": ""}]}""",
        """{"drive": [{"drive_id": "a", "path_on_host": "/a", "iops": 1000001}]}""",
        """{"drive": [{"drive_id": "a", "path_on_host": "/a", "serial_num": "123456789012345678901"}]}""",
        """{"net": [{"iface_id": "n", "host_dev_name": "t", "mac": "52:54"}]}""",
        """{"net": [{"iface_id": "n"}]}""",
        """{"console": [{"console_id": "c"}]}""",
        """{"vsock": {}}""",
        """{"vsock": {"guest_cid": 2}}""",
        """{"iothread": [{}]}""",
        """{"iothread": [{"id": 1}]}""",
        """{"strato": []}""",
        """{"serial": {"stdio": 1}}""");

    /// <summary>What is wrong with a value by the words of JSON Schema that the file uses; null when nothing is.</summary>
    private static string? Fault(JsonElement schema, JsonElement value, string path)
    {
        foreach (JsonProperty rule in schema.EnumerateObject())
        {
            string? fault = rule.Name switch
            {
                "$schema" or "$defs" or "title" or "description" or "default" => null,
                "$ref" => Fault(Follow(rule.Value.GetString()!), value, path),
                "type" => IsOf(rule.Value.GetString()!, value) ? null : $"{path} is no {rule.Value}",
                "properties" => value.ValueKind != JsonValueKind.Object ? null
                    : value.EnumerateObject().Select(member => rule.Value.TryGetProperty(member.Name, out JsonElement one) ? Fault(one, member.Value, $"{path}.{member.Name}") : null).FirstOrDefault(found => found is not null),
                "additionalProperties" => value.ValueKind != JsonValueKind.Object || rule.Value.ValueKind != JsonValueKind.False ? null
                    : value.EnumerateObject().Where(member => !schema.GetProperty("properties").TryGetProperty(member.Name, out _)).Select(member => $"{path}.{member.Name} is unknown").FirstOrDefault(),
                "required" => rule.Value.EnumerateArray().Where(name => value.ValueKind == JsonValueKind.Object && !value.TryGetProperty(name.GetString()!, out _)).Select(name => $"{path}.{name} is missing").FirstOrDefault(),
                "items" => value.ValueKind != JsonValueKind.Array ? null : value.EnumerateArray().Select((item, i) => Fault(rule.Value, item, $"{path}[{i}]")).FirstOrDefault(found => found is not null),
                "maxItems" => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > rule.Value.GetInt32() ? $"{path} has too many" : null,
                "minimum" => value.ValueKind == JsonValueKind.Number && value.GetDouble() < rule.Value.GetDouble() ? $"{path} is too small" : null,
                "maximum" => value.ValueKind == JsonValueKind.Number && value.GetDouble() > rule.Value.GetDouble() ? $"{path} is too large" : null,
                "multipleOf" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number % rule.Value.GetInt64() != 0 ? $"{path} is no multiple" : null,
                "not" => Fault(rule.Value, value, path) is null ? $"{path} is what it must not be" : null,
                "minLength" => value.ValueKind == JsonValueKind.String && value.GetString()!.Length < rule.Value.GetInt32() ? $"{path} is too short" : null,
                "maxLength" => value.ValueKind == JsonValueKind.String && value.GetString()!.Length > rule.Value.GetInt32() ? $"{path} is too long" : null,
                "pattern" => value.ValueKind == JsonValueKind.String && !Regex.IsMatch(value.GetString()!, rule.Value.GetString()!) ? $"{path} has another form" : null,
                string other => throw new NotSupportedException($"the schema says '{other}'"),
            };
            if (fault is not null)
            {
                return fault;
            }
        }

        return null;
    }

    private static JsonElement Follow(string reference) =>
        reference.Split('/')[1..].Aggregate(Schema, (element, name) => element.GetProperty(name));

    private static bool IsOf(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        _ => throw new NotSupportedException($"the schema says the type '{type}'"),
    };

    private static JsonElement Load([CallerFilePath] string here = "")
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "../../../src/Strato.Protocol/Configuration/strato-vm.schema.json")));
        return document.RootElement.Clone();
    }
}
