using System;
using System.Text.Json;
using Strato.Protocol.Configuration;

namespace Strato.Client.Store;

/// <summary>The devices that aren't disks, in <c>vm.json</c>.</summary>
internal static class DeviceFields
{
    private static readonly string[] Backends = ["socket", "file", "pty"];

    internal static void Write(Utf8JsonWriter writer, VmDefinition vm)
    {
        WritePorts(writer, vm);
        WriteSharedFolders(writer, vm);
        if (vm.Vsock is { } vsock)
        {
            writer.WriteStartObject("vsock");
            writer.WriteNumber("guestCid", vsock.GuestCid);
            DefinitionJson.WriteExtra(writer, vsock.Extra);
            writer.WriteEndObject();
        }

        if (vm.Rng is { } rng)
        {
            writer.WriteStartObject("rng");
            writer.WriteString("source", rng.Source);
            writer.WriteNumber("maxBytes", rng.MaxBytes);
            writer.WriteNumber("period", rng.Period);
            DefinitionJson.WriteExtra(writer, rng.Extra);
            writer.WriteEndObject();
        }

        if (vm.Balloon is { } balloon)
        {
            writer.WriteStartObject("balloon");
            writer.WriteBoolean("deflateOnOom", balloon.DeflateOnOom);
            writer.WriteBoolean("freePageReporting", balloon.FreePageReporting);
            DefinitionJson.WriteExtra(writer, balloon.Extra);
            writer.WriteEndObject();
        }
    }

    internal static ConsolePortDefinition[] ReadPorts(Fields fields) => Array.ConvertAll(fields.List("consolePorts"), port =>
    {
        string backend = port.Text("backend");
        int kind = Array.IndexOf(Backends, backend);
        ConsolePortDefinition known = new()
        {
            Id = port.Text("id"),
            Terminal = port.Flag("terminal"),
            Backend = kind >= 0 ? (ConsolePortBackend)kind : throw new FormatException($"backend of a console port is '{backend}'; allowed: {string.Join(", ", Backends)}"),
            Path = port.OptionalText("path"),
        };
        return known with { Extra = port.Rest() };
    });

    internal static SharedFolderDefinition[] ReadSharedFolders(Fields fields) => Array.ConvertAll(fields.List("sharedFolders"), folder =>
    {
        SharedFolderDefinition known = new() { Tag = folder.Text("tag"), Path = folder.Text("path") };
        return known with { Extra = folder.Rest() };
    });

    internal static VsockDefinition? ReadVsock(Fields fields)
    {
        if (fields.Object("vsock") is not { } vsock)
        {
            return null;
        }

        VsockDefinition known = new() { GuestCid = vsock.Integer("guestCid") };
        return known with { Extra = vsock.Rest() };
    }

    internal static RngDefinition? ReadRng(Fields fields)
    {
        if (fields.Object("rng") is not { } rng)
        {
            return null;
        }

        RngDefinition known = new()
        {
            Source = rng.OptionalText("source") ?? RngConfiguration.DefaultSource,
            MaxBytes = rng.OptionalInteger("maxBytes") ?? 0,
            Period = rng.OptionalInteger("period") ?? RngConfiguration.DefaultPeriod,
        };
        return known with { Extra = rng.Rest() };
    }

    internal static BalloonDefinition? ReadBalloon(Fields fields)
    {
        if (fields.Object("balloon") is not { } balloon)
        {
            return null;
        }

        BalloonDefinition known = new() { DeflateOnOom = balloon.Flag("deflateOnOom"), FreePageReporting = balloon.Flag("freePageReporting") };
        return known with { Extra = balloon.Rest() };
    }

    private static void WritePorts(Utf8JsonWriter writer, VmDefinition vm)
    {
        if (vm.ConsolePorts.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("consolePorts");
        foreach (ConsolePortDefinition port in vm.ConsolePorts)
        {
            writer.WriteStartObject();
            writer.WriteString("id", port.Id);
            writer.WriteBoolean("terminal", port.Terminal);
            writer.WriteString("backend", Backends[(int)port.Backend]);
            if (port.Path is not null)
            {
                writer.WriteString("path", port.Path);
            }

            DefinitionJson.WriteExtra(writer, port.Extra);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteSharedFolders(Utf8JsonWriter writer, VmDefinition vm)
    {
        if (vm.SharedFolders.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("sharedFolders");
        foreach (SharedFolderDefinition folder in vm.SharedFolders)
        {
            writer.WriteStartObject();
            writer.WriteString("tag", folder.Tag);
            writer.WriteString("path", folder.Path);
            DefinitionJson.WriteExtra(writer, folder.Extra);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
