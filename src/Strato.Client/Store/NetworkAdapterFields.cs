using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;
using Strato.Client.Switches;

namespace Strato.Client.Store;

/// <summary>A network interface in <c>vm.json</c> and on the engine's command line.</summary>
internal static class NetworkAdapterFields
{
    private const string Vhost = "vhost";
    private const string Connected = "connected";

    /// <summary>The value of <c>-netdev</c>.</summary>
    /// <param name="vmId">The VM's.</param>
    /// <param name="adapter">Checked.</param>
    /// <param name="part">Doubles the commas of a value.</param>
    internal static string Netdev(string vmId, NetworkAdapterDefinition adapter, Func<string, string> part)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        string? name = settings.SwitchName is null ? settings.TapName : SwitchTap.NameOf(vmId, adapter.Id);
        string value = name is { } tap ? $"tap,id={part(adapter.Id)},ifname={part(tap)}" : $"user,id={part(adapter.Id)}";
        foreach (string forward in settings.PortForward ?? [])
        {
            value += $",hostfwd={part(forward)}";
        }

        value += settings.QueueCount is { } queues ? string.Create(CultureInfo.InvariantCulture, $",queues={queues}") : "";
        return Switch(settings.Vhost) is { } vhost ? $"{value},vhost={vhost}" : value;
    }

    internal static void Write(Utf8JsonWriter writer, IReadOnlyList<NetworkAdapterDefinition> adapters)
    {
        if (adapters.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("networkAdapters");
        foreach (NetworkAdapterDefinition adapter in adapters)
        {
            writer.WriteStartObject();
            writer.WriteString("id", adapter.Id);
            Write(writer, adapter.Settings);
            DefinitionJson.WriteExtra(writer, adapter.Extra);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <exception cref="FormatException">A value that is unknown.</exception>
    internal static NetworkAdapterDefinition[] Read(Fields fields) => Array.ConvertAll(fields.List("networkAdapters"), adapter =>
    {
        NetworkAdapterDefinition known = new() { Id = adapter.Text("id"), Settings = ReadSettings(adapter.OptionalText) };
        return known with { Extra = adapter.Rest() };
    });

    private static void Write(Utf8JsonWriter writer, NetworkAdapterSettings settings)
    {
        writer.WriteString("type", settings.SwitchName is not null ? "switch" : settings.TapName is null ? "user" : "tap");
        WriteText(writer, "tap", settings.TapName);
        WriteText(writer, "switch", settings.SwitchName);
        WriteText(writer, "mac", settings.MacAddress);
        WriteText(writer, "queues", settings.QueueCount?.ToString(CultureInfo.InvariantCulture));
        WriteText(writer, Vhost, Switch(settings.Vhost));
        WriteText(writer, "iothread", settings.IoThread);
        WriteText(writer, Connected, Switch(settings.Connected));
        if (settings.PortForward is { Count: > 0 } forwards)
        {
            WriteText(writer, "hostfwd", string.Join(' ', forwards));
        }
    }

    /// <param name="text">Gives a field's text, or null.</param>
    private static NetworkAdapterSettings ReadSettings(Func<string, string?> text)
    {
        string type = text("type") ?? throw new FormatException("type of a network adapter is missing");
        string? tap = text("tap");
        string? switchName = text("switch");
        if (type is not ("tap" or "user" or "switch") || (type == "tap") != (tap is not null) || (type == "switch") != (switchName is not null))
        {
            throw new FormatException($"type of a network adapter is '{type}'; allowed: user, or tap or switch with its name");
        }

        string? queues = text("queues");
        int number = 0;
        if (queues is not null && !int.TryParse(queues, NumberStyles.None, CultureInfo.InvariantCulture, out number))
        {
            throw new FormatException($"queues of a network adapter is '{queues}'; a whole number is expected");
        }

        return new()
        {
            TapName = tap,
            SwitchName = switchName,
            User = type == "user" ? true : null,
            MacAddress = text("mac"),
            QueueCount = queues is null ? null : number,
            Vhost = Switch(Vhost, text(Vhost)),
            IoThread = text("iothread"),
            Connected = Switch(Connected, text(Connected)),
            PortForward = text("hostfwd")?.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        };
    }

    private static string? Switch(bool? value) => value is { } given ? (given ? "on" : "off") : null;

    private static bool? Switch(string name, string? text) => text switch
    {
        null => null,
        "on" => true,
        "off" => false,
        _ => throw new FormatException($"{name} of a network adapter is '{text}'; allowed: on, off"),
    };

    private static void WriteText(Utf8JsonWriter writer, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            writer.WriteString(name, value);
        }
    }
}
