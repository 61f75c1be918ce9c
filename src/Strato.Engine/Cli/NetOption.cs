using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-netdev</c> in both its forms, and <c>-device virtio-net-device</c>.</summary>
/// <remarks>A netdev that no device refers to is a network interface of the guest itself, behind those of devices.</remarks>
internal static class NetOption
{
    public const string Usage = "tap,id=ID,ifname=NAME|fd=N | id=ID,netdev=NAME";

    public const string DeviceUsage = "netdev=ID[,id=ID][,mac=ADDRESS][,iothread=ID]";

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-netdev", value, "type");
        string id = parts.TakeId() ?? parts.Require("id");
        bool older = parts.TakeOneOf("type", "tap") is null;
        string nameKey = older ? "netdev" : "ifname";
        string? name = parts.Take(nameKey);
        long? descriptor = parts.TakeNumber("fd");
        if (!older)
        {
            // Only these are built; whoever writes them out for QEMU's sake may.
            _ = parts.TakeOneOf("script", "no");
            _ = parts.TakeOneOf("downscript", "no");
            _ = parts.TakeOneOf("vhost", "off");
            _ = parts.TakeOneOf("queues", "1");
        }

        NetConfiguration net = new()
        {
            Id = id,
            Netdev = new NetdevConfiguration { Interface = name, Descriptor = descriptor, Where = parts.Where(descriptor is null ? nameKey : "fd") },
            Mac = parts.Take("mac"),
            IoThread = parts.Take("iothread"),
            Where = "-netdev",
        };
        parts.End();
        net.Check();
        options.Netdevs.Add(id, net);
    }

    public static void AddDevice(Options options, SubOptions parts)
    {
        string netdev = parts.Require("netdev");
        NetConfiguration device = new() { Id = parts.TakeId() ?? "", Mac = parts.Take("mac"), IoThread = parts.Take("iothread"), Where = "-device" };
        parts.End();
        options.Configuration.Devices.Add(device);
        options.Lookups.Add(() =>
        {
            NetConfiguration backend = options.Netdevs.Claim(netdev, parts.Where("netdev"));
            device.Netdev = backend.Netdev;
            device.Mac ??= backend.Mac;
            device.IoThread ??= backend.IoThread;
        });
    }

    /// <summary>Makes network interfaces of the netdevs that no device refers to.</summary>
    public static void AddUnclaimed(Options options)
    {
        foreach ((_, NetConfiguration net) in options.Netdevs.Unclaimed)
        {
            options.Configuration.Devices.Add(net);
        }
    }
}
