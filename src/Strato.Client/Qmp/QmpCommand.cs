using System;
using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Strato.Protocol.Qmp;

namespace Strato.Client.Qmp;

/// <summary>What is sent, and how the answers are understood.</summary>
internal static class QmpCommand
{
    /// <summary>Bytes of the longest answer that is taken; a longer one is a fault.</summary>
    internal const int MaximumMessage = 16 << 20;

    /// <summary>What cuts an engine's stream into messages.</summary>
    internal static QmpFramer NewFramer() => new(MaximumMessage);

    /// <summary>Takes the next whole message; false when more bytes are needed.</summary>
    /// <exception cref="StratoException">QmpProtocol: what came isn't JSON, is too long or nested too deeply.</exception>
    internal static bool TryTake(QmpFramer framer, out JsonElement message)
    {
        message = default;
        switch (framer.TryRead(out ReadOnlyMemory<byte> bytes))
        {
            case QmpFrame.None:
                return false;
            case QmpFrame.Malformed:
                throw Protocol("something that is not JSON");
            case QmpFrame.TooLarge:
                throw Protocol($"a message longer than {MaximumMessage} bytes");
            case QmpFrame.TooDeep:
                throw Protocol($"a message that nests objects and arrays more than {QmpFramer.MaxDepth} deep");
        }

        try
        {
            message = ReceivedJson.Parse(bytes, QmpFramer.MaxDepth);
            return true;
        }
        catch (JsonException e)
        {
            throw Protocol($"something that is not JSON: {e.Message.TrimEnd('.')}", e);
        }
    }

    /// <summary>One command with its id and its newline.</summary>
    internal static ReadOnlySpan<byte> Format(string command, JsonElement? arguments, long id)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("execute", command);
            if (arguments is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } given)
            {
                writer.WritePropertyName("arguments");
                given.WriteTo(writer);
            }

            writer.WriteNumber("id", id);
            writer.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    /// <summary>True if the message answers that command.</summary>
    internal static bool Answers(JsonElement message, long id) =>
        message.ValueKind == JsonValueKind.Object
        && message.TryGetProperty("id", out JsonElement given) && given.ValueKind == JsonValueKind.Number && given.TryGetInt64(out long number) && number == id;

    /// <summary>The value of <c>return</c>, or the error as an exception whose id comes from its class: QmpGenericError, QmpCommandNotFound, QmpDeviceNotFound.</summary>
    internal static JsonElement Result(JsonElement message, string command, string? vmName)
    {
        if (message.TryGetProperty("return", out JsonElement value))
        {
            return value;
        }

        if (message.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object)
        {
            string errorClass = Text(error, "class") ?? "GenericError";
            throw new StratoException(
                errorClass switch
                {
                    "CommandNotFound" => StratoErrorKind.InvalidArgument,
                    "DeviceNotFound" => StratoErrorKind.NotFound,

                    // A command that exists, but not at this time or not with that.
                    _ => StratoErrorKind.InvalidState,
                },
                "Qmp" + errorClass,
                Text(error, "desc") ?? error.GetRawText())
            {
                Where = command,
                VmName = vmName,
                RecommendedAction = errorClass == "CommandNotFound" ? "Invoke-StratoQmp query-commands lists the commands." : null,
            };
        }

        throw new StratoException(StratoErrorKind.Connection, "QmpProtocol", $"The engine's answer to '{command}' has neither return nor error: {message.GetRawText()}") { VmName = vmName };
    }

    /// <summary>Null if the message isn't an event.</summary>
    internal static QmpEvent? TryEvent(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object || Text(message, "event") is not { } name)
        {
            return null;
        }

        DateTimeOffset time = DateTimeOffset.UtcNow;
        if (message.TryGetProperty("timestamp", out JsonElement stamp) && stamp.ValueKind == JsonValueKind.Object
            && stamp.TryGetProperty("seconds", out JsonElement seconds) && seconds.ValueKind == JsonValueKind.Number && seconds.TryGetInt64(out long whole)
            && stamp.TryGetProperty("microseconds", out JsonElement micro) && micro.ValueKind == JsonValueKind.Number && micro.TryGetInt64(out long part)
            && whole is >= 0 and < 253402300799 && part is >= 0 and < 1_000_000)
        {
            time = DateTimeOffset.FromUnixTimeSeconds(whole).AddTicks(part * TimeSpan.TicksPerMicrosecond);
        }

        long dropped = message.TryGetProperty("dropped", out JsonElement lost) && lost.ValueKind == JsonValueKind.Number && lost.TryGetInt64(out long number) ? number : 0;
        return new QmpEvent(name, message.TryGetProperty("data", out JsonElement data) ? data : JsonDocument.Parse("{}").RootElement.Clone(), time, dropped);
    }

    internal static string? Text(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    /// <summary>The state that a <c>query-status</c> answer means.</summary>
    internal static string State(JsonElement status) => Text(status, "status") switch
    {
        "running" => VmState.Running,
        "paused" or "prelaunch" or "suspended" or "io-error" => VmState.Paused,
        "shutdown" => VmState.Halted,
        "internal-error" or "guest-panicked" => VmState.Failed,
        string other => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(other),
        null => VmState.Failed,
    };

    private static StratoException Protocol(string what, Exception? inner = null) =>
        new(StratoErrorKind.Connection, "QmpProtocol", $"The engine sent {what}.", inner);
}
