using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Store;
using Strato.Client.Switches;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>Characters that a bridge's name has room for behind its prefix.</summary>
    private const int BridgeRoom = 12;

    private const string BridgePrefix = "st-";

    /// <summary>What nft may take to undo what Ctrl-C has ended.</summary>
    private static readonly TimeSpan CancelledLimit = TimeSpan.FromMilliseconds(150);

    private SwitchStore SwitchStore => new(Paths);

    /// <summary>The switches that a name or a wildcard means, sorted by name; null means all. Those that can't be read are left out.</summary>
    public IReadOnlyList<SwitchDefinition> FindSwitches(string? pattern = null) => pattern is null ? SwitchStore.List() : SwitchStore.Find(pattern);

    /// <summary>Why switches can't be read: errors <c>SwitchDefinitionDamaged</c>, ready to be written.</summary>
    public IReadOnlyList<StratoException> FindDamagedSwitches() => SwitchStore.Read().Damaged;

    /// <summary>The switch of exactly that name; error <c>SwitchNotFound</c>, or <c>SwitchDefinitionDamaged</c>.</summary>
    public SwitchDefinition GetSwitch(string name) => SwitchStore.Get(name);

    /// <summary>A switch as it is now.</summary>
    public SwitchInfo GetSwitchInfo(SwitchDefinition definition)
    {
        using RouteSocket socket = new();
        bool up = NetworkLinks.Find(socket, definition.BridgeName) is { IsUp: true } link && (definition.OwnsBridge ? SwitchMaker.IsOwn(definition, link) : link.IsBridge);
        return new()
        {
            Definition = definition,
            State = up ? "Up" : "Down",
            DhcpProcessId = SwitchDhcp.IsWanted(definition) ? SwitchDhcp.Find(definition) : null,
            Vms = UsersOf(definition),
            Leases = SwitchDhcp.Leases(definition),
        };
    }

    /// <summary>The tap of an adapter on a switch, which is there while the VM runs.</summary>
    public static string GetSwitchTap(string vmId, string adapterId) => SwitchTap.NameOf(vmId, adapterId);

    /// <summary>The host's address on an internal switch.</summary>
    public static string GetSwitchHostAddress(SwitchDefinition definition) => Ipv4Subnet.Parse(definition.Subnet!).HostAddress.ToString();

    /// <summary>Interfaces of the host that a switch may lead to, each with a word about it.</summary>
    public static IEnumerable<(string Name, string Tip)> GetUplinks()
    {
        using RouteSocket socket = new();
        return [.. NetworkLinks.List(socket).Where(SwitchMaker.MayLeadTo).Select(link => (link.Name, link.IsBridge ? "bridge" : link.Kind ?? "interface"))];
    }

    /// <summary>Refuses what <see cref="CreateSwitch"/> would refuse, without making anything (for -WhatIf).</summary>
    public void CheckSwitch(SwitchSettings settings) => Plan(settings);

    /// <summary>Makes a switch, on the host and in the store: both or nothing. Of one that is cancelled the definition stays where nft doesn't undo its part at once; <see cref="RemoveSwitch"/> does.</summary>
    /// <remarks>Errors: <c>SwitchNeedsRoot</c>, <c>InvalidName</c>, <c>SwitchExists</c>, <c>ParametersConflict</c>, <c>InvalidSubnet</c>, <c>SubnetInUse</c>, <c>NoFreeSubnet</c>, <c>NetAdapterNotFound</c>, <c>InvalidNetAdapter</c>, <c>NftNotFound</c>, <c>SwitchFailed</c>, <c>SwitchNatFailed</c>, <c>SwitchDhcpFailed</c>.</remarks>
    public NewSwitch CreateSwitch(SwitchSettings settings, CancellationToken token = default)
    {
        // Whoever may not is told that, and not that the store can't be written.
        SwitchMaker.RequireRight(settings.Name);
        SwitchStore store = SwitchStore;
        using FileLock held = store.Lock(token);
        SwitchDefinition definition = Plan(settings);
        List<string> remarks = [];

        // The definition is first: what dies behind it can be removed by name.
        store.Write(definition);
        try
        {
            remarks.AddRange(SwitchMaker.Ensure(definition, token));

            token.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException)
        {
            // Whoever waits has little time left. What could not be undone in it keeps its name, by which it can be removed.
            if (TryUndo(definition, CancelledLimit))
            {
                store.Delete(definition);
            }

            throw;
        }
        catch
        {
            TryUndo(definition, limit: null);
            store.Delete(definition);
            throw;
        }

        if (SwitchDhcp.IsWanted(definition) && SwitchDhcp.Find(definition) is null)
        {
            remarks.Add($"The switch '{definition.Name}' gives its guests no addresses, since '{SwitchDhcp.Program}' isn't installed: {SwitchDhcp.Remedy} It begins with the next VM that is started then.");
        }

        return new(definition, remarks);
    }

    /// <summary>Removes a switch from the host and the store. Errors: <c>SwitchNotFound</c>, <c>SwitchInUse</c> unless forced, <c>SwitchNeedsRoot</c>, <c>SwitchFailed</c>.</summary>
    public void RemoveSwitch(string name, bool force, CancellationToken token = default)
    {
        SwitchStore store = SwitchStore;
        CheckSwitchRemoval(store.Get(name), force);
        using FileLock held = store.Lock(token);
        SwitchDefinition definition = store.Get(name);
        CheckSwitchRemoval(definition, force);
        SwitchMaker.Remove(definition);
        store.Delete(definition);
    }

    /// <summary>Refuses what <see cref="RemoveSwitch"/> would refuse, without removing anything (for -WhatIf).</summary>
    public void CheckSwitchRemoval(SwitchDefinition definition, bool force)
    {
        IReadOnlyList<string> users = UsersOf(definition);
        if (users.Count > 0 && !force)
        {
            throw new StratoException(
                StratoErrorKind.InvalidState, "SwitchInUse", $"The switch '{definition.Name}' is used by {(users.Count == 1 ? "the VM" : "the VMs")} {string.Join(", ", users.Select(user => $"'{user}'"))}.")
            {
                RecommendedAction = "Remove their adapters (Remove-StratoNetworkAdapter) or lead them elsewhere (Set-StratoNetworkAdapter) first; -Force removes the switch all the same, and those VMs won't start until there is one of that name.",
            };
        }

        if (definition.OwnsBridge)
        {
            SwitchMaker.RequireRight(definition.Name);
        }
    }

    private List<string> UsersOf(SwitchDefinition definition) =>
    [
        .. List().Definitions
            .Where(vm => vm.NetworkAdapters.Any(adapter => adapter.Settings.SwitchName is { } name && VmStore.SameName(name, definition.Name)))
            .Select(vm => vm.Name),
    ];

    /// <summary>What a switch is to be, checked against the host and the others.</summary>
    private SwitchDefinition Plan(SwitchSettings settings)
    {
        VmRules.CheckName(settings.Name);
        string type = settings.SwitchType ?? (settings.NetAdapterName is null ? SwitchType.Internal : SwitchType.External);
        RefuseConflicts(settings, type);
        Ipv4Subnet? wanted = settings.Subnet is null ? null : Ipv4Subnet.Parse(settings.Subnet);
        SwitchMaker.RequireRight(settings.Name);
        SwitchStore store = SwitchStore;
        List<SwitchDefinition> others = store.List();
        if (others.Find(other => VmStore.SameName(other.Name, settings.Name)) is { } taken)
        {
            throw new StratoException(StratoErrorKind.AlreadyExists, "SwitchExists", $"A switch named '{taken.Name}' exists already.") { RecommendedAction = "Choose another name, or remove that switch first." };
        }

        bool onBridge = settings.NetAdapterName is not null && SwitchMaker.CheckUplink(settings.NetAdapterName);
        if (settings.Nat)
        {
            SwitchNat.Find(settings.Name);
        }

        string id = store.FreeId();
        return new()
        {
            Id = id,
            Name = settings.Name,
            SwitchType = type,
            BridgeName = onBridge ? settings.NetAdapterName! : BridgeNameFor(settings.Name, id),
            NetAdapterName = settings.NetAdapterName,
            Subnet = type == SwitchType.Internal ? SubnetFor(wanted, others).ToString() : null,
            Nat = settings.Nat,
            NoDhcp = settings.NoDhcp,
            Runtime = Path.Combine(Paths.RuntimeRoot, $"switch-{id}"),
            Created = DateTimeOffset.UtcNow,
        };
    }

    private static void RefuseConflicts(SwitchSettings settings, string type)
    {
        string? conflict = (type == SwitchType.External) != (settings.NetAdapterName is not null)
            ? $"A switch of the type {type} {(type == SwitchType.External ? "needs -NetAdapterName, the host's interface or bridge that it leads to" : "leads to no interface, and -NetAdapterName is given")}."
            : type == SwitchType.Internal ? null
            : settings.Nat ? $"-Nat is an {SwitchType.Internal} switch's; the type is {type}."
            : settings.Subnet is not null ? $"-Subnet is an {SwitchType.Internal} switch's; the type is {type}."
            : settings.NoDhcp ? $"-NoDhcp is an {SwitchType.Internal} switch's; one of the type {type} gives no addresses anyway." : null;
        if (conflict is not null)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "ParametersConflict", conflict);
        }
    }

    /// <summary>The switch's own name, where it fits and no interface has it; else one of the id.</summary>
    private static string BridgeNameFor(string name, string id)
    {
        bool fits = name.Length <= BridgeRoom;
        foreach (char c in name)
        {
            fits &= char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.';
        }

        return fits && !Libc.HasInterface(BridgePrefix + name) ? BridgePrefix + name : BridgePrefix + id;
    }

    /// <summary>A network that neither the host nor another switch has.</summary>
    private static Ipv4Subnet SubnetFor(Ipv4Subnet? wanted, List<SwitchDefinition> others)
    {
        List<(Ipv4Subnet Subnet, string Owner)> taken = TakenSubnets(others);
        if (wanted is { } subnet)
        {
            return taken.Find(other => other.Subnet.Overlaps(subnet)) is { Owner: { } owner } found
                ? throw new StratoException(StratoErrorKind.AlreadyExists, "SubnetInUse", $"The network {subnet} overlaps {found.Subnet}, which {owner}.")
                {
                    Where = "-Subnet",
                    RecommendedAction = "Give another, or none for a free one.",
                }
                : subnet;
        }

        for (int i = 0; i < 256; i++)
        {
            // From 100 on, around again: routers at home have the low ones, often.
            Ipv4Subnet candidate = Ipv4Subnet.Parse(string.Create(CultureInfo.InvariantCulture, $"192.168.{(100 + i) % 256}.0/24"));
            if (!taken.Exists(other => other.Subnet.Overlaps(candidate)))
            {
                return candidate;
            }
        }

        throw new StratoException(StratoErrorKind.Unavailable, "NoFreeSubnet", "The host or other switches have all of 192.168.0.0/16.") { Where = "-Subnet", RecommendedAction = "Give another network, such as -Subnet 10.11.12.0/24." };
    }

    private static List<(Ipv4Subnet Subnet, string Owner)> TakenSubnets(List<SwitchDefinition> others)
    {
        using RouteSocket socket = new();
        Dictionary<int, string> names = NetworkLinks.List(socket).ToDictionary(link => link.Index, link => link.Name);
        List<(Ipv4Subnet, string)> taken = [.. others.Where(other => other.Subnet is not null).Select(other => (Ipv4Subnet.Parse(other.Subnet!), $"the switch '{other.Name}' has"))];
        foreach (NetworkAddress address in NetworkLinks.Addresses(socket).Where(address => address.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork))
        {
            taken.Add((Ipv4Subnet.Of(address.Address, address.Prefix), $"the host has on '{names.GetValueOrDefault(address.Link)}'"));
        }

        foreach (NetworkAddress route in NetworkLinks.Routes(socket))
        {
            taken.Add((Ipv4Subnet.Of(route.Address, route.Prefix), $"has a route of the host's{(route.Link == 0 ? "" : $" by '{names.GetValueOrDefault(route.Link)}'")}"));
        }

        return taken;
    }

    private static bool TryUndo(SwitchDefinition definition, TimeSpan? limit)
    {
        try
        {
            SwitchMaker.Remove(definition, limit);
            return true;
        }
        catch (StratoException)
        {
            // Why it could not be made is what counts.
            return false;
        }
    }
}
