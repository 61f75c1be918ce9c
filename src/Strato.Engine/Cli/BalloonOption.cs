using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-device virtio-balloon-device</c>, and the older <c>-balloon</c>.</summary>
internal static class BalloonOption
{
    public const string DeviceUsage = "[,id=ID][,deflate-on-oom=on|off][,free-page-reporting=on|off]";
    public const string Usage = "deflate-on-oom=true|false";

    public static void AddDevice(Options options, SubOptions parts)
    {
        options.Configuration.Devices.Add(new BalloonConfiguration
        {
            Id = parts.TakeId() ?? "",
            DeflateOnOom = parts.TakeBoolean("deflate-on-oom") ?? false,
            FreePageReporting = parts.TakeBoolean("free-page-reporting") ?? false,
            Where = "-device",
        });
        parts.End();
    }

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-balloon", value);
        bool? deflateOnOom = parts.TakeBoolean("deflate-on-oom");
        parts.End();
        options.Configuration.Devices.Add(new BalloonConfiguration { DeflateOnOom = deflateOnOom ?? false, Where = "-balloon" });
    }
}
