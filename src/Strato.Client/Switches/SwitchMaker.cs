using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Switches;

/// <summary>Makes what a switch is on the host, as far as it isn't there, and takes it away.</summary>
/// <remarks>
/// A bridge of a switch's own has a MAC address that follows from the switch's id, given in the call that makes it. That is how it is known
/// again: a bridge of the same name that another made is never used and never removed. A fixed address also keeps what guests know of the
/// host when taps come and go, by which a bridge's address would change.
/// </remarks>
internal static class SwitchMaker
{
    private const ulong NetAdmin = 1UL << 12;

    /// <summary>Whether this process may change the host's network (CAP_NET_ADMIN).</summary>
    internal static bool IsAllowed
    {
        get
        {
            const string Field = "CapEff:";
            string status = Procfs.ReadText("/proc/thread-self/status") ?? "";
            int at = status.IndexOf(Field, StringComparison.Ordinal);
            int end = at < 0 ? -1 : status.IndexOf('\n', at);
            return end > 0 && (Convert.ToUInt64(status[(at + Field.Length)..end].Trim(), 16) & NetAdmin) != 0;
        }
    }

    /// <summary>Error <c>SwitchNeedsRoot</c>, unless this process may change the host's network.</summary>
    internal static void RequireRight(string name)
    {
        if (!IsAllowed)
        {
            throw NeedsRoot(name);
        }
    }

    /// <summary>The MAC address of a switch's own bridge: one that is locally administered.</summary>
    internal static string AddressOf(string id)
    {
        byte[] hash = SHA256.HashData(Encoding.ASCII.GetBytes($"strato switch {id}"));
        return $"02:{hash[0]:x2}:{hash[1]:x2}:{hash[2]:x2}:{hash[3]:x2}:{hash[4]:x2}";
    }

    internal static bool IsOwn(SwitchDefinition definition, NetworkLink link) => link.IsBridge && link.Address == AddressOf(definition.Id);

    /// <summary>Makes what isn't there. Under the lock of switches.</summary>
    /// <returns>What the user should know, each one sentence.</returns>
    /// <exception cref="StratoException"><c>SwitchNeedsRoot</c>, <c>SwitchBridgeTaken</c>, <c>SwitchUplinkMissing</c>, <c>SwitchUplinkTaken</c>, <c>SwitchFailed</c>, <c>NftNotFound</c>, <c>SwitchNatFailed</c>, <c>SwitchDhcpFailed</c>.</exception>
    internal static IReadOnlyList<string> Ensure(SwitchDefinition definition, CancellationToken token)
    {
        using RouteSocket socket = new();
        NetworkLink? link = NetworkLinks.Find(socket, definition.BridgeName);
        if (!definition.OwnsBridge)
        {
            return link is { IsBridge: true } ? [] : throw NoUplink(definition, link);
        }

        RequireRight(definition.Name);
        bool isNew = link is null;
        if (isNew)
        {
            int errno = NetworkLinks.MakeBridge(socket, definition.BridgeName, AddressOf(definition.Id));
            link = errno is 0 or Errno.EEXIST ? NetworkLinks.Find(socket, definition.BridgeName) : throw Failed(definition, $"the bridge '{definition.BridgeName}' can't be made", errno);
        }

        if (link is null || !IsOwn(definition, link))
        {
            throw new StratoException(StratoErrorKind.AlreadyExists, "SwitchBridgeTaken", $"The switch '{definition.Name}' can't have its bridge: the host has an interface '{definition.BridgeName}' that another made.")
            {
                RecommendedAction = $"Remove or rename it (ip link), or make the switch anew under another name.",
            };
        }

        if (definition.SwitchType == SwitchType.Private)
        {
            KeepHostOut(definition);
        }

        Check(definition, "the bridge can't be taken up", link.IsUp ? 0 : NetworkLinks.SetUp(socket, link.Index));
        if (definition.NetAdapterName is not null)
        {
            AttachUplink(definition, socket, link);
        }

        return definition.Subnet is null ? [] : Serve(definition, Ipv4Subnet.Parse(definition.Subnet), socket, link, isNew, token);
    }

    /// <summary>Takes away what the switch made, as much of it as can be; what another made stays. Under the lock of switches. Throws what went wrong first.</summary>
    /// <param name="definition">The switch.</param>
    /// <param name="limit">What nft may take; null for as long as it usually may.</param>
    internal static void Remove(SwitchDefinition definition, TimeSpan? limit = null)
    {
        StratoException? first = null;
        Do(() => SwitchDhcp.Stop(definition));
        Do(() => RemoveBridge(definition));
        if (definition.Nat)
        {
            Do(() => SwitchNat.Remove(definition, limit));
        }
        else if (definition.Subnet is not null)
        {
            SwitchNat.TryRemove(definition, limit);
        }

        Do(() => SwitchDhcp.Clean(definition));
        if (first is not null)
        {
            throw first;
        }

        void Do(Action step)
        {
            try
            {
                step();
            }
            catch (StratoException e)
            {
                first ??= e;
            }
        }
    }

    private static void RemoveBridge(SwitchDefinition definition)
    {
        using RouteSocket socket = new();
        if (definition.OwnsBridge && NetworkLinks.Find(socket, definition.BridgeName) is { } link && IsOwn(definition, link))
        {
            int errno = NetworkLinks.Delete(socket, link);
            if (errno is not (0 or Errno.ENODEV))
            {
                throw Failed(definition, $"the bridge '{definition.BridgeName}' can't be removed", errno);
            }
        }
    }

    /// <summary>Refuses an interface that isn't fit to be a switch's way out; tells whether it is a bridge.</summary>
    internal static bool CheckUplink(string name)
    {
        using RouteSocket socket = new();
        NetworkLink link = NetworkLinks.Find(socket, name) ?? throw Uplink(StratoErrorKind.NotFound, $"The host has no interface '{name}'.");
        if (link.IsBridge)
        {
            return true;
        }

        if ((link.Flags & NetworkLink.IFF_LOOPBACK) != 0)
        {
            throw Uplink(StratoErrorKind.InvalidArgument, $"'{name}' is the host's loopback.");
        }

        if (link.Master != 0)
        {
            throw Uplink(StratoErrorKind.InvalidArgument, $"'{name}' is a port of '{NetworkLinks.List(socket).Find(master => master.Index == link.Master)?.Name ?? "another interface"}' already.");
        }

        if (NetworkLinks.Addresses(socket).Find(address => address.Link == link.Index && !address.Address.IsIPv6LinkLocal) is { Link: > 0 } found)
        {
            throw Uplink(StratoErrorKind.InvalidArgument, $"'{name}' has the address {found.Address}, which would be lost to the host on a switch.", $"Let the host's network configuration make a bridge of '{name}' that has the address, and give that bridge to -NetAdapterName.");
        }

        return false;
    }

    /// <summary>Whether <see cref="CheckUplink"/> may take it; addresses are not looked at.</summary>
    internal static bool MayLeadTo(NetworkLink link) => (link.Flags & NetworkLink.IFF_LOOPBACK) == 0 && (link.IsBridge || link.Master == 0);

    internal static StratoException NeedsRoot(string name) =>
        new(StratoErrorKind.Permission, "SwitchNeedsRoot", $"The switch '{name}' needs the right to change this host's network (CAP_NET_ADMIN).")
        {
            RecommendedAction = "Start PowerShell as root (sudo pwsh); user networking (Add-StratoNetworkAdapter -User) needs no right.",
        };

    internal static StratoException Failed(SwitchDefinition definition, string what, int errno) => errno is Errno.EPERM or Errno.EACCES
        ? NeedsRoot(definition.Name)
        : new(StratoErrorKind.Failed, "SwitchFailed", $"The switch '{definition.Name}' can't be as it is to be: {what}: {Errno.Text(errno)}.");

    /// <summary>Address, way out or a door that is shut, and addresses for guests.</summary>
    private static List<string> Serve(SwitchDefinition definition, Ipv4Subnet subnet, RouteSocket socket, NetworkLink link, bool isNew, CancellationToken token)
    {
        int errno = NetworkLinks.AddAddress(socket, link.Index, subnet.HostAddress, subnet.Prefix, subnet.Broadcast);
        Check(definition, $"the bridge can't have the address {subnet.HostAddress}", errno == Errno.EEXIST ? 0 : errno);
        List<string> remarks = [];
        if (!definition.Nat)
        {
            if (SwitchNat.TryShutOff(definition, token) is { } problem)
            {
                remarks.Add($"The switch '{definition.Name}' can't be shut off from this host's other networks: {problem} While the host forwards packets (net.ipv4.ip_forward), they lead to its guests and from them.");
            }
        }
        else
        {
            SwitchNat.Apply(definition, token);
            if (SwitchNat.Forward(definition))
            {
                remarks.Add("This host forwards packets between its interfaces now (net.ipv4.ip_forward); it didn't before.");
            }
        }

        if (SwitchDhcp.IsWanted(definition))
        {
            if (isNew)
            {
                // One that is there yet listens on a bridge that is gone.
                SwitchDhcp.Stop(definition);
            }

            SwitchDhcp.Start(definition, token);
        }

        return remarks;
    }

    private static void AttachUplink(SwitchDefinition definition, RouteSocket socket, NetworkLink bridge)
    {
        NetworkLink? uplink = NetworkLinks.Find(socket, definition.NetAdapterName!);
        if (uplink is null || (uplink.Master != 0 && uplink.Master != bridge.Index))
        {
            throw NoUplink(definition, uplink);
        }

        if (uplink.Master == 0 || !uplink.IsUp)
        {
            Check(definition, $"'{uplink.Name}' can't be its port", NetworkLinks.Attach(socket, uplink, bridge, mtu: null));
        }
    }

    /// <summary>A private bridge is no way to the host: it has no address, not even one that it makes itself, and answers for none of the host's others.</summary>
    private static void KeepHostOut(SwitchDefinition definition)
    {
        foreach ((string file, string value) in ((string, string)[])[("ipv6/conf/{0}/disable_ipv6", "1"), ("ipv4/conf/{0}/arp_ignore", "8")])
        {
            string path = "/proc/sys/net/" + file.Replace("{0}", definition.BridgeName, StringComparison.Ordinal);
            try
            {
                File.WriteAllText(path, value);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // A kernel without IPv6.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new StratoException(StratoErrorKind.Failed, "SwitchFailed", $"The switch '{definition.Name}' can't be kept from the host: {path}: {e.Message}", e);
            }
        }
    }

    private static StratoException NoUplink(SwitchDefinition definition, NetworkLink? found) => found is null
        ? new(StratoErrorKind.NotFound, "SwitchUplinkMissing", $"The switch '{definition.Name}' leads to '{definition.NetAdapterName}', which the host hasn't now.")
        : new(StratoErrorKind.Failed, "SwitchUplinkTaken", $"The switch '{definition.Name}' leads to '{definition.NetAdapterName}', which is {(found.Master != 0 ? "a port of another bridge" : "no bridge any more")}.");

    private static StratoException Uplink(StratoErrorKind kind, string message, string? action = null) =>
        new(kind, kind == StratoErrorKind.NotFound ? "NetAdapterNotFound" : "InvalidNetAdapter", message) { Where = "-NetAdapterName", RecommendedAction = action };

    private static void Check(SwitchDefinition definition, string what, int errno)
    {
        if (errno != 0)
        {
            throw Failed(definition, what, errno);
        }
    }
}
