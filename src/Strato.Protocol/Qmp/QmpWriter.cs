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
    private readonly Utf8JsonWriter _json;
    private long _valueStart;

    public QmpWriter()
    {
        _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
    }

    /// <summary>The last message that was written, with its line's end; valid until the next is begun.</summary>
    public ReadOnlySpan<byte> Message => _buffer.WrittenSpan;

    /// <summary>What a server says first.</summary>
    /// <param name="package">The program and its version: <c>strato-0.1.0</c>.</param>
    public void WriteGreeting(string package)
    {
        Begin();
        _json.WriteStartObject("QMP");
        _json.WritePropertyName("version");
        WriteVersion(_json, package);
        _json.WriteStartArray("capabilities");
        _json.WriteEndArray();
        _json.WriteEndObject();
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
        _json.WritePropertyName("return");
        _valueStart = _json.BytesCommitted + _json.BytesPending;
        return _json;
    }

    /// <summary>Ends a reply.</summary>
    /// <param name="id">The request's id as JSON text, or empty.</param>
    public void EndReturn(ReadOnlySpan<byte> id)
    {
        if (_json.BytesCommitted + _json.BytesPending == _valueStart)
        {
            _json.WriteStartObject();
            _json.WriteEndObject();
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
        _json.WriteStartObject("error");
        _json.WriteString("class", errorClass);
        _json.WriteString("desc", description);
        _json.WriteEndObject();
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
        _json.WriteString("event", name);
        _json.WritePropertyName("data");
        _json.WriteRawValue(data, skipInputValidation: true);
        _json.WriteStartObject("timestamp");
        _json.WriteNumber("seconds", microseconds / 1_000_000);
        _json.WriteNumber("microseconds", microseconds % 1_000_000);
        _json.WriteEndObject();
        End();
    }

    /// <summary>A client's request.</summary>
    /// <param name="command">The command's name.</param>
    /// <param name="arguments">A JSON object as text, or empty.</param>
    /// <param name="id">Any JSON value as text, or empty.</param>
    public void WriteRequest(string command, ReadOnlySpan<byte> arguments, ReadOnlySpan<byte> id)
    {
        Begin();
        _json.WriteString("execute", command);
        if (!arguments.IsEmpty)
        {
            _json.WritePropertyName("arguments");
            _json.WriteRawValue(arguments, skipInputValidation: true);
        }

        WriteId(id);
        End();
    }

    public void Dispose() => _json.Dispose();

    private void Begin()
    {
        _buffer.ResetWrittenCount();
        _json.Reset();
        _json.WriteStartObject();
    }

    private void WriteId(ReadOnlySpan<byte> id)
    {
        if (!id.IsEmpty)
        {
            _json.WritePropertyName("id");
            _json.WriteRawValue(id, skipInputValidation: true);
        }
    }

    private void End()
    {
        _json.WriteEndObject();
        _json.Flush();
        _buffer.Write(LineEnd);
    }
}
