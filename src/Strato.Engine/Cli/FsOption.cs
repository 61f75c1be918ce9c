using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-device vhost-user-fs-device</c>: a folder of the host, shared by a virtiofsd that is started, or that runs already.</summary>
internal static class FsOption
{
    public const string DeviceUsage = "tag=TAG,source=FOLDER|chardev=ID[,id=ID]";

    public static void AddDevice(Options options, SubOptions parts)
    {
        string tag = parts.Require("tag");
        string? source = parts.Take("source");
        string? chardev = parts.Take("chardev");
        FsConfiguration device = new() { Id = parts.TakeId() ?? "", Tag = tag, Source = source, Where = "-device" };
        parts.End();
        if ((source is null) == (chardev is null))
        {
            string given = source is null ? "Neither 'source' nor 'chardev' of a shared folder is given" : "'source' and 'chardev' of a shared folder are both given";
            throw parts.Invalid($"{given}; give one: source=FOLDER starts virtiofsd, chardev=ID connects to one that runs.");
        }

        options.Configuration.Devices.Add(device);
        if (chardev is not null)
        {
            string where = parts.Where("chardev");
            options.Lookups.Add(() => device.Socket = options.Chardevs.Claim(chardev, where).ForClient(chardev, where));
        }
    }
}
