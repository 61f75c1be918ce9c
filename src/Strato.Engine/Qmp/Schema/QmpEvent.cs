using System.Collections.Generic;
using Strato.Protocol.Configuration;
using static Strato.Engine.Qmp.Schema.QmpBuiltin;
using static Strato.Engine.Qmp.Schema.QmpMember;

namespace Strato.Engine.Qmp.Schema;

/// <summary>An event that the server may send.</summary>
/// <param name="Name">As clients read it.</param>
/// <param name="Data">Its data.</param>
internal sealed record QmpEvent(string Name, QmpStruct Data)
{
    private static readonly QmpStruct Cause = new("ResetOrShutdownData", Must("guest", Bool), Must("reason", Text));

    /// <summary>All of them.</summary>
    public static IReadOnlyList<QmpEvent> All { get; } =
    [
        new("STOP", QmpStruct.Empty),
        new("RESUME", QmpStruct.Empty),
        new("RESET", Cause),
        new("SHUTDOWN", Cause),
        new("POWERDOWN", QmpStruct.Empty),
        new("BLOCK_IO_ERROR", new QmpStruct(
            "BLOCK_IO_ERROR-data",
            Must("action", new QmpEnum("BlockErrorAction", DriveNames.WriteError[..3])),
            Must("device", Text),
            Must("node-name", Text),
            Must("nospace", Bool),
            Must("operation", new QmpEnum("IoOperationType", "read", "write")),
            Must("reason", Text))),
        new("BALLOON_CHANGED", new QmpStruct("BALLOON_CHANGED-data", Must("actual", Int))),
        new("NETDEV_STREAM_DISCONNECTED", new QmpStruct("NETDEV_STREAM_DISCONNECTED-data", Must("netdev-id", Text))),
        new("DEVICE_DELETED", new QmpStruct("DEVICE_DELETED-data", Must("device", Text), Must("path", Text))),
        new("DUMP_COMPLETED", new QmpStruct("DUMP_COMPLETED-data", May("error", Text), Must("result", QmpReturns.Dump))),
        new("MIGRATION", new QmpStruct("MIGRATION-data", Must("status", QmpArgumentTypes.MigrationStatus))),
        new("CPU_RESIZE", QmpStruct.Empty),
        new("ACPI_DEVICE_OST", new QmpStruct(
            "ACPI_DEVICE_OST-data",
            Must("info", new QmpStruct(
                "ACPIOSTInfo",
                Must("device", Text),
                Must("slot", Text),
                Must("slot-type", new QmpEnum("ACPISlotType", "CPU")),
                Must("source", Int),
                Must("status", Int))))),
    ];
}
