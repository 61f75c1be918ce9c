using System;
using System.Collections.Generic;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>One QMP command.</summary>
/// <param name="Name">As the client writes it.</param>
/// <param name="Run">Does it. A <see cref="QmpException"/> becomes the error reply.</param>
/// <param name="Arguments">Names of the arguments that it knows; any other is an error.</param>
internal sealed record QmpCommand(string Name, Action<QmpCall> Run, params string[] Arguments);

/// <summary>The commands of the server, and the events it may send. A new command is a line here.</summary>
internal static class QmpCommands
{
    private static readonly QmpCommand[] All =
    [
        new("qmp_capabilities", ControlCommands.Capabilities, "enable"),
        new("query-status", QueryCommands.Status),
        new("query-version", QueryCommands.Version),
        new("query-commands", QueryCommands.Commands),
        new("query-events", QueryCommands.Events),
        new("query-kvm", QueryCommands.Kvm),
        new("query-name", QueryCommands.Name),
        new("query-cpus", QueryCommands.Cpus),
        new("query-hotpluggable-cpus", QueryCommands.HotpluggableCpus),
        new("query-machines", QueryCommands.Machines),
        new("query-mem", MemoryCommands.Query),
        new("query-memory-size-summary", MemoryCommands.QuerySize),
        new("query-block", QueryCommands.Block),
        new("query-iothreads", QueryCommands.IoThreads),
        new("query-chardev", QueryCommands.Chardevs),
        new("blockdev-add", DeviceCommands.AddNode, DeviceCommands.NodeArguments),
        new("blockdev-del", DeviceCommands.RemoveNode, "node-name"),
        new("netdev_add", DeviceCommands.AddNetdev, DeviceCommands.NetdevArguments),
        new("netdev_del", DeviceCommands.RemoveNetdev, "id"),
        new("device_add", DeviceCommands.AddDevice, DeviceCommands.DeviceArguments),
        new("device_del", DeviceCommands.RemoveDevice, "id"),
        new("query-hotplug-slots", DeviceCommands.Slots),
        new("getfd", DeviceCommands.GetFile, "fdname"),
        new("closefd", DeviceCommands.CloseFile, "fdname"),
        new("block_set_io_throttle", BlockCommands.SetThrottle, "device", "id", "iops", "iops_rd", "iops_wr", "bps", "bps_rd", "bps_wr"),
        new("set_link", NetCommands.SetLink, "name", "up"),
        new("query-balloon", BalloonCommands.Query),
        new("balloon", BalloonCommands.Set, "value"),
        new("qom-get", BalloonCommands.GetProperty, "path", "property"),
        new("qom-set", BalloonCommands.SetProperty, "path", "property", "value"),
        new("stop", ControlCommands.Stop),
        new("cont", ControlCommands.Continue),
        new("quit", ControlCommands.Quit),
        new("system_powerdown", ControlCommands.PowerDown),
        new("system_reset", ControlCommands.Reset),
    ];

    private static readonly Dictionary<string, QmpCommand> ByName = Index();

    public static IReadOnlyList<QmpCommand> List => All;

    public static IReadOnlyList<string> EventNames { get; } = ["STOP", "RESUME", "RESET", "SHUTDOWN", "POWERDOWN", "BLOCK_IO_ERROR", "BALLOON_CHANGED", "NETDEV_STREAM_DISCONNECTED", "DEVICE_DELETED", "CPU_RESIZE", "ACPI_DEVICE_OST"];

    /// <summary>The command of a request, whose arguments it knows.</summary>
    /// <exception cref="QmpException">CommandNotFound, or GenericError for an unknown argument.</exception>
    public static QmpCommand Find(in QmpRequest request)
    {
        if (!ByName.TryGetValue(request.Command, out QmpCommand? command))
        {
            throw new QmpException(
                QmpErrorClass.CommandNotFound,
                $"The command {ConfigurationLimits.Printable(request.Command)} has not been found{NearName.Hint(request.Command, ByName.Keys)}");
        }

        QmpArguments arguments = new(request.Arguments.Span);
        while (arguments.Next(out string name, out _))
        {
            if (Array.IndexOf(command.Arguments, name) < 0)
            {
                string allowed = command.Arguments.Length == 0 ? "none" : string.Join(", ", command.Arguments);
                throw new QmpException($"Parameter '{ConfigurationLimits.Printable(name)}' of {command.Name} is unexpected; allowed: {allowed}");
            }
        }

        return command;
    }

    private static Dictionary<string, QmpCommand> Index()
    {
        Dictionary<string, QmpCommand> index = new(StringComparer.Ordinal);
        foreach (QmpCommand command in All)
        {
            index.Add(command.Name, command);
        }

        return index;
    }
}
