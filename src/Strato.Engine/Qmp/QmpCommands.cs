using System;
using System.Collections.Generic;
using Strato.Engine.Qmp.Schema;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>One QMP command.</summary>
/// <param name="Name">As the client writes it.</param>
/// <param name="Run">Does it. A <see cref="QmpException"/> becomes the error reply.</param>
/// <param name="Arguments">What it takes; checked before it runs.</param>
/// <param name="Returns">What it returns.</param>
internal sealed record QmpCommand(string Name, Action<QmpCall> Run, QmpStruct Arguments, QmpType Returns)
{
    /// <summary>A command without arguments.</summary>
    public QmpCommand(string name, Action<QmpCall> run, QmpType returns)
        : this(name, run, QmpStruct.Empty, returns)
    {
    }

    /// <summary>A command that only does something.</summary>
    public QmpCommand(string name, Action<QmpCall> run, QmpStruct arguments)
        : this(name, run, arguments, QmpStruct.Empty)
    {
    }

    /// <summary>A command that only does something, without arguments.</summary>
    public QmpCommand(string name, Action<QmpCall> run)
        : this(name, run, QmpStruct.Empty, QmpStruct.Empty)
    {
    }
}

/// <summary>The commands of the server. A new command is a line here; query-qmp-schema tells of it by itself.</summary>
internal static class QmpCommands
{
    private static readonly QmpCommand[] All =
    [
        new("qmp_capabilities", ControlCommands.Capabilities, QmpArgumentTypes.Capabilities),
        new("query-status", QueryCommands.Status, QmpReturns.Status),
        new("query-version", QueryCommands.Version, QmpReturns.Version),
        new("query-commands", SchemaCommands.Commands, QmpReturns.Commands),
        new("query-events", SchemaCommands.Events, QmpReturns.Events),
        new("query-qmp-schema", SchemaCommands.Schema, QmpReturns.Schema),
        new("query-command-line-options", SchemaCommands.Options, QmpArgumentTypes.Option, QmpReturns.OptionGroups),
        new("query-kvm", QueryCommands.Kvm, QmpReturns.Kvm),
        new("query-name", QueryCommands.Name, QmpReturns.Name),
        new("query-cpus", QueryCommands.Cpus, QmpReturns.Cpus),
        new("query-hotpluggable-cpus", QueryCommands.HotpluggableCpus, QmpReturns.HotpluggableCpus),
        new("query-machines", QueryCommands.Machines, QmpReturns.Machines),
        new("query-mem", MemoryCommands.Query, QmpReturns.Memory),
        new("query-memory-size-summary", MemoryCommands.QuerySize, QmpReturns.MemorySize),
        new("query-block", QueryCommands.Block, QmpReturns.Block),
        new("query-named-block-nodes", QueryCommands.NamedBlockNodes, QmpReturns.NamedBlockNodes),
        new("query-blockstats", StatisticsCommands.Block, QmpReturns.BlockStatistics),
        new("query-netstats", StatisticsCommands.Net, QmpReturns.NetStatistics),
        new("query-stats", StatisticsCommands.Kvm, QmpArgumentTypes.Statistics, QmpReturns.Statistics),
        new("query-iothreads", QueryCommands.IoThreads, QmpReturns.IoThreads),
        new("query-chardev", QueryCommands.Chardevs, QmpReturns.Chardevs),
        new("chardev-add", ChardevCommands.Add, QmpArgumentTypes.AddChardev, QmpReturns.AddedChardev),
        new("chardev-remove", ChardevCommands.Remove, QmpArgumentTypes.Id),
        new("blockdev-add", DeviceCommands.AddNode, QmpArgumentTypes.AddNode),
        new("blockdev-del", DeviceCommands.RemoveNode, QmpArgumentTypes.NodeName),
        new("netdev_add", DeviceCommands.AddNetdev, QmpArgumentTypes.AddNetdev),
        new("netdev_del", DeviceCommands.RemoveNetdev, QmpArgumentTypes.Id),
        new("device_add", DeviceCommands.AddDevice, QmpArgumentTypes.AddDevice),
        new("device_del", DeviceCommands.RemoveDevice, QmpArgumentTypes.Id),
        new("query-hotplug-slots", DeviceCommands.Slots, QmpReturns.Slots),
        new("getfd", DeviceCommands.GetFile, QmpArgumentTypes.FileName),
        new("closefd", DeviceCommands.CloseFile, QmpArgumentTypes.FileName),
        new("add-fd", FileSetCommands.Add, QmpArgumentTypes.AddFile, QmpReturns.AddedFile),
        new("remove-fd", FileSetCommands.Remove, QmpArgumentTypes.RemoveFile),
        new("query-fdsets", FileSetCommands.Query, QmpReturns.FileSets),
        new("block_set_io_throttle", BlockCommands.SetThrottle, QmpArgumentTypes.Throttle),
        new("set_link", NetCommands.SetLink, QmpArgumentTypes.Link),
        new("query-balloon", BalloonCommands.Query, QmpReturns.Balloon),
        new("balloon", BalloonCommands.Set, QmpArgumentTypes.Balloon),
        new("qom-get", BalloonCommands.GetProperty, QmpArgumentTypes.GetProperty, QmpBuiltin.Any),
        new("qom-set", BalloonCommands.SetProperty, QmpArgumentTypes.SetProperty),
        new("human-monitor-command", MonitorCommands.Run, QmpArgumentTypes.Monitor, QmpBuiltin.Text),
        new("x-query-registers", DebugCommands.Registers, QmpArgumentTypes.Registers, QmpReturns.Registers),
        new("inject-nmi", DebugCommands.InjectNmi),
        new("dump-guest-memory", DebugCommands.Dump, QmpArgumentTypes.Dump),
        new("query-dump", DebugCommands.QueryDump, QmpReturns.Dump),
        new("query-dump-guest-memory-capability", DebugCommands.QueryDumpCapability, QmpReturns.DumpCapability),
        new("x-cancel-dump", DebugCommands.CancelDump),
        new("migrate", MigrationCommands.Migrate, QmpArgumentTypes.Migrate),
        new("query-migrate", MigrationCommands.Query, QmpReturns.Migration),
        new("migrate_cancel", MigrationCommands.Cancel),
        new("migrate-continue", MigrationCommands.Continue, QmpArgumentTypes.MigrateContinue),
        new("stop", ControlCommands.Stop),
        new("cont", ControlCommands.Continue),
        new("quit", ControlCommands.Quit),
        new("system_powerdown", ControlCommands.PowerDown),
        new("system_reset", ControlCommands.Reset),
    ];

    private static readonly Dictionary<string, QmpCommand> ByName = Index();

    public static IReadOnlyList<QmpCommand> List => All;

    /// <summary>The command of a request, whose arguments are what it takes.</summary>
    /// <exception cref="QmpException">CommandNotFound, or GenericError for an argument that is unknown, missing or of another type.</exception>
    public static QmpCommand Find(in QmpRequest request)
    {
        if (!ByName.TryGetValue(request.Command, out QmpCommand? command))
        {
            throw new QmpException(
                QmpErrorClass.CommandNotFound,
                $"The command {ConfigurationLimits.Printable(request.Command)} has not been found{NearName.Hint(request.Command, ByName.Keys)}");
        }

        command.Arguments.CheckMembers(request.Arguments.Span, $" of {command.Name}", "");
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
