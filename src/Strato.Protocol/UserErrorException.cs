using System;
using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Strato.Protocol;

/// <summary>An error that a user can cause and mend: what was given, what is allowed, and where.</summary>
/// <remarks>
/// The engine writes it to its readiness pipe as one line of JSON, <c>{"id":"…","message":"…","where":"…","advice":"…"}</c>, and the
/// client reads it back, so that the user of a cmdlet sees what the engine saw. So the message names no option of the
/// engine as a way out: that is the <see cref="Advice"/>, in whose place the client puts what a cmdlet's user can type.
/// </remarks>
public sealed class UserErrorException : Exception
{
    /// <param name="id">A stable PascalCase name that scripts may rely on, such as <c>KernelNotFound</c>.</param>
    /// <param name="message">What was given and what is allowed, in one sentence or two.</param>
    /// <param name="where">The option (<c>-m</c>), JSON path (<c>machine-config.mem_size</c>) or QMP argument; empty when there is none.</param>
    /// <param name="innerException">What the system said, if anything.</param>
    public UserErrorException(string id, string message, string where = "", Exception? innerException = null)
        : base(message, innerException)
    {
        Id = id;
        Where = where;
    }

    /// <summary>A stable PascalCase name of the kind of error.</summary>
    public string Id { get; }

    /// <summary>The option, JSON path or QMP argument that the error is about; empty when there is none.</summary>
    public string Where { get; }

    /// <summary>What the engine's own user can type to get through, such as <c>-force tries all the same</c>; null when there is nothing.</summary>
    public string? Advice { get; init; }

    /// <summary>One line for a terminal or a log: <c>-m: memory of 100M is …</c>, with the advice in parentheses.</summary>
    public string ToLine()
    {
        string message = Advice is null ? Message : $"{Message} ({Advice})";
        return Where.Length == 0 ? message : $"{Where}: {message}";
    }

    /// <summary>The line of JSON for the readiness pipe, with its newline.</summary>
    public byte[] ToJsonLine()
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("id", Id);
            writer.WriteString("message", Message);
            writer.WriteString("where", Where);
            if (Advice is not null)
            {
                writer.WriteString("advice", Advice);
            }

            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="ToJsonLine"/> wrote; text that isn't that becomes an error of its own, with the text in its message.</summary>
    public static UserErrorException FromJsonLine(ReadOnlySpan<byte> line)
    {
        string? id = null;
        string? message = null;
        string where = "";
        string? advice = null;
        try
        {
            Utf8JsonReader reader = new(line);
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                {
                    continue;
                }

                string name = reader.GetString()!;
                if (reader.Read() && reader.TokenType == JsonTokenType.String)
                {
                    string value = reader.GetString()!;
                    switch (name)
                    {
                        case "id":
                            id = value;
                            break;
                        case "message":
                            message = value;
                            break;
                        case "where":
                            where = value;
                            break;
                        case "advice":
                            advice = value;
                            break;
                    }
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            id = null;
        }

        return id is not null && message is not null
            ? new UserErrorException(id, message, where) { Advice = advice }
            : new UserErrorException("EngineFailed", $"The engine said something that is not an error in JSON: '{Encoding.UTF8.GetString(line).Trim()}'.");
    }
}
