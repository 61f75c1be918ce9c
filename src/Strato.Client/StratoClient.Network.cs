using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const string TheAdapters = "Its network adapters";

    /// <summary>Adds a network interface to a stopped VM.</summary>
    /// <param name="id">The VM's.</param>
    /// <param name="settings">Where it leads: a tap, or <see cref="NetworkAdapterSettings.User"/>.</param>
    /// <param name="adapterId">Default: the first free of net0, net1.</param>
    /// <param name="token">Ends the wait for the store.</param>
    /// <remarks>Errors: <c>VmRunning</c>, <c>NetworkAdapterExists</c>, <c>TooManyNetworkAdapters</c>, <c>InvalidNetworkAdapter</c>, <c>InvalidMac</c>, <c>InvalidForward</c>, <c>InvalidId</c>, <c>OutOfRange</c>, <c>IoThreadNotFound</c>.</remarks>
    public NetworkAdapterDefinition AddNetworkAdapter(string id, NetworkAdapterSettings settings, string? adapterId = null, CancellationToken token = default)
    {
        if (adapterId is not null)
        {
            VmRules.CheckId(adapterId);
        }

        VmRules.CheckNetworkAdapter(settings, adapterId ?? "net");
        NetworkAdapterDefinition? added = null;
        Change(
            id,
            TheAdapters,
            before =>
            {
                if (before.NetworkAdapters.Count >= NetConfiguration.Maximum)
                {
                    throw new StratoException(
                        StratoErrorKind.InvalidArgument,
                        "TooManyNetworkAdapters",
                        $"The VM '{before.Name}' has {before.NetworkAdapters.Count} network adapters; a {before.Machine} has at most {NetConfiguration.Maximum}.")
                    {
                        VmName = before.Name,
                    };
                }

                if (adapterId is not null && HasDevice(before, adapterId))
                {
                    throw new StratoException(StratoErrorKind.AlreadyExists, "NetworkAdapterExists", $"The VM '{before.Name}' has a device '{adapterId}' already.") { Where = "-Id", VmName = before.Name };
                }

                added = new NetworkAdapterDefinition { Id = adapterId ?? FreeId(before, "net"), Settings = settings with { IoThread = ResolveIoThread(before, settings.IoThread) } };
                return before with { NetworkAdapters = [.. before.NetworkAdapters, added] };
            },
            token);
        return added!;
    }

    /// <summary>Changes what is given of a stopped VM's network interface. Errors as for <see cref="AddNetworkAdapter"/>, and <c>NetworkAdapterNotFound</c>.</summary>
    public NetworkAdapterDefinition SetNetworkAdapter(string id, string adapterId, NetworkAdapterSettings change, CancellationToken token = default)
    {
        NetworkAdapterDefinition? changed = null;
        Change(
            id,
            TheAdapters,
            before =>
            {
                NetworkAdapterDefinition[] adapters = [.. before.NetworkAdapters];
                int at = Array.FindIndex(adapters, adapter => SameId(adapter.Id, adapterId));
                if (at < 0)
                {
                    throw NoNetworkAdapter(before, adapterId);
                }

                NetworkAdapterSettings settings = adapters[at].Settings.With(change with { IoThread = ResolveIoThread(before, change.IoThread) });
                VmRules.CheckNetworkAdapter(settings, adapters[at].Id);
                changed = adapters[at] = adapters[at] with { Settings = settings };
                return before with { NetworkAdapters = adapters };
            },
            token);
        return changed!;
    }

    /// <summary>Removes a network interface from a stopped VM; the tap stays. Errors: <c>VmRunning</c>, <c>NetworkAdapterNotFound</c>.</summary>
    public void RemoveNetworkAdapter(string id, string adapterId, CancellationToken token = default) => Change(
        id,
        TheAdapters,
        before =>
        {
            List<NetworkAdapterDefinition> left = [.. before.NetworkAdapters];
            return left.RemoveAll(adapter => SameId(adapter.Id, adapterId)) > 0
                ? before with { NetworkAdapters = left.Count == 0 ? [] : left }
                : throw NoNetworkAdapter(before, adapterId);
        },
        token);

    private static StratoException NoNetworkAdapter(VmDefinition vm, string adapterId) =>
        new(StratoErrorKind.NotFound, "NetworkAdapterNotFound", $"The VM '{vm.Name}' has no network adapter '{adapterId}'.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Get-StratoNetworkAdapter -VMName '{vm.Name}' lists its network adapters.",
        };
}
