namespace Strato.Protocol.Configuration;

/// <summary>The section <c>net</c> of the JSON form.</summary>
internal static class NetReader
{
    private static readonly string[] Fields = ["iface_id", "host_dev_name", "mac", "iothread"];

    public static void Read(ref JsonCursor cursor, VmConfiguration configuration)
    {
        cursor.BeginArray();
        for (int index = 0; cursor.NextObject(index); index++)
        {
            string where = $"net[{index}]";
            string? id = null;
            string? tap = null;
            string? mac = null;
            string? ioThread = null;
            while (cursor.NextField(out string field))
            {
                switch (field)
                {
                    case "iface_id":
                        id = cursor.GetString();
                        ConfigurationLimits.CheckId(id, cursor.Path);
                        break;
                    case "host_dev_name":
                        tap = cursor.GetString();
                        break;
                    case "mac":
                        mac = cursor.GetString();
                        _ = MacAddress.Parse(mac, cursor.Path);
                        break;
                    case "iothread":
                        ioThread = cursor.GetString();
                        break;
                    default:
                        throw cursor.UnknownField(field, Fields);
                }
            }

            configuration.Devices.Add(new NetConfiguration
            {
                Id = id ?? throw Missing(where, "iface_id"),
                Netdev = new NetdevConfiguration { Interface = tap ?? throw Missing(where, "host_dev_name"), Where = $"{where}.host_dev_name" },
                Mac = mac,
                IoThread = ioThread,
                Where = where,
            });
        }
    }

    private static UserErrorException Missing(string where, string field) =>
        new("MissingField", $"The field '{field}' is missing.", $"{where}.{field}");
}
