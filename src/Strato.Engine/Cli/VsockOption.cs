using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-device vhost-vsock-device</c>, and the older <c>-device vsock</c>.</summary>
internal static class VsockOption
{
    public const string DeviceUsage = "guest-cid=N[,id=ID]";

    public static void AddDevice(Options options, SubOptions parts)
    {
        long cid = parts.TakeNumber("guest-cid") ?? throw parts.Invalid("'guest-cid' is missing: guest-cid=…", "guest-cid");
        options.Configuration.Devices.Add(new VsockConfiguration { Id = parts.TakeId() ?? "", GuestCid = cid, Where = "-device" });
        parts.End();
    }
}
