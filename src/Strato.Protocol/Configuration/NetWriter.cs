using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Protocol.Configuration;

/// <summary>Writes the section that <see cref="NetReader"/> reads.</summary>
internal static class NetWriter
{
    /// <exception cref="UserErrorException">InvalidField: a network interface that the form can't tell.</exception>
    public static void Write(Utf8JsonWriter writer, IReadOnlyList<DeviceConfiguration> devices)
    {
        bool any = false;
        foreach (DeviceConfiguration device in devices)
        {
            if (device is not NetConfiguration net)
            {
                continue;
            }

            NetdevConfiguration netdev = net.Netdev;
            bool plain = netdev is { Interface: not null, Queues: 1, Script: null, DownScript: null, SendBuffer: null, Vhost: false };
            if (!plain || net.Id.Length == 0)
            {
                throw new UserErrorException("InvalidField", $"The JSON form has only network interfaces with an id on a tap of a name, with one queue and nothing else; '{net.Name}' is none.", "net");
            }

            if (!any)
            {
                writer.WriteStartArray("net");
                any = true;
            }

            writer.WriteStartObject();
            writer.WriteString("iface_id", net.Id);
            writer.WriteString("host_dev_name", net.Netdev.Interface);
            WriteIfGiven(writer, "mac", net.Mac);
            WriteIfGiven(writer, "iothread", net.IoThread);
            writer.WriteEndObject();
        }

        if (any)
        {
            writer.WriteEndArray();
        }
    }

    private static void WriteIfGiven(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }
}
