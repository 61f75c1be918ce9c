using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>Looks whether the host's ports can be had before passt takes them.</summary>
/// <remarks>
/// Of a port that it can't have passt says neither why nor, where IPv4's or IPv6's is left, that it is so: the guest would be reached by some and
/// not by others. Who takes the port between this look and passt's gets passt's own words.
/// </remarks>
internal static class PortProbe
{
    internal const string InUse = "PortInUse";
    internal const string Forbidden = "PortForbidden";
    internal const string NoAddress = "PortAddressNotFound";

    /// <exception cref="StratoException">PortInUse, PortForbidden, PortAddressNotFound.</exception>
    /// <param name="forwards">The host's ports.</param>
    /// <param name="id">The network adapter's, for errors.</param>
    internal static void Check(IReadOnlyList<PortForward> forwards, string id)
    {
        foreach (PortForward forward in forwards)
        {
            foreach (IPAddress address in forward.Address is { } one ? [one] : (IPAddress[])[IPAddress.Any, IPAddress.IPv6Any])
            {
                Check(forward, address, id);
            }
        }
    }

    private static void Check(PortForward forward, IPAddress address, string id)
    {
        try
        {
            using Socket socket = new(address.AddressFamily, forward.Udp ? SocketType.Dgram : SocketType.Stream, forward.Udp ? ProtocolType.Udp : ProtocolType.Tcp);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.Bind(new IPEndPoint(address, forward.Port));
        }
        catch (SocketException e)
        {
            string port = $"{(forward.Udp ? "UDP" : "TCP")} port {forward.Port}";
            string where = forward.Address is null ? "" : $" of {forward.Address}";
            string begin = $"The network adapter '{id}' can't have the host's {port}{where}";
            switch (e.SocketErrorCode)
            {
                case SocketError.AddressAlreadyInUse:
                    throw new StratoException(StratoErrorKind.Busy, InUse, $"{begin}: another program, or VM, has it.")
                    {
                        Where = "-Publish",
                        RecommendedAction = $"'ss -H{(forward.Udp ? "u" : "t")}lnp sport = :{forward.Port}' tells who has it; Set-StratoNetworkAdapter -Publish gives the adapter another.",
                    };
                case SocketError.AccessDenied:
                    throw new StratoException(StratoErrorKind.Permission, Forbidden, $"{begin}: ports below {FirstFree()} are root's.")
                    {
                        Where = "-Publish",
                        RecommendedAction = $"Publish a higher port, or let all users have this one by 'sysctl net.ipv4.ip_unprivileged_port_start={forward.Port}' as root.",
                    };
                case SocketError.AddressNotAvailable when forward.Address is not null:
                    throw new StratoException(StratoErrorKind.NotFound, NoAddress, $"{begin}: the host has no such address.")
                    {
                        Where = "-Publish",
                        RecommendedAction = "'ip address' lists the host's addresses; without one a port is published on all of them.",
                    };
                default:
                    // A host without IPv6, for example: passt tells what it makes of it.
                    return;
            }
        }
    }

    private static string FirstFree() => Linux.Procfs.ReadText("/proc/sys/net/ipv4/ip_unprivileged_port_start")?.Trim() ?? "1024";
}
