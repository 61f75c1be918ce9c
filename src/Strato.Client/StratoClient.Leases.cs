using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Client.Switches;
using Strato.Protocol.Configuration;

namespace Strato.Client;

/// <remarks>What the switches that give addresses know of their guests: the addresses of guests without an agent.</remarks>
public sealed partial class StratoClient
{
    /// <summary>The MAC address of an adapter: the one that was given, else the one that follows from the VM's name.</summary>
    public static string GetMacAddress(VmDefinition vm, NetworkAdapterDefinition adapter)
    {
        int index = 0;
        while (vm.NetworkAdapters[index].Id != adapter.Id)
        {
            index++;
        }

        string? given = adapter.Settings.MacAddress;
        return string.IsNullOrEmpty(given) ? MacAddress.Format(MacAddress.Generate(vm.Name, index)) : given.Replace('-', ':').ToLowerInvariant();
    }

    /// <summary>The adapters of a VM on switches that give addresses.</summary>
    private List<(NetworkAdapterDefinition Adapter, SwitchDefinition Switch)> Served(VmDefinition vm)
    {
        List<(NetworkAdapterDefinition, SwitchDefinition)> served = [];
        List<SwitchDefinition>? switches = null;
        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (adapter.Settings.SwitchName is { } name
                && (switches ??= SwitchStore.List()).Find(one => VmStore.SameName(one.Name, name)) is { } found && SwitchDhcp.IsWanted(found) && RuntimeFolder.IsSafe(found.Runtime))
            {
                served.Add((adapter, found));
            }
        }

        return served;
    }

    /// <summary>What was given to a VM since its engine started; an older lease is one of the guest before.</summary>
    private static GuestDetails? Leased(VmDefinition vm, RunRecord run, List<(NetworkAdapterDefinition Adapter, SwitchDefinition Switch)> served)
    {
        // Leases have whole seconds.
        DateTimeOffset started = DateTimeOffset.UtcNow - Procfs.Age(Procfs.TryReadStat(run.Pid) ?? default) - TimeSpan.FromSeconds(1);
        List<GuestInterface> interfaces = [];
        string? name = null;
        foreach ((NetworkAdapterDefinition adapter, SwitchDefinition definition) in served)
        {
            string address = GetMacAddress(vm, adapter);
            if (SwitchDhcp.Leases(definition).Find(lease => lease.MacAddress == address && lease.Expires - SwitchDhcp.LeaseTime >= started) is { } lease)
            {
                interfaces.Add(new GuestInterface(adapter.Id, address, [new GuestAddress(lease.IPAddress, Ipv4Subnet.Parse(definition.Subnet!).Prefix)]));
                name ??= lease.HostName;
            }
        }

        return interfaces.Count == 0 ? null : new GuestDetails { HostName = name, Interfaces = interfaces };
    }

    /// <summary>Waits until a guest without an agent has been given an address.</summary>
    private void WaitForLease(VmDefinition vm, EngineProcess process, List<(NetworkAdapterDefinition Adapter, SwitchDefinition Switch)> served, WaitOptions options, Deadline deadline, CancellationToken token)
    {
        List<LogWatch> watches = [];
        using Waiter waiter = new(token);
        try
        {
            served.ForEach(one => watches.Add(new LogWatch(SwitchDhcp.LeaseFile(one.Switch))));
            int[] files = [process.Fd, .. watches.ConvertAll(watch => watch.Fd)];
            while (true)
            {
                for (int i = 0; i < watches.Count; i++)
                {
                    watches[i].Clear();
                    watches[i].TryAdd(SwitchDhcp.LeaseFile(served[i].Switch));
                }

                if (Leased(vm, process.Run, served) is not null)
                {
                    return;
                }

                int ready = waiter.WaitReadable(deadline, files);
                if (ready < 0)
                {
                    throw TimedOut(vm, "known to have an address", options.Timeout);
                }

                if (ready == 0)
                {
                    throw new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{vm.Name}' ended before its guest had an address. {Registry.WhyEnded(vm.Id, process.Run) ?? "It was powered off."}") { VmName = vm.Name };
                }
            }
        }
        finally
        {
            watches.ForEach(watch => watch.Dispose());
        }
    }
}
