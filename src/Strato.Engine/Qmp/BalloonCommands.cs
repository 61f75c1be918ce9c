using System;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands about the memory that a guest gives back. Its statistics are properties of the device, as in QEMU.</summary>
internal static class BalloonCommands
{
    private const string Statistics = "guest-stats";
    private const string Period = "guest-stats-polling-interval";
    private const string PeripheralPath = "/machine/peripheral/";

    /// <summary>The value is the memory that the guest shall have: a number of bytes, or, as seed 001 prints it, its digits in a string.</summary>
    public static void Set(QmpCall call)
    {
        long bytes = call.Arguments.Number("value")!.Value;
        if (bytes <= 0)
        {
            throw new QmpException($"Parameter 'value' is {bytes}; allowed is an amount of memory in bytes, from 1 on (what is above the machine's memory is taken for that)");
        }

        Find(call).SetTarget(bytes);
    }

    public static void Query(QmpCall call)
    {
        long actual = Find(call).Actual;
        call.Result.WriteStartObject();
        call.Result.WriteNumber("actual", actual);
        call.Result.WriteEndObject();
    }

    public static void GetProperty(QmpCall call)
    {
        BalloonStatistics statistics = FindByPath(call, out string property).Statistics;
        if (property == Period)
        {
            call.Result.WriteNumberValue((long)statistics.Period.TotalSeconds);
            return;
        }

        Utf8JsonWriter json = call.Result;
        json.WriteStartObject();
        json.WriteStartObject("stats");
        for (int tag = 0; tag < statistics.Values.Length; tag++)
        {
            // -1 for what the guest doesn't tell, as QEMU has it.
            json.WriteNumber(BalloonStatistics.Names[tag], (long)statistics.Values[tag]);
        }

        json.WriteEndObject();
        json.WriteNumber("last-update", statistics.UpdatedAt);
        json.WriteEndObject();
    }

    public static void SetProperty(QmpCall call)
    {
        BalloonStatistics statistics = FindByPath(call, out string property).Statistics;
        long seconds = property == Period ? call.Arguments.Number("value")!.Value : throw new QmpException($"Property '{Statistics}' can only be read");
        if (seconds is < 0 or > uint.MaxValue)
        {
            throw new QmpException($"Parameter 'value' is {seconds}; allowed are 0 (never) to {uint.MaxValue} seconds");
        }

        statistics.SetPeriod(TimeSpan.FromSeconds(seconds));
    }

    /// <summary>The machine's balloon.</summary>
    /// <exception cref="QmpException">DeviceNotActive: it has none.</exception>
    public static MemoryBalloon Find(QmpCall call) => call.Machine.Balloon
        ?? throw new QmpException(
            QmpErrorClass.DeviceNotActive,
            call.Machine.Memory.IsHuge
                ? $"No balloon device has been activated: the guest's memory is of huge pages ({ByteSize.Describe(call.Machine.Memory.PageSize)}), which a balloon can't give back"
                : "No balloon device has been activated; -device virtio-balloon-device gives the machine one");

    private static MemoryBalloon FindByPath(QmpCall call, out string property)
    {
        MemoryBalloon balloon = Find(call);
        string path = call.Arguments.Require("path");
        string id = path.StartsWith(PeripheralPath, StringComparison.Ordinal) ? path[PeripheralPath.Length..] : path;
        if (id != balloon.Id)
        {
            throw new QmpException(QmpErrorClass.DeviceNotFound, $"Device '{ConfigurationLimits.Printable(path)}' not found; allowed: {PeripheralPath}{balloon.Id}");
        }

        property = call.Arguments.Require("property");
        return property is Statistics or Period
            ? balloon
            : throw new QmpException($"Property '{ConfigurationLimits.Printable(property)}' not found; allowed: {Statistics}, {Period}");
    }
}
