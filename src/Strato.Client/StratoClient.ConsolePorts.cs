using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client;

public sealed partial class StratoClient
{
    private const string ThePorts = "Its console ports";

    /// <summary>Adds a console port to a stopped VM. Errors: <c>VmRunning</c>, <c>ConsolePortExists</c>, <c>TooManyConsolePorts</c>, <c>InvalidName</c>, <c>InvalidPath</c>, <c>PathMissing</c>, <c>PathUnexpected</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="portId">Default: the first free of port0, port1 and so on; for terminals hvc0, hvc1.</param>
    /// <param name="terminal">Whether the guest makes a terminal of it.</param>
    /// <param name="settings">Where it leads.</param>
    /// <param name="token">Ends the wait for the VM's lock.</param>
    public ConsolePortDefinition AddConsolePort(string id, string? portId, bool terminal, ConsolePortChange settings, CancellationToken token = default)
    {
        ConsolePortDefinition? added = null;
        Change(
            id,
            ThePorts,
            before =>
            {
                added = With(new ConsolePortDefinition { Id = portId ?? FreePortId(before, terminal ? "hvc" : "port"), Terminal = terminal }, settings);
                DeviceRules.CheckPort(added);
                if (IndexOfPort(before, added.Id) >= 0)
                {
                    throw new StratoException(StratoErrorKind.AlreadyExists, "ConsolePortExists", $"The VM '{before.Name}' has a console port '{added.Id}' already.") { Where = "-Id", VmName = before.Name };
                }

                return before.ConsolePorts.Count < ConsoleConfiguration.MaxPorts
                    ? before with { ConsolePorts = [.. before.ConsolePorts, added] }
                    : throw new StratoException(
                        StratoErrorKind.InvalidArgument, "TooManyConsolePorts", $"The VM '{before.Name}' has {before.ConsolePorts.Count} console ports, which is the most there can be.")
                    {
                        VmName = before.Name,
                    };
            },
            token);
        return added!;
    }

    /// <summary>Changes where a console port of a stopped VM leads. Errors: <c>VmRunning</c>, <c>ConsolePortNotFound</c>, <c>InvalidPath</c>, <c>PathMissing</c>, <c>PathUnexpected</c>.</summary>
    public void SetConsolePort(string id, string portId, ConsolePortChange change, CancellationToken token = default) => Change(
        id,
        ThePorts,
        before =>
        {
            ConsolePortDefinition[] ports = [.. before.ConsolePorts];
            int at = FindPort(before, portId);
            ports[at] = With(ports[at], change);
            DeviceRules.CheckPort(ports[at]);
            return before with { ConsolePorts = ports };
        },
        token);

    /// <summary>Removes a console port from a stopped VM. Errors: <c>VmRunning</c>, <c>ConsolePortNotFound</c>.</summary>
    public void RemoveConsolePort(string id, string portId, CancellationToken token = default) => Change(
        id,
        ThePorts,
        before =>
        {
            List<ConsolePortDefinition> left = [.. before.ConsolePorts];
            left.RemoveAt(FindPort(before, portId));
            return before with { ConsolePorts = left };
        },
        token);

    /// <summary>The socket, file or terminal that a console port leads to while the VM runs; of a stopped VM's pty null. Errors: those of QMP, for a pty.</summary>
    public string? GetConsolePortPath(string id, ConsolePortDefinition port, CancellationToken token = default)
    {
        using EngineProcess? process = Registry.TryOpen(id);
        if (port.Backend != ConsolePortBackend.Pty)
        {
            return DeviceArguments.PathOf(port, process?.Run.Runtime ?? Paths.RuntimeDirectory(id));
        }

        if (process is null)
        {
            return null;
        }

        const string Pty = "pty:";
        foreach (JsonElement chardev in InvokeQmp(id, "query-chardev", token: token).EnumerateArray())
        {
            if (chardev.GetProperty("label").GetString() == port.Id && chardev.GetProperty("filename").GetString() is { } name && name.StartsWith(Pty, StringComparison.Ordinal))
            {
                return name[Pty.Length..];
            }
        }

        return null;
    }

    private static ConsolePortDefinition With(ConsolePortDefinition port, ConsolePortChange change)
    {
        ConsolePortBackend backend = change.Backend ?? port.Backend;

        // The path of a socket is none for a file.
        string? path = change.Path ?? (backend == port.Backend ? port.Path : null);
        return port with { Backend = backend, Path = string.IsNullOrEmpty(path) ? null : path };
    }

    private static int IndexOfPort(VmDefinition vm, string portId)
    {
        for (int i = 0; i < vm.ConsolePorts.Count; i++)
        {
            if (string.Equals(vm.ConsolePorts[i].Id, portId, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        return -1;
    }

    private static int FindPort(VmDefinition vm, string portId) => IndexOfPort(vm, portId) is int at and >= 0
        ? at
        : throw new StratoException(StratoErrorKind.NotFound, "ConsolePortNotFound", $"The VM '{vm.Name}' has no console port '{portId}'.")
        {
            VmName = vm.Name,
            RecommendedAction = $"Get-StratoConsolePort -VMName '{vm.Name}' lists its console ports.",
        };

    private static string FreePortId(VmDefinition vm, string prefix)
    {
        int number = 0;
        while (IndexOfPort(vm, $"{prefix}{number}") >= 0)
        {
            number++;
        }

        return $"{prefix}{number}";
    }
}
