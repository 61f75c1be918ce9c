using System;
using System.Globalization;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>Reads the value of <c>-drive</c>, and those parts of <c>-device virtio-blk-device</c> that are a drive's as well.</summary>
internal static class DriveOption
{
    public const string Usage = "file=PATH,id=ID[,readonly=on|off][,snapshot=on|off][,KEY=VALUE…]";

    public static readonly string Help =
        "Raw image or block device. Unless a -device refers to it, it is a disk itself. Keys, the default first:\n"
        + $"        aio={string.Join('|', DriveNames.Aio)}   cache={string.Join('|', DriveNames.Cache)}   direct=off|on\n"
        + $"        discard={string.Join('|', DriveNames.Discard)}   detect-zeroes={string.Join('|', DriveNames.DetectZeroes)}   iops=0..{DriveConfiguration.MaxIops} (0: no limit)\n"
        + $"        werror={string.Join('|', DriveNames.WriteError)}   rerror={string.Join('|', DriveNames.ReadError)}\n"
        + $"        serial=TEXT   iothread=ID   num-queues=1..{DriveConfiguration.MaxQueues}   queue-size={DriveConfiguration.DefaultQueueSize} (a power of two from {DriveConfiguration.MinQueueSize} to {DriveConfiguration.MaxQueueSize})\n"
        + "        format=raw and if=none are so anyway. aio is native by default with direct=on. snapshot=on throws away at the end what the guest writes.";

    public static DriveConfiguration Parse(string value)
    {
        SubOptions parts = new("-drive", value);
        string file = parts.Require("file");
        string id = parts.Require("id");
        DriveConfiguration drive = new()
        {
            Id = id,
            File = file,
            ReadOnly = parts.TakeBoolean("readonly") ?? false,
            Snapshot = parts.TakeBoolean("snapshot") ?? false,
            Aio = (DriveAio?)Choice(parts, "aio", DriveNames.Aio),
            Cache = (DriveCache?)Choice(parts, "cache", DriveNames.Cache),
            Direct = parts.TakeBoolean("direct"),
            Discard = (DriveDiscard)(Choice(parts, "discard", DriveNames.Discard) ?? 0),
            DetectZeroes = (DriveDetectZeroes)(Choice(parts, "detect-zeroes", DriveNames.DetectZeroes) ?? 0),
            Iops = Number(parts, "iops") ?? 0,
            WriteError = (DriveErrorAction)(Choice(parts, "werror", DriveNames.WriteError) ?? 0),
            ReadError = (DriveErrorAction)(Choice(parts, "rerror", DriveNames.ReadError) ?? 0),
            Where = "-drive",
        };
        ApplyTo(drive, TakeDeviceParts(parts));

        // Only these are built; whoever writes them out for QEMU's sake may.
        _ = parts.TakeOneOf("if", "none");
        _ = parts.TakeOneOf("format", "raw");
        parts.End();
        ConfigurationLimits.CheckId(id, "-drive id");
        ConfigurationLimits.CheckPath(file, $"drive '{id}'", "-drive file");
        drive.CheckIo();
        return drive;
    }

    /// <summary>Takes the parts that drive and device have in common.</summary>
    public static DriveDeviceParts TakeDeviceParts(SubOptions parts)
    {
        DriveDeviceParts taken = new(parts.Take("serial"), parts.Take("iothread"), Number(parts, "num-queues"), Number(parts, "queue-size"));
        if (taken.Serial is not null)
        {
            ConfigurationLimits.CheckSerialNumber(taken.Serial, parts.Where("serial"));
        }

        return taken;
    }

    /// <summary>Gives a drive what its device was given; what both were given must agree.</summary>
    public static void ApplyTo(DriveConfiguration drive, in DriveDeviceParts device)
    {
        drive.Serial = Agree(drive, "serial", drive.Serial, device.Serial);
        drive.IoThread = Agree(drive, "iothread", drive.IoThread, device.IoThread);
        drive.QueueCount = device.QueueCount ?? drive.QueueCount;
        drive.QueueSize = device.QueueSize ?? drive.QueueSize;
        drive.CheckIo();
    }

    private static string? Agree(DriveConfiguration drive, string key, string? drives, string? devices) =>
        drives is null || devices is null || drives == devices
            ? devices ?? drives
            : throw new UserErrorException(
                "InvalidOption",
                $"The drive '{ConfigurationLimits.Printable(drive.Id)}' has {key}={ConfigurationLimits.Printable(drives)} and its device {key}={ConfigurationLimits.Printable(devices)}; give one.",
                $"-device {key}");

    private static int? Choice(SubOptions parts, string key, string[] names) =>
        parts.TakeOneOf(key, names) is { } name ? Array.IndexOf(names, name) : null;

    private static int? Number(SubOptions parts, string key)
    {
        string? text = parts.Take(key);
        return text is null ? null
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? (int)long.Clamp(number, int.MinValue, int.MaxValue)
            : throw parts.Invalid($"'{key}={ConfigurationLimits.Printable(text)}' is not a whole number.", key);
    }
}

/// <summary>What a drive or its device may be given.</summary>
internal readonly record struct DriveDeviceParts(string? Serial, string? IoThread, int? QueueCount, int? QueueSize);
