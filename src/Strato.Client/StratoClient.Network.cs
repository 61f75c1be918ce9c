using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>A published port (<c>8080:80</c>, <c>127.0.0.1:53:53/udp</c>) as <see cref="NetworkAdapterSettings.PortForward"/> has it. Error <c>InvalidPublish</c>.</summary>
    public static string ParsePublished(string text) => VmRules.Convert(() => PortForward.ParsePublished(text, "-Publish")).ToString();

    /// <summary>A forward as <see cref="ParsePublished"/> takes it; one that can't be read stays as it is.</summary>
    public static string ToPublished(string forward)
    {
        try
        {
            return PortForward.Parse(forward, "-PortForward").ToPublished();
        }
        catch (UserErrorException)
        {
            return forward;
        }
    }

    /// <summary>Adds a network interface to a VM; to a running one, too.</summary>
    /// <param name="id">The VM's.</param>
    /// <param name="settings">Where it leads: a tap, a switch, or <see cref="NetworkAdapterSettings.User"/>.</param>
    /// <param name="adapterId">Default: the first free of net0, net1.</param>
    /// <param name="options">For a running VM.</param>
    /// <param name="token">Ends the wait for the store.</param>
    /// <remarks>Errors: those of QMP for a running VM, of which the definition then knows nothing, <c>WaitTimeout</c>, <c>NetworkAdapterExists</c>, <c>TooManyNetworkAdapters</c>, <c>InvalidNetworkAdapter</c>, <c>InvalidMac</c>, <c>InvalidForward</c>, <c>InvalidId</c>, <c>OutOfRange</c>, <c>IoThreadNotFound</c>, <c>SwitchNotFound</c>, and those of a switch that is down.</remarks>
    public NetworkAdapterDefinition AddNetworkAdapter(string id, NetworkAdapterSettings settings, string? adapterId = null, HotPlugOptions? options = null, CancellationToken token = default)
    {
        if (adapterId is not null)
        {
            VmRules.CheckId(adapterId);
        }

        VmRules.CheckNetworkAdapter(settings, adapterId ?? "net");
        NetworkAdapterDefinition? added = null;
        AddDevice(
            id,
            options ?? new(),
            (before, slots) =>
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

                if (adapterId is not null && HasDevice(before, slots, adapterId))
                {
                    throw new StratoException(StratoErrorKind.AlreadyExists, "NetworkAdapterExists", $"The VM '{before.Name}' has a device '{adapterId}' already.") { Where = "-Id", VmName = before.Name };
                }

                added = new NetworkAdapterDefinition
                {
                    Id = adapterId ?? FreeId(before, slots, "net"),
                    Settings = settings with { IoThread = ResolveIoThread(before, settings.IoThread), SwitchName = ResolveSwitch(settings.SwitchName) },
                };
                return added.Id;
            },
            session => Plug(session, id, added!),
            (before, slots) => before with { NetworkAdapters = Insert(before.NetworkAdapters, added!, static adapter => adapter.Id, slots) },
            token);
        return added!;
    }

    /// <summary>Changes what is given of a network interface: on a stopped VM all of it, on a running one whether it is connected alone.</summary>
    /// <remarks>Errors as for <see cref="AddNetworkAdapter"/>, <c>NetworkAdapterNotFound</c>, and those of QMP for a running VM, of which the definition then knows nothing.</remarks>
    public NetworkAdapterDefinition SetNetworkAdapter(string id, string adapterId, NetworkAdapterSettings change, CancellationToken token = default)
    {
        bool linkAlone = change with { Connected = null } == new NetworkAdapterSettings();
        NetworkAdapterDefinition? changed = null;
        Store.Update(
            id,
            rename: false,
            before =>
            {
                if (!linkAlone)
                {
                    RefuseRunning(before, "Its network adapters, but for -Connected,");
                }

                NetworkAdapterDefinition[] adapters = [.. before.NetworkAdapters];
                int at = Array.FindIndex(adapters, adapter => SameId(adapter.Id, adapterId));
                if (at < 0)
                {
                    throw NoNetworkAdapter(before, adapterId);
                }

                NetworkAdapterSettings settings = adapters[at].Settings.With(change with { IoThread = ResolveIoThread(before, change.IoThread), SwitchName = ResolveSwitch(change.SwitchName) });
                VmRules.CheckNetworkAdapter(settings, adapters[at].Id);
                changed = adapters[at] = adapters[at] with { Settings = settings };
                using EngineProcess? process = change.Connected is null ? null : Registry.TryOpen(id);
                if (process is not null)
                {
                    using QmpConnection qmp = OpenQmp(id, token);
                    SetLink(qmp, changed, token);
                }

                return before with { NetworkAdapters = adapters };
            },
            token);
        return changed!;
    }

    /// <summary>Removes a network interface from a VM, from a running one, too; a tap stays, unless it is that of a switch. Errors: those of QMP for a running VM, <c>WaitTimeout</c>, <c>NetworkAdapterNotFound</c>.</summary>
    public void RemoveNetworkAdapter(string id, string adapterId, HotPlugOptions? options = null, CancellationToken token = default) => RemoveDevice(
        id,
        adapterId,
        options ?? new(),
        before =>
        {
            List<NetworkAdapterDefinition> left = [.. before.NetworkAdapters];
            return left.RemoveAll(adapter => SameId(adapter.Id, adapterId)) > 0 || options?.Transient == true
                ? before with { NetworkAdapters = left.Count == 0 ? [] : left }
                : throw NoNetworkAdapter(before, adapterId);
        },
        token);

    /// <summary>Before the guest of a VM that was started paused runs: takes the links down that are to be down.</summary>
    private void DisconnectAdapters(VmDefinition vm, bool staysPaused, CancellationToken token)
    {
        using QmpConnection qmp = OpenQmp(vm.Id, token);
        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (IsDisconnected(adapter))
            {
                SetLink(qmp, adapter, token);
            }
        }

        if (!staysPaused)
        {
            qmp.Execute("cont", token: token);
        }
    }

    /// <summary>The switch's name as it was given when it was made. Error <c>SwitchNotFound</c>.</summary>
    private string? ResolveSwitch(string? name) => name is null ? null : new SwitchStore(Paths).Get(name).Name;

    private static bool IsDisconnected(NetworkAdapterDefinition adapter) => adapter.Settings.Connected == false;

    private static void SetLink(QmpConnection qmp, NetworkAdapterDefinition adapter, CancellationToken token)
    {
        ArrayBufferWriter<byte> arguments = new();
        using (Utf8JsonWriter json = new(arguments))
        {
            json.WriteStartObject();
            json.WriteString("name", adapter.Id);
            json.WriteBoolean("up", !IsDisconnected(adapter));
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(arguments.WrittenMemory);
        qmp.Execute("set_link", document.RootElement, token: token);
    }

    private static StratoException NoNetworkAdapter(VmDefinition vm, string adapterId) =>
        new(StratoErrorKind.NotFound, "NetworkAdapterNotFound", $"The VM '{vm.Name}' has no network adapter '{adapterId}'.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Get-StratoNetworkAdapter -VMName '{vm.Name}' lists its network adapters.",
        };
}
