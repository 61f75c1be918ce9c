using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using Strato.Client.Store;

namespace Strato.Client.Snapshots;

/// <summary><c>snapshot.json</c>, read and written as <c>vm.json</c> is.</summary>
internal static class SnapshotJson
{
    internal const string FileName = "snapshot.json";
    internal const int Version = 1;

    internal static byte[] Write(VmSnapshot snapshot) => VersionedJson.Write(Version, writer =>
    {
        writer.WriteString("name", snapshot.Name);
        writer.WriteString("id", snapshot.Id);
        if (snapshot.ParentId is not null)
        {
            writer.WriteString("parent", snapshot.ParentId);
        }

        writer.WriteString("created", VersionedJson.Text(snapshot.Created));
        writer.WriteBoolean("running", snapshot.WasRunning);
        if (snapshot.Forced)
        {
            writer.WriteBoolean("force", true);
        }

        writer.WriteString("engine", snapshot.EngineVersion);
        writer.WriteStartArray("disks");
        foreach (SnapshotDisk disk in snapshot.Disks)
        {
            writer.WriteStartObject();
            writer.WriteString("drive", disk.DriveId);
            writer.WriteNumber("size", disk.Size);
            if (disk.File is not null)
            {
                writer.WriteString("file", disk.File);
            }

            if (disk.Written is { } written)
            {
                writer.WriteString("written", VersionedJson.Text(written));
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WritePropertyName("vm");
        using (JsonDocument vm = JsonDocument.Parse(DefinitionJson.Write(snapshot.Definition)))
        {
            vm.RootElement.WriteTo(writer);
        }

        DefinitionJson.WriteExtra(writer, snapshot.Extra);
    });

    /// <exception cref="FormatException">With the JSON path and what is wrong there.</exception>
    internal static VmSnapshot Read(ReadOnlyMemory<byte> json) => VersionedJson.Read(json, Version, fields =>
    {
        JsonElement vm = fields.Optional("vm") ?? throw new FormatException("vm is missing");
        VmSnapshot snapshot = new()
        {
            Id = fields.Text("id"),
            Name = fields.Text("name"),
            ParentId = fields.OptionalText("parent"),
            Created = VersionedJson.Time("created", fields.Text("created")),
            WasRunning = fields.Flag("running"),
            Forced = fields.Flag("force"),
            EngineVersion = fields.OptionalText("engine") ?? "",
            Disks = ReadDisks(fields),
            Definition = ReadDefinition(vm),
        };
        return snapshot with { Extra = fields.Rest() };
    });

    private static List<SnapshotDisk> ReadDisks(Fields fields)
    {
        List<SnapshotDisk> disks = [];
        foreach (Fields disk in fields.List("disks"))
        {
            string? file = disk.OptionalText("file");
            if (file is not null && (file.Length == 0 || file.Contains('/', StringComparison.Ordinal) || file is "." or ".."))
            {
                throw new FormatException($"disks has the file '{file}'; a name without a folder is expected");
            }

            disks.Add(new SnapshotDisk(disk.Text("drive"), disk.Integer("size"), file, disk.OptionalText("written") is { } written ? VersionedJson.Time("written", written) : null));
        }

        return disks;
    }

    private static VmDefinition ReadDefinition(JsonElement vm)
    {
        try
        {
            string id = new Fields(vm, "").Text("id");
            return DefinitionJson.Read(Encoding.UTF8.GetBytes(vm.GetRawText()), id);
        }
        catch (FormatException e)
        {
            throw new FormatException($"of vm, {e.Message}", e);
        }
    }
}
