using System;
using System.Linq;
using Strato.Client;

namespace Strato;

/// <summary>A switch: a bridge of the host that VMs' adapters are on, as it was at one moment.</summary>
public sealed class Switch
{
    private SwitchInfo _info;

    internal Switch(StratoClient client, SwitchInfo info)
    {
        Client = client;
        _info = info;
    }

    internal StratoClient Client { get; }

    /// <summary>Unique without regard to case.</summary>
    public string Name => _info.Definition.Name;

    /// <summary>Eight characters that never change.</summary>
    public string Id => _info.Definition.Id;

    /// <summary>Internal (VMs and the host), Private (VMs alone) or External (a network of the host's, too).</summary>
    public string SwitchType => _info.Definition.SwitchType;

    /// <summary>Up, or Down: its bridge isn't there or isn't up. The start of a VM on it takes it up.</summary>
    public string State => _info.State;

    /// <summary>The bridge on the host.</summary>
    public string BridgeName => _info.Definition.BridgeName;

    /// <summary>Of an external switch: the host's interface or bridge that it leads to; else null.</summary>
    public string? NetAdapterName => _info.Definition.NetAdapterName;

    /// <summary>Of an internal switch: its network; else null.</summary>
    public string? Subnet => _info.Definition.Subnet;

    /// <summary>Of an internal switch: the host's address on it; else null.</summary>
    public string? HostAddress => Subnet is null ? null : StratoClient.GetSwitchHostAddress(_info.Definition);

    /// <summary>Guests reach the outside by the host's address.</summary>
    public bool Nat => _info.Definition.Nat;

    /// <summary>Process id of the dnsmasq that gives addresses; null where none does.</summary>
    public int? DhcpProcessId => _info.DhcpProcessId;

    /// <summary>Names of the VMs with an adapter on it.</summary>
    public string[] VMs => [.. _info.Vms];

    /// <summary>The addresses that were given out.</summary>
    public SwitchLease[] Leases => [.. _info.Leases.Select(lease => new SwitchLease(lease))];

    /// <summary>When it was made.</summary>
    public DateTime Created => _info.Definition.Created.LocalDateTime;

    /// <summary>Looks again. Error <c>SwitchNotFound</c> when it was removed.</summary>
    public void Refresh() => _info = Client.GetSwitchInfo(Client.GetSwitch(Name));

    public override string ToString() => Name;
}

/// <summary>An address that a switch has given out.</summary>
public sealed class SwitchLease
{
    internal SwitchLease(global::Strato.Client.SwitchLease lease)
    {
        IPAddress = lease.IPAddress;
        MacAddress = lease.MacAddress;
        HostName = lease.HostName;
        Expires = lease.Expires.LocalDateTime;
    }

    /// <summary>The address.</summary>
    public string IPAddress { get; }

    /// <summary>Of the guest's interface.</summary>
    public string MacAddress { get; }

    /// <summary>What the guest calls itself; null where it says nothing.</summary>
    public string? HostName { get; }

    /// <summary>When it ends; the guest asks for more before that.</summary>
    public DateTime Expires { get; }

    public override string ToString() => IPAddress;
}
