using System.Collections.Generic;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-netdev</c> in both its forms, and <c>-device virtio-net-device</c>.</summary>
/// <remarks>A netdev that no device refers to is a network interface of the guest itself, behind those of devices.</remarks>
internal static class NetOption
{
    public const string Usage = "TYPE,id=ID,KEY=VALUE… | id=ID,netdev=NAME";

    public const string DeviceUsage = "netdev=ID[,id=ID][,mac=ADDRESS][,iothread=ID]";

    public const string Help =
        "Where a network interface leads. Unless a -device refers to it, it is a network interface itself. Types:\n"
        + "        tap,id=ID,ifname=NAME|fd=N: an interface of the host, which has to be there\n"
        + "        user,id=ID[,hostfwd=[tcp|udp]:[ADDRESS]:PORT-:PORT]…: the host's own sockets, by passt; hostfwd leads ports of the host to the guest\n"
        + "        stream,id=ID,addr.type=unix,addr.path=PATH: a program that serves frames on a unix socket, as passt does; addr.type=fd,addr.str=N: a connection to one\n"
        + "        id=ID,netdev=NAME is a tap as well.";

    private const string ForwardKey = "hostfwd";

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-netdev", value, "type", ForwardKey);
        string id = parts.TakeId() ?? parts.Require("id");
        NetdevConfiguration netdev = parts.TakeOneOf("type", "tap", "user", "stream") switch
        {
            null => TakeTap(parts, "netdev"),
            "user" => TakeUser(parts),
            "stream" => TakeStream(parts),
            _ => TakeNewerTap(parts),
        };
        NetConfiguration net = new() { Id = id, Netdev = netdev, Mac = parts.Take("mac"), IoThread = parts.Take("iothread"), Where = "-netdev" };
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

    private static NetdevConfiguration TakeNewerTap(SubOptions parts)
    {
        // Only these are built; whoever writes them out for QEMU's sake may.
        _ = parts.TakeOneOf("script", "no");
        _ = parts.TakeOneOf("downscript", "no");
        _ = parts.TakeOneOf("vhost", "off");
        _ = parts.TakeOneOf("queues", "1");
        return TakeTap(parts, "ifname");
    }

    private static NetdevConfiguration TakeTap(SubOptions parts, string nameKey)
    {
        string? name = parts.Take(nameKey);
        long? descriptor = parts.TakeNumber("fd");
        return new() { Interface = name, Descriptor = descriptor, Where = parts.Where(descriptor is null ? nameKey : "fd") };
    }

    private static NetdevConfiguration TakeUser(SubOptions parts)
    {
        string where = parts.Where(ForwardKey);
        List<PortForward> forwards = parts.TakeAll(ForwardKey).ConvertAll(text => PortForward.Parse(text, where));
        return new() { Kind = NetdevKind.User, Forwards = forwards, Where = "-netdev" };
    }

    private static NetdevConfiguration TakeStream(SubOptions parts)
    {
        string type = parts.TakeOneOf("addr.type", "unix", "fd") ?? parts.Require("addr.type");

        // Who serves is there first.
        _ = parts.TakeOneOf("server", "off");
        return type == "unix"
            ? new() { Kind = NetdevKind.Stream, SocketPath = parts.Require("addr.path"), Where = parts.Where("addr.path") }
            : new() { Kind = NetdevKind.Stream, Descriptor = parts.TakeNumber("addr.str"), Where = parts.Where("addr.str") };
    }
}
