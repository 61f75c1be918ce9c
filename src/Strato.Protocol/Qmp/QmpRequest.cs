using System;
using System.Text.Json;
using System.Text.Unicode;
using Strato.Protocol.Configuration;

namespace Strato.Protocol.Qmp;

/// <summary>One request: <c>{"execute": NAME, "arguments": {…}, "id": ANY}</c>.</summary>
public readonly struct QmpRequest
{
    private QmpRequest(string command, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> id)
    {
        Command = command;
        Arguments = arguments;
        Id = id;
    }

    /// <summary>The command's name.</summary>
    public string Command { get; }

    /// <summary>The arguments as JSON text, a valid object; empty when none are given.</summary>
    public ReadOnlyMemory<byte> Arguments { get; }

    /// <summary>The id as JSON text, byte for byte as given; empty when none is given.</summary>
    public ReadOnlyMemory<byte> Id { get; }

    /// <summary>Reads a request.</summary>
    /// <param name="message">One JSON text; the request refers to it.</param>
    /// <param name="request">The request. Of a faulty one, only <see cref="Id"/> is set, where it could be read.</param>
    /// <param name="error">Null, or what is wrong, of class <see cref="QmpErrorClass.GenericError"/>.</param>
    public static bool TryParse(ReadOnlyMemory<byte> message, out QmpRequest request, out string? error)
    {
        ReadOnlyMemory<byte> id = default;
        ReadOnlyMemory<byte> arguments = default;
        string? command = null;
        try
        {
            error = Utf8.IsValid(message.Span) ? Parse(message, ref command, ref arguments, ref id) : "JSON parse error, the text is not valid UTF-8";
        }
        catch (JsonException e)
        {
            // The reader's own text ends with its count of lines, which means nothing in a stream.
            int cut = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            error = "JSON parse error: " + (cut < 0 ? e.Message : e.Message[..cut]);
            id = default;
        }
        catch (InvalidOperationException)
        {
            error = "JSON parse error, a string has half of a surrogate pair";
            id = default;
        }

        request = new QmpRequest(command ?? "", arguments, id);
        return error is null;
    }

    private static string? Parse(ReadOnlyMemory<byte> message, ref string? command, ref ReadOnlyMemory<byte> arguments, ref ReadOnlyMemory<byte> id)
    {
        // The whole text is read even after a fault, for its id, and so that only valid JSON is ever echoed.
        string? error = null;
        Utf8JsonReader reader = new(message.Span, new JsonReaderOptions { MaxDepth = QmpFramer.MaxDepth });
        _ = reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return "QMP input must be a JSON object";
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            _ = reader.Read();
            JsonTokenType type = reader.TokenType;
            int start = (int)reader.TokenStartIndex;
            string? text = type == JsonTokenType.String && name == "execute" ? reader.GetString() : null;
            SkipReadable(ref reader);
            ReadOnlyMemory<byte> value = message[start..(int)reader.BytesConsumed];
            error ??= name switch
            {
                "execute" when command is not null => Duplicate(name),
                "execute" when text is null => "QMP input member 'execute' must be a string",
                "arguments" when !arguments.IsEmpty => Duplicate(name),
                "arguments" when type != JsonTokenType.StartObject => "QMP input member 'arguments' must be an object",
                "id" when !id.IsEmpty => Duplicate(name),
                "execute" or "arguments" or "id" => null,
                _ => $"QMP input member '{ConfigurationLimits.Printable(name)}' is unexpected; allowed: execute, arguments, id",
            };
            switch (name)
            {
                case "execute":
                    command = text;
                    break;
                case "arguments":
                    arguments = value;
                    break;
                case "id":
                    id = value;
                    break;
            }
        }

        // Throws unless nothing but white space follows.
        _ = reader.Read();
        return error ?? (command is null ? "QMP input lacks member 'execute'" : null);
    }

    /// <summary>Goes to a value's end, and makes sure that each string in it can be read: JSON can write halves of surrogate pairs, which are no text.</summary>
    /// <exception cref="InvalidOperationException">One can't.</exception>
    private static void SkipReadable(ref Utf8JsonReader reader)
    {
        int depth = reader.CurrentDepth;
        bool isOpen = reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray;
        do
        {
            if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped)
            {
                _ = reader.GetString();
            }
        }
        while (isOpen && reader.Read() && reader.CurrentDepth > depth);
    }

    private static string Duplicate(string name) => $"QMP input member '{name}' is given twice";
}
