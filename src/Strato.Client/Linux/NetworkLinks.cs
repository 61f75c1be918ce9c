using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary>A network interface of the host.</summary>
/// <param name="Index">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="Kind">Such as <c>bridge</c> or <c>tun</c>; null for a card.</param>
/// <param name="Address">Its MAC address, as <c>02:…</c>; empty for one that has none.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="Master">Number of the bridge that it is a port of; 0 for none.</param>
/// <param name="Flags">IFF_….</param>
internal sealed record NetworkLink(int Index, string Name, string? Kind, string Address, int Mtu, int Master, uint Flags)
{
    internal const uint IFF_UP = 1;
    internal const uint IFF_LOOPBACK = 8;

    internal bool IsBridge => Kind == "bridge";

    internal bool IsUp => (Flags & IFF_UP) != 0;
}

/// <summary>An address of the host, or where its routes lead.</summary>
/// <param name="Link">Number of the interface; 0 for none.</param>
/// <param name="Address">IPv4 or IPv6.</param>
/// <param name="Prefix">Bits that are the network's.</param>
internal readonly record struct NetworkAddress(int Link, IPAddress Address, int Prefix);

/// <summary>Interfaces, addresses and routes of the host, by <c>linux/rtnetlink.h</c>. What changes something gives an errno, 0 for none.</summary>
internal static class NetworkLinks
{
    private const ushort RTM_NEWLINK = 16;
    private const ushort RTM_DELLINK = 17;
    private const ushort RTM_GETLINK = 18;
    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_GETADDR = 22;
    private const ushort RTM_GETROUTE = 26;

    private const ushort IFLA_ADDRESS = 1;
    private const ushort IFLA_IFNAME = 3;
    private const ushort IFLA_MTU = 4;
    private const ushort IFLA_MASTER = 10;
    private const ushort IFLA_LINKINFO = 18;
    private const ushort IFLA_INFO_KIND = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort IFLA_BR_FORWARD_DELAY = 1;

    private const ushort IFA_ADDRESS = 1;
    private const ushort IFA_LOCAL = 2;
    private const ushort IFA_BROADCAST = 4;
    private const ushort RTA_DST = 1;
    private const ushort RTA_OIF = 4;

    private const byte AF_INET = 2;
    private const byte RTN_UNICAST = 1;

    private const int LinkHeader = 16;
    private const int AddressHeader = 8;
    private const int RouteHeader = 12;

    internal static List<NetworkLink> List(RouteSocket socket)
    {
        List<NetworkLink> links = [];
        Check(socket.Ask(new(RTM_GETLINK, RouteSocket.NLM_F_DUMP, LinkBody(0, 0)), answer => links.Add(ReadLink(answer))));
        return links;
    }

    internal static NetworkLink? Find(RouteSocket socket, string name) => List(socket).Find(link => link.Name == name);

    /// <summary>Makes a bridge that is down, of an address that stays whatever its ports are. It forwards to a new port at once.</summary>
    internal static int MakeBridge(RouteSocket socket, string name, string address) => socket.Do(
        new NetlinkRequest(RTM_NEWLINK, RouteSocket.NLM_F_CREATE | RouteSocket.NLM_F_EXCL | RouteSocket.NLM_F_ACK, LinkBody(0, 0))
            .Add(IFLA_IFNAME, name)
            .Add(IFLA_ADDRESS, Convert.FromHexString(address.Replace(":", "", StringComparison.Ordinal)))
            .Nest(IFLA_LINKINFO, info => info.Add(IFLA_INFO_KIND, "bridge").Nest(IFLA_INFO_DATA, data => data.Add(IFLA_BR_FORWARD_DELAY, 0u))));

    internal static int Delete(RouteSocket socket, NetworkLink link) =>
        socket.Do(new(RTM_DELLINK, RouteSocket.NLM_F_ACK, LinkBody(link.Index, 0)));

    internal static int SetUp(RouteSocket socket, int index) =>
        socket.Do(new(RTM_NEWLINK, RouteSocket.NLM_F_ACK, LinkBody(index, NetworkLink.IFF_UP)));

    /// <summary>Makes an interface a port of a bridge, and takes it up.</summary>
    /// <param name="socket">The conversation.</param>
    /// <param name="link">The interface.</param>
    /// <param name="bridge">The bridge.</param>
    /// <param name="mtu">What it is to have; null for what it has.</param>
    internal static int Attach(RouteSocket socket, NetworkLink link, NetworkLink bridge, int? mtu)
    {
        NetlinkRequest request = new(RTM_NEWLINK, RouteSocket.NLM_F_ACK, LinkBody(link.Index, NetworkLink.IFF_UP));
        if (mtu is { } bytes)
        {
            request.Add(IFLA_MTU, (uint)bytes);
        }

        return socket.Do(request.Add(IFLA_MASTER, (uint)bridge.Index));
    }

    /// <summary>Gives an interface an IPv4 address; EEXIST if it has that one.</summary>
    internal static int AddAddress(RouteSocket socket, int index, IPAddress address, int prefix, IPAddress broadcast)
    {
        byte[] body = new byte[AddressHeader];
        body[0] = AF_INET;
        body[1] = (byte)prefix;
        MemoryMarshal.Write(body.AsSpan(4), index);
        return socket.Do(new NetlinkRequest(RTM_NEWADDR, RouteSocket.NLM_F_CREATE | RouteSocket.NLM_F_EXCL | RouteSocket.NLM_F_ACK, body)
            .Add(IFA_LOCAL, address.GetAddressBytes())
            .Add(IFA_ADDRESS, address.GetAddressBytes())
            .Add(IFA_BROADCAST, broadcast.GetAddressBytes()));
    }

    /// <summary>The host's addresses, of both versions.</summary>
    internal static List<NetworkAddress> Addresses(RouteSocket socket)
    {
        List<NetworkAddress> addresses = [];
        Check(socket.Ask(new(RTM_GETADDR, RouteSocket.NLM_F_DUMP, new byte[AddressHeader]), answer =>
        {
            ReadOnlySpan<byte> attributes = Rest(answer, AddressHeader);
            if (NetlinkAttributes.TryGet(attributes, IFA_LOCAL, out ReadOnlySpan<byte> value) || NetlinkAttributes.TryGet(attributes, IFA_ADDRESS, out value))
            {
                addresses.Add(new(MemoryMarshal.Read<int>(answer.AsSpan(4)), new IPAddress(value), answer[1]));
            }
        }));
        return addresses;
    }

    /// <summary>Where the host's IPv4 routes lead, but for the default ones.</summary>
    internal static List<NetworkAddress> Routes(RouteSocket socket)
    {
        List<NetworkAddress> routes = [];
        byte[] body = new byte[RouteHeader];
        body[0] = AF_INET;
        Check(socket.Ask(new(RTM_GETROUTE, RouteSocket.NLM_F_DUMP, body), answer =>
        {
            ReadOnlySpan<byte> attributes = Rest(answer, RouteHeader);
            if (answer[7] == RTN_UNICAST && answer[1] > 0 && NetlinkAttributes.TryGet(attributes, RTA_DST, out ReadOnlySpan<byte> value))
            {
                routes.Add(new((int)(NetlinkAttributes.Number(attributes, RTA_OIF) ?? 0), new IPAddress(value), answer[1]));
            }
        }));
        return routes;
    }

    private static NetworkLink ReadLink(byte[] answer)
    {
        ReadOnlySpan<byte> attributes = Rest(answer, LinkHeader);
        string? kind = NetlinkAttributes.TryGet(attributes, IFLA_LINKINFO, out ReadOnlySpan<byte> info) ? NetlinkAttributes.Text(info, IFLA_INFO_KIND) : null;
        string address = NetlinkAttributes.TryGet(attributes, IFLA_ADDRESS, out ReadOnlySpan<byte> bytes)
            ? string.Join(':', Convert.ToHexString(bytes).ToLowerInvariant().Chunk(2).Select(pair => new string(pair)))
            : "";
        return new(
            MemoryMarshal.Read<int>(answer.AsSpan(4)),
            NetlinkAttributes.Text(attributes, IFLA_IFNAME) ?? "",
            kind,
            address,
            (int)(NetlinkAttributes.Number(attributes, IFLA_MTU) ?? 0),
            (int)(NetlinkAttributes.Number(attributes, IFLA_MASTER) ?? 0),
            MemoryMarshal.Read<uint>(answer.AsSpan(8)));
    }

    /// <summary>struct ifinfomsg.</summary>
    private static byte[] LinkBody(int index, uint up)
    {
        byte[] body = new byte[LinkHeader];
        MemoryMarshal.Write(body.AsSpan(4), index);
        MemoryMarshal.Write(body.AsSpan(8), up);
        MemoryMarshal.Write(body.AsSpan(12), up);
        return body;
    }

    private static ReadOnlySpan<byte> Rest(byte[] answer, int header) => answer.Length > header ? answer.AsSpan(header) : default;

    private static void Check(int errno)
    {
        if (errno != 0)
        {
            throw new StratoException(StratoErrorKind.Failed, "NetlinkFailed", $"The kernel doesn't tell about network interfaces: {Errno.Text(errno)}.");
        }
    }
}
