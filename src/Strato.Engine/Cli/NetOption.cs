using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol.CommandLine;
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
        + "        tap,id=ID,ifname=NAME|fd=N|fds=N:M…[,queues=N][,script=PATH][,downscript=PATH][,sndbuf=BYTES][,vhost=on][,vhostfd=N|vhostfds=N:M…]:\n"
        + "          an interface of the host, which has to be there unless a script sets it up; with vhost=on the kernel moves the frames\n"
        + "        user,id=ID[,hostfwd=[tcp|udp]:[ADDRESS]:PORT-:PORT]…: the host's own sockets, by passt; hostfwd leads ports of the host to the guest\n"
        + "        stream,id=ID,addr.type=unix,addr.path=PATH: a program that serves frames on a unix socket, as passt does; addr.type=fd,addr.str=N: a connection to one\n"
        + "        id=ID,netdev=NAME is a tap as well. Each may have mac=ADDRESS and iothread=ID of its interface.";

    private const string ForwardKey = "hostfwd";

    public static void Add(Options options, string value)
    {
        SubOptions parts = new("-netdev", value, "type", ForwardKey);
        string id = parts.TakeId() ?? parts.Require("id");
        NetdevConfiguration netdev = parts.TakeOneOf("type", "tap", "user", "stream") switch
        {
            null => TakeOlderTap(parts, id),
            "user" => TakeUser(parts, id),
            "stream" => TakeStream(parts, id),
            _ => TakeTap(parts, id),
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

    private static NetdevConfiguration TakeOlderTap(SubOptions parts, string id) =>
        new() { Id = id, Interface = parts.Require("netdev"), Where = parts.Where("netdev") };

    private static NetdevConfiguration TakeTap(SubOptions parts, string id)
    {
        string? name = parts.Take("ifname");
        List<long> descriptors = TakeDescriptors(parts, "fd", "fds");
        long? queues = parts.TakeNumber("queues");
        if (queues is not null && descriptors.Count > 0)
        {
            throw parts.Invalid("'queues' is given with descriptors, of which each is a queue.", "queues");
        }

        bool? vhost = parts.TakeBoolean("vhost");
        List<long> vhosts = TakeDescriptors(parts, "vhostfd", "vhostfds");
        return new()
        {
            Id = id,
            Interface = name,
            Descriptors = descriptors,
            Queues = descriptors.Count > 0 ? descriptors.Count : queues ?? 1,
            Script = TakeScript(parts, "script"),
            DownScript = TakeScript(parts, "downscript"),
            SendBuffer = parts.TakeNumber("sndbuf"),
            Vhost = vhost ?? vhosts.Count > 0,
            VhostDescriptors = vhosts,
            Where = parts.Where(descriptors.Count > 0 ? "fd" : "ifname"),
        };
    }

    private static string? TakeScript(SubOptions parts, string key) => parts.Take(key) is { } path && path != "no" ? path : null;

    /// <summary>Takes one descriptor's number, or several divided by colons.</summary>
    private static List<long> TakeDescriptors(SubOptions parts, string key, string manyKey)
    {
        List<long> descriptors = parts.TakeNumber(key) is { } one ? [one] : [];
        foreach (string text in parts.Take(manyKey)?.Split(':') ?? [])
        {
            descriptors.Add(long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                ? number
                : throw parts.Invalid($"'{manyKey}' has '{ConfigurationLimits.Printable(text)}', which is no descriptor's number; allowed are numbers divided by colons.", manyKey));
        }

        return descriptors;
    }

    private static NetdevConfiguration TakeUser(SubOptions parts, string id)
    {
        string where = parts.Where(ForwardKey);
        List<PortForward> forwards = parts.TakeAll(ForwardKey).ConvertAll(text => PortForward.Parse(text, where));
        return new() { Id = id, Kind = NetdevKind.User, Forwards = forwards, Where = "-netdev" };
    }

    private static NetdevConfiguration TakeStream(SubOptions parts, string id)
    {
        string type = parts.TakeOneOf("addr.type", "unix", "fd") ?? parts.Require("addr.type");

        // Who serves is there first.
        _ = parts.TakeOneOf("server", "off");
        string key = type == "unix" ? "addr.path" : "addr.str";
        return new()
        {
            Id = id,
            Kind = NetdevKind.Stream,
            SocketPath = type == "unix" ? parts.Require(key) : null,
            Descriptors = type == "fd" ? [parts.TakeNumber(key) ?? throw parts.Invalid($"'{key}' is missing: {key}=…", key)] : [],
            Where = parts.Where(key),
        };
    }
}
