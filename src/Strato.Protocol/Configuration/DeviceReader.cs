namespace Strato.Protocol.Configuration;

/// <summary>The sections of the JSON form that are devices.</summary>
internal static class DeviceReader
{
    private static readonly string[] VsockFields = ["vsock_id", "guest_cid"];
    private static readonly string[] ConsoleFields = ["console_id", "socket_path"];
    private static readonly string[] BalloonFields = ["deflate_on_oom"];

    /// <summary>Reads the section of a name; false when it is no device's.</summary>
    public static bool TryRead(string section, ref JsonCursor cursor, VmConfiguration configuration)
    {
        switch (section)
        {
            case "vsock":
                ReadVsock(ref cursor, configuration);
                return true;
            case "console":
                ReadConsoles(ref cursor, configuration);
                return true;
            case "balloon":
                ReadBalloon(ref cursor, configuration);
                return true;
            default:
                return false;
        }
    }

    private static void ReadVsock(ref JsonCursor cursor, VmConfiguration configuration)
    {
        string? id = null;
        long? cid = null;
        cursor.BeginObject();
        while (cursor.NextField(out string field))
        {
            switch (field)
            {
                case "vsock_id":
                    id = cursor.GetString();
                    ConfigurationLimits.CheckId(id, cursor.Path);
                    break;
                case "guest_cid":
                    cid = cursor.GetInt64();
                    break;
                default:
                    throw cursor.UnknownField(field, VsockFields);
            }
        }

        VsockConfiguration vsock = new() { Id = id ?? "", GuestCid = cid ?? throw Missing("vsock", "guest_cid"), Where = "vsock" };
        vsock.Check();
        configuration.Devices.Add(vsock);
    }

    private static void ReadConsoles(ref JsonCursor cursor, VmConfiguration configuration)
    {
        ConsoleConfiguration console = ConsoleConfiguration.Of(configuration, "console");
        cursor.BeginArray();
        for (int index = 0; cursor.NextObject(index); index++)
        {
            string where = $"console[{index}]";
            string? id = null;
            string? path = null;
            while (cursor.NextField(out string field))
            {
                switch (field)
                {
                    case "console_id":
                        id = cursor.GetString();
                        ConfigurationLimits.CheckId(id, cursor.Path);
                        break;
                    case "socket_path":
                        path = cursor.GetString();
                        ConfigurationLimits.CheckPath(path, "console's socket", cursor.Path);
                        break;
                    default:
                        throw cursor.UnknownField(field, ConsoleFields);
                }
            }

            console.Ports.Add(new PortConfiguration
            {
                Id = id ?? throw Missing(where, "console_id"),
                IsConsole = true,
                Backend = new SerialConfiguration(SerialBackend.Unix, path ?? throw Missing(where, "socket_path")),
                Where = where,
            });
        }
    }

    private static void ReadBalloon(ref JsonCursor cursor, VmConfiguration configuration)
    {
        bool deflateOnOom = false;
        cursor.BeginObject();
        while (cursor.NextField(out string field))
        {
            deflateOnOom = field == "deflate_on_oom" ? cursor.GetBoolean() : throw cursor.UnknownField(field, BalloonFields);
        }

        configuration.Devices.Add(new BalloonConfiguration { DeflateOnOom = deflateOnOom, Where = "balloon" });
    }

    private static UserErrorException Missing(string where, string field) =>
        new("MissingField", $"The field '{field}' is missing.", $"{where}.{field}");
}
