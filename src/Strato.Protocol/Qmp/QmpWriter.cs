using System;
using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Strato.Protocol.Qmp;

/// <summary>Writes QMP messages, each one line, into a buffer that is used again for each.</summary>
/// <remarks>Members stand in the order in which StratoVirt's documents print them.</remarks>
public sealed class QmpWriter : IDisposable
{
    // As QEMU's, so that programs which read lines work with either.
    private static ReadOnlySpan<byte> LineEnd => "\r\n"u8;

    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private Utf8JsonWriter? _json;
    private long _valueStart;

    // Made for the first message: the encoder's tables of all of Unicode take a fiftieth of the monitor's start.
    private Utf8JsonWriter Json =>
        _json ??= new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    /// <summary>The last message that was written, with its line's end; valid until the next is begun.</summary>
    public ReadOnlySpan<byte> Message => _buffer.WrittenSpan;

    /// <summary>What a server says first.</summary>
    /// <param name="package">The program and its version: <c>strato-0.1.0</c>.</param>
    public void WriteGreeting(string package)
    {
        Begin();
        Json.WriteStartObject("QMP");
        Json.WritePropertyName("version");
        WriteVersion(Json, package);
        Json.WriteStartArray("capabilities");
        Json.WriteEndArray();
        Json.WriteEndObject();
        End();
    }

    /// <summary>Writes the version object of the greeting and of query-version: QEMU's 4.0.1, whose protocol this is, and the package.</summary>
    public static void WriteVersion(Utf8JsonWriter json, string package)
    {
        json.WriteStartObject();
        json.WriteStartObject("qemu");
        json.WriteNumber("micro", 1);
        json.WriteNumber("minor", 0);
        json.WriteNumber("major", 4);
        json.WriteEndObject();
        json.WriteString("package", package);
        json.WriteEndObject();
    }

    /// <summary>Begins a reply. The value is written to what this returns: nothing for <c>{}</c>, or one JSON value.</summary>
    public Utf8JsonWriter BeginReturn()
    {
        Begin();
        Json.WritePropertyName("return");
        _valueStart = Json.BytesCommitted + Json.BytesPending;
        return Json;
    }

    /// <summary>Ends a reply.</summary>
    /// <param name="id">The request's id as JSON text, or empty.</param>
    public void EndReturn(ReadOnlySpan<byte> id)
    {
        if (Json.BytesCommitted + Json.BytesPending == _valueStart)
        {
            Json.WriteStartObject();
            Json.WriteEndObject();
        }

        WriteId(id);
        End();
    }

    /// <param name="errorClass">One of <see cref="QmpErrorClass"/>.</param>
    /// <param name="description">For people.</param>
    /// <param name="id">The request's id as JSON text, or empty.</param>
    public void WriteError(string errorClass, string description, ReadOnlySpan<byte> id)
    {
        Begin();
        Json.WriteStartObject("error");
        Json.WriteString("class", errorClass);
        Json.WriteString("desc", description);
        Json.WriteEndObject();
        WriteId(id);
        End();
    }

    /// <param name="name">The event's name: <c>STOP</c>.</param>
    /// <param name="data">Its data: a JSON object as text.</param>
    /// <param name="when">When it happened, in UTC.</param>
    public void WriteEvent(string name, string data, DateTime when)
    {
        long microseconds = (when - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        Begin();
        Json.WriteString("event", name);
        Json.WritePropertyName("data");
        Json.WriteRawValue(data, skipInputValidation: true);
        Json.WriteStartObject("timestamp");
        Json.WriteNumber("seconds", microseconds / 1_000_000);
        Json.WriteNumber("microseconds", microseconds % 1_000_000);
        Json.WriteEndObject();
        End();
    }

    /// <summary>A client's request.</summary>
    /// <param name="command">The command's name.</param>
    /// <param name="arguments">A JSON object as text, or empty.</param>
    /// <param name="id">Any JSON value as text, or empty.</param>
    public void WriteRequest(string command, ReadOnlySpan<byte> arguments, ReadOnlySpan<byte> id)
    {
        Begin();
        Json.WriteString("execute", command);
        if (!arguments.IsEmpty)
        {
            Json.WritePropertyName("arguments");
            Json.WriteRawValue(arguments, skipInputValidation: true);
        }

        WriteId(id);
        End();
    }

    public void Dispose() => _json?.Dispose();

    private void Begin()
    {
        _buffer.ResetWrittenCount();
        Json.Reset();
        Json.WriteStartObject();
    }

    private void WriteId(ReadOnlySpan<byte> id)
    {
        if (!id.IsEmpty)
        {
            Json.WritePropertyName("id");
            Json.WriteRawValue(id, skipInputValidation: true);
        }
    }

    private void End()
    {
        Json.WriteEndObject();
        Json.Flush();
        _buffer.Write(LineEnd);
    }
}
