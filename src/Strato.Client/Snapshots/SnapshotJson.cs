using System;
using System.Buffers;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Strato.Client.Store;

namespace Strato.Client.Snapshots;

/// <summary><c>snapshot.json</c>, read and written as <c>vm.json</c> is.</summary>
internal static class SnapshotJson
{
    internal const string FileName = "snapshot.json";
    internal const int Version = 1;

    private static readonly JsonWriterOptions WriterOptions = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    internal static byte[] Write(VmSnapshot snapshot)
    {
        ArrayBufferWriter<byte> buffer = new(2048);
        using (Utf8JsonWriter writer = new(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", Version);
            writer.WriteString("name", snapshot.Name);
            writer.WriteString("id", snapshot.Id);
            if (snapshot.ParentId is not null)
            {
                writer.WriteString("parent", snapshot.ParentId);
            }

            writer.WriteString("created", Text(snapshot.Created));
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
                    writer.WriteString("written", Text(written));
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
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <exception cref="FormatException">With the JSON path and what is wrong there.</exception>
    internal static VmSnapshot Read(ReadOnlyMemory<byte> json)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException e)
        {
            throw new FormatException($"it is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", e);
        }

        using (document)
        {
            Fields fields = new(document.RootElement, "");
            long version = fields.Integer("version");
            if (version != Version)
            {
                throw new FormatException($"version is {version}; this Strato knows version {Version}");
            }

            JsonElement vm = fields.Optional("vm") ?? throw new FormatException("vm is missing");
            VmSnapshot snapshot = new()
            {
                Id = fields.Text("id"),
                Name = fields.Text("name"),
                ParentId = fields.OptionalText("parent"),
                Created = Time("created", fields.Text("created")),
                WasRunning = fields.Flag("running"),
                Forced = fields.Flag("force"),
                EngineVersion = fields.OptionalText("engine") ?? "",
                Disks = ReadDisks(fields),
                Definition = ReadDefinition(vm),
            };
            return snapshot with { Extra = fields.Rest() };
        }
    }

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

            disks.Add(new SnapshotDisk(disk.Text("drive"), disk.Integer("size"), file, disk.OptionalText("written") is { } written ? Time("written", written) : null));
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

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(string name, string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTimeOffset time)
            ? time
            : throw new FormatException($"{name} is '{text}'; a time as 2026-01-31T12:00:00Z is expected");
}
