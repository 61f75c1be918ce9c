using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client;

/// <summary>What a switch joins: the words are Hyper-V's.</summary>
public static class SwitchType
{
    /// <summary>VMs and the host.</summary>
    public const string Internal = "Internal";

    /// <summary>VMs alone.</summary>
    public const string Private = "Private";

    /// <summary>VMs and a network of the host's.</summary>
    public const string External = "External";
}

/// <summary>One switch as the store keeps it (<c>switches/ID.json</c>).</summary>
public sealed record SwitchDefinition
{
    /// <summary>Eight characters of a–z and 0–9.</summary>
    public required string Id { get; init; }

    /// <summary>Unique among switches without regard to case.</summary>
    public required string Name { get; init; }

    /// <summary>One of <see cref="Strato.Client.SwitchType"/>.</summary>
    public required string SwitchType { get; init; }

    /// <summary>The bridge that it is: one of its own, or the one that was there.</summary>
    public required string BridgeName { get; init; }

    /// <summary>Of an external switch: the interface or the bridge of the host; else null.</summary>
    public string? NetAdapterName { get; init; }

    /// <summary>Of an internal switch: the network, such as 192.168.100.0/24; else null.</summary>
    public string? Subnet { get; init; }

    /// <summary>Whether guests reach the outside by the host's address.</summary>
    public bool Nat { get; init; }

    /// <summary>Whether no addresses are given out.</summary>
    public bool NoDhcp { get; init; }

    /// <summary>Folder of what belongs to the running switch: leases, and dnsmasq's number.</summary>
    public required string Runtime { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Whether the bridge is made and removed with the switch.</summary>
    public bool OwnsBridge => BridgeName != NetAdapterName;

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>What a user gives to make a switch.</summary>
public sealed record SwitchSettings
{
    /// <summary>Unique among switches without regard to case.</summary>
    public required string Name { get; init; }

    /// <summary>One of <see cref="Strato.Client.SwitchType"/>; null for External with a <see cref="NetAdapterName"/>, else Internal.</summary>
    public string? SwitchType { get; init; }

    /// <summary>An interface of the host without addresses, or a bridge.</summary>
    public string? NetAdapterName { get; init; }

    /// <summary>Network of an internal switch; null for a free 192.168.x.0/24.</summary>
    public string? Subnet { get; init; }

    /// <summary>Whether guests reach the outside by the host's address.</summary>
    public bool Nat { get; init; }

    /// <summary>Whether no addresses are given out.</summary>
    public bool NoDhcp { get; init; }
}

/// <summary>A switch as it is at one moment.</summary>
public sealed record SwitchInfo
{
    public required SwitchDefinition Definition { get; init; }

    /// <summary><c>Up</c>, or <c>Down</c>: its bridge isn't there or isn't up.</summary>
    public required string State { get; init; }

    /// <summary>The dnsmasq that gives addresses; null where none does.</summary>
    public int? DhcpProcessId { get; init; }

    /// <summary>Names of the VMs with an adapter on it.</summary>
    public required IReadOnlyList<string> Vms { get; init; }

    /// <summary>The addresses that were given out.</summary>
    public required IReadOnlyList<SwitchLease> Leases { get; init; }
}

/// <summary>An address that a switch has given out.</summary>
/// <param name="IPAddress">The address.</param>
/// <param name="MacAddress">Of the guest's interface.</param>
/// <param name="HostName">What the guest calls itself; null where it says nothing.</param>
/// <param name="Expires">When it ends; the guest asks for more before that.</param>
public sealed record SwitchLease(string IPAddress, string MacAddress, string? HostName, DateTimeOffset Expires);

/// <summary>What the making of a switch brought with it.</summary>
/// <param name="Definition">The switch.</param>
/// <param name="Remarks">What the user should know, each one sentence: that no addresses are given, that the host forwards now.</param>
public sealed record NewSwitch(SwitchDefinition Definition, IReadOnlyList<string> Remarks);
