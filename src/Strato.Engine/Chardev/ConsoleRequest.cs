using System;
using System.Buffers;
using System.Text.Json;

namespace Strato.Engine.Chardev;

/// <summary>The line with which a client of the console's socket begins.</summary>
/// <remarks>
/// <code>{"mode":"attach"|"follow", "from":"start"|"boot"|"end"|OFFSET, "take":true|false}</code>
/// Only <c>mode</c> must be there; <c>from</c> is <c>end</c> and <c>take</c> false without it.
/// </remarks>
/// <param name="Attach">Whether the client's bytes go to the guest.</param>
/// <param name="From">Offset to begin from; <see cref="FromBoot"/> for the first byte since the last reset; <see cref="FromEnd"/> for what is written from now on.</param>
/// <param name="Take">Whether a client that is attached has to give way.</param>
internal readonly record struct ConsoleRequest(bool Attach, long From, bool Take)
{
    public const long FromEnd = -1;

    public const long FromBoot = -2;

    /// <summary>Reads a line, without its newline; what is wrong with it is a sentence in <paramref name="error"/>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out ConsoleRequest request, out string error)
    {
        request = default;
        error = "";
        try
        {
            return TryParseObject(new Utf8JsonReader(line), out request, out error);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that isn't UTF-8.
            error = "The first line must be a JSON object such as {\"mode\":\"follow\",\"from\":\"start\"}; this is not JSON.";
            return false;
        }
    }

    /// <summary>The answer's line.</summary>
    /// <param name="offset">Offset of the first byte that follows.</param>
    /// <param name="dropped">Bytes between the offset that was asked for and <paramref name="offset"/>, which are there no more.</param>
    /// <param name="writer">Whether the client's bytes go to the guest.</param>
    public static byte[] Answer(long offset, long dropped, bool writer)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("offset", offset);
            json.WriteNumber("dropped", dropped);
            json.WriteBoolean("writer", writer);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The line that refuses.</summary>
    /// <param name="id">One of <see cref="Strato.Protocol.ConsoleRefusal"/>.</param>
    /// <param name="error">A sentence.</param>
    public static byte[] Refusal(string id, string error)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("id", id);
            json.WriteString("error", error);
            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static bool TryParseObject(Utf8JsonReader reader, out ConsoleRequest request, out string error)
    {
        bool? attach = null;
        long from = FromEnd;
        bool take = false;
        request = default;
        error = "";
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            error = "The first line must be a JSON object such as {\"mode\":\"follow\",\"from\":\"start\"}.";
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "mode":
                    attach = reader.TokenType == JsonTokenType.String && (reader.ValueTextEquals("attach"u8) || reader.ValueTextEquals("follow"u8))
                        ? reader.ValueTextEquals("attach"u8)
                        : null;
                    if (attach is null)
                    {
                        error = "mode must be \"attach\" or \"follow\".";
                        return false;
                    }

                    break;
                case "from":
                    if (!TryParseFrom(ref reader, out from))
                    {
                        error = "from must be \"start\", \"boot\", \"end\" or an offset, a number from 0.";
                        return false;
                    }

                    break;
                case "take":
                    if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                    {
                        error = "take must be true or false.";
                        return false;
                    }

                    take = reader.TokenType == JsonTokenType.True;
                    break;
                default:
                    error = $"'{name}' is not a field of the request; mode, from and take are.";
                    return false;
            }
        }

        // The reader checks that nothing follows the object.
        _ = reader.Read();
        if (attach is null)
        {
            error = "mode is missing; it must be \"attach\" or \"follow\".";
            return false;
        }

        request = new ConsoleRequest(attach.Value, from, take);
        return true;
    }

    private static bool TryParseFrom(ref Utf8JsonReader reader, out long from)
    {
        from = 0;
        if (reader.TokenType == JsonTokenType.Number)
        {
            return reader.TryGetInt64(out from) && from >= 0;
        }

        if (reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("end"u8))
        {
            from = FromEnd;
            return true;
        }

        if (reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("boot"u8))
        {
            from = FromBoot;
            return true;
        }

        return reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("start"u8);
    }
}
