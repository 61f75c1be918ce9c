using System;
using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Strato.Client.Store;

/// <summary>A JSON file of the store, which begins with its version. A version that is not known is refused.</summary>
internal static class VersionedJson
{
    private static readonly JsonWriterOptions WriterOptions = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="version">The file's.</param>
    /// <param name="write">Writes what follows it.</param>
    internal static byte[] Write(int version, Action<Utf8JsonWriter> write)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using (Utf8JsonWriter writer = new(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", version);
            write(writer);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <param name="json">The whole file.</param>
    /// <param name="version">The one that is known.</param>
    /// <param name="read">Makes something of its fields, which are there until it returns.</param>
    /// <exception cref="FormatException">With the JSON path and what is wrong there.</exception>
    internal static T Read<T>(ReadOnlyMemory<byte> json, int version, Func<Fields, T> read)
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
            long given = fields.Integer("version");
            return given == version ? read(fields) : throw new FormatException($"version is {given}; this Strato knows version {version}");
        }
    }

    internal static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    /// <exception cref="FormatException">It is no time.</exception>
    internal static DateTimeOffset Time(string name, string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out DateTimeOffset time)
            ? time
            : throw new FormatException($"{name} is '{text}'; a time as 2026-01-31T12:00:00Z is expected");
}
