using System.Text.Json;

namespace Strato.Protocol.Configuration;

/// <summary>Writes the sections that <see cref="DeviceReader"/> reads.</summary>
internal static class DeviceWriter
{
    /// <exception cref="UserErrorException">InvalidField: the form has no place for a device, or for one of its values.</exception>
    public static void Write(Utf8JsonWriter writer, DeviceConfiguration device)
    {
        switch (device)
        {
            case NetConfiguration:
                // NetWriter's: interfaces stand in one array.
                break;
            case VsockConfiguration vsock:
                writer.WriteStartObject("vsock");
                WriteId(writer, "vsock_id", vsock.Id);
                writer.WriteNumber("guest_cid", vsock.GuestCid);
                writer.WriteEndObject();
                break;
            case ConsoleConfiguration { Id: "", Room: null } console:
                WriteConsoles(writer, console);
                break;
            case BalloonConfiguration { Id: "", FreePageReporting: false } balloon:
                writer.WriteStartObject("balloon");
                writer.WriteBoolean("deflate_on_oom", balloon.DeflateOnOom);
                writer.WriteEndObject();
                break;
            default:
                throw new UserErrorException("InvalidField", $"The JSON form has no place for the device '{device.Name}' as it is configured.", device.Kind);
        }
    }

    private static void WriteConsoles(Utf8JsonWriter writer, ConsoleConfiguration console)
    {
        writer.WriteStartArray("console");
        foreach (PortConfiguration port in console.Ports)
        {
            if (!port.IsConsole || port.Name is not null || port.Number is not null || port.Id.Length == 0 || port.Backend.Backend != SerialBackend.Unix)
            {
                throw new UserErrorException("InvalidField", $"The JSON form has only consoles with an id on sockets; '{port.Label}' is none.", "console");
            }

            writer.WriteStartObject();
            writer.WriteString("console_id", port.Id);
            writer.WriteString("socket_path", port.Backend.Path);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteId(Utf8JsonWriter writer, string name, string id)
    {
        if (id.Length > 0)
        {
            writer.WriteString(name, id);
        }
    }
}
