using System;
using System.Text.Json;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that change network interfaces.</summary>
internal static class NetCommands
{
    /// <summary>QEMU's: the name is that of a device, or of a netdev.</summary>
    public static void SetLink(QmpCall call)
    {
        Utf8JsonReader reader = Read(call, "name");
        string name = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new QmpException("Parameter 'name' must be a string");
        reader = Read(call, "up");
        bool up = reader.TokenType is JsonTokenType.True or JsonTokenType.False
            ? reader.GetBoolean()
            : throw new QmpException("Parameter 'up' must be true or false");
        if (!call.Machine.HotPlug.SetLink(name, up))
        {
            string allowed = string.Join(", ", call.Machine.HotPlug.NetNames);
            throw new QmpException(
                QmpErrorClass.DeviceNotFound,
                $"Device '{ConfigurationLimits.Printable(name)}' not found; {(allowed.Length == 0 ? "the machine has no network interface" : "allowed: " + ConfigurationLimits.Printable(allowed))}");
        }
    }

    private static Utf8JsonReader Read(QmpCall call, string name)
    {
        ReadOnlySpan<byte> text = call.Argument(name);
        if (text.IsEmpty)
        {
            throw new QmpException($"Parameter '{name}' is missing");
        }

        Utf8JsonReader reader = new(text);
        _ = reader.Read();
        return reader;
    }
}
