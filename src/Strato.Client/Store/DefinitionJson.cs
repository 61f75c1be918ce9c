using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace Strato.Client.Store;

/// <summary><c>vm.json</c>, read and written by hand: no serializer to start up.</summary>
/// <remarks>
/// Version 1. Fields that are not known are kept and written back, so that an older module doesn't lose what a newer one wrote; a
/// version that is not known is refused.
/// </remarks>
internal static class DefinitionJson
{
    internal const int Version = 1;

    internal static byte[] Write(VmDefinition vm) => VersionedJson.Write(Version, writer =>
    {
        // First, so that it can still be read when what follows is damaged.
        writer.WriteString("name", vm.Name);
        writer.WriteString("id", vm.Id);
        writer.WriteString("machine", vm.Machine);
        writer.WriteString("kernel", vm.Kernel);
        if (vm.Initrd is not null)
        {
            writer.WriteString("initrd", vm.Initrd);
        }

        writer.WriteString("commandLine", vm.CommandLine);
        writer.WriteNumber("memory", vm.Memory);
        if (vm.HugePage is { } hugePage)
        {
            writer.WriteNumber("hugePage", hugePage);
        }

        writer.WriteNumber("cpu", vm.Cpu);
        ProcessorFields.Write(writer, vm.Processor);
        if (vm.NoHotPlug)
        {
            writer.WriteBoolean("noHotPlug", true);
        }

        if (vm.NoSandbox)
        {
            writer.WriteBoolean("noSandbox", true);
        }

        if (vm.Ephemeral)
        {
            writer.WriteBoolean("ephemeral", true);
        }

        writer.WriteStartArray("drives");
        foreach (DriveDefinition drive in vm.Drives)
        {
            writer.WriteStartObject();
            writer.WriteString("id", drive.Id);
            writer.WriteString("path", drive.Path);
            writer.WriteBoolean("readOnly", drive.ReadOnly);
            if (drive.Serial is not null)
            {
                writer.WriteString("serial", drive.Serial);
            }

            DriveIoFields.Write(writer, drive.Io);
            WriteExtra(writer, drive.Extra);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        NetworkAdapterFields.Write(writer, vm.NetworkAdapters);
        IoThreadFields.Write(writer, vm);
        DeviceFields.Write(writer, vm);
        writer.WriteString("created", VersionedJson.Text(vm.Created));
        writer.WriteString("notes", vm.Notes);
        WriteExtra(writer, vm.Extra);
    });

    /// <exception cref="FormatException">With the JSON path and what is wrong there.</exception>
    internal static VmDefinition Read(ReadOnlyMemory<byte> json, string id) => VersionedJson.Read(json, Version, fields =>
    {
        string given = fields.Text("id");
        if (given != id)
        {
            throw new FormatException($"id is '{given}', but the folder is '{id}'");
        }

        VmDefinition vm = new()
        {
            Id = given,
            Name = fields.Text("name"),
            Machine = fields.Text("machine"),
            Kernel = fields.Text("kernel"),
            Initrd = fields.OptionalText("initrd"),
            CommandLine = fields.OptionalText("commandLine") ?? "",
            Memory = fields.Integer("memory"),
            HugePage = fields.OptionalInteger("hugePage") is { } size and not 0 ? size : null,
            Cpu = (int)Math.Clamp(fields.Integer("cpu"), int.MinValue, int.MaxValue),
            Processor = ProcessorFields.Read(fields),
            NoHotPlug = fields.Flag("noHotPlug"),
            NoSandbox = fields.Flag("noSandbox"),
            Ephemeral = fields.Flag("ephemeral"),
            Drives = ReadDrives(fields),
            NetworkAdapters = NetworkAdapterFields.Read(fields),
            IoThreads = IoThreadFields.Read(fields),
            ConsolePorts = DeviceFields.ReadPorts(fields),
            SharedFolders = DeviceFields.ReadSharedFolders(fields),
            Vsock = DeviceFields.ReadVsock(fields),
            Rng = DeviceFields.ReadRng(fields),
            Balloon = DeviceFields.ReadBalloon(fields),
            Created = VersionedJson.Time("created", fields.Text("created")),
            Notes = fields.OptionalText("notes") ?? "",
        };
        return IoThreadFields.Complete(vm with { Drives = [.. vm.Drives.Select(vm.Own)], Extra = fields.Rest() });
    });

    /// <summary>The name in a damaged file, where that much can be read.</summary>
    internal static string? TryReadName(ReadOnlySpan<byte> json)
    {
        try
        {
            Utf8JsonReader reader = new(json, isFinalBlock: false, default);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1 && reader.ValueTextEquals("name"u8))
                {
                    return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Damaged before the name.
        }

        return null;
    }

    private static DriveDefinition[] ReadDrives(Fields fields)
    {
        Fields[] list = fields.List("drives");
        DriveDefinition[] drives = new DriveDefinition[list.Length];
        for (int i = 0; i < drives.Length; i++)
        {
            Fields drive = list[i];
            DriveDefinition known = new()
            {
                Id = drive.Text("id"),
                Path = drive.Text("path"),
                ReadOnly = drive.Flag("readOnly"),
                Serial = drive.OptionalText("serial"),
                Io = DriveIoFields.Read(drive.OptionalText),
            };
            drives[i] = known with { Extra = drive.Rest() };
        }

        return drives;
    }

    internal static void WriteExtra(Utf8JsonWriter writer, IReadOnlyList<KeyValuePair<string, JsonElement>> extra)
    {
        foreach ((string name, JsonElement value) in extra)
        {
            writer.WritePropertyName(name);
            value.WriteTo(writer);
        }
    }
}
