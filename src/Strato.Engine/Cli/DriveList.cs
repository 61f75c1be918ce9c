using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>Joins <c>-drive</c> and <c>-device</c> of two generations of command lines.</summary>
/// <remarks>
/// A drive that no device refers to is a disk itself, at its place on the command line; one that a device refers to is
/// only the backend, and the device's place counts. The first disk is the guest's vda.
/// </remarks>
internal sealed class DriveList
{
    /// <summary>Parts of <c>-device virtio-blk-device</c>.</summary>
    public const string DeviceUsage = "drive=ID[,id=ID][,serial=TEXT][,iothread=ID]";

    private readonly List<DriveConfiguration> _drives = [];
    private readonly List<(string Drive, string? Id, string? Serial, string? IoThread, int Place)> _devices = [];
    private readonly List<int> _places = [];
    private int _next;

    public void AddDrive(string value)
    {
        SubOptions parts = new("-drive", value);
        string file = parts.Require("file");
        string id = parts.Require("id");
        bool readOnly = parts.TakeBoolean("readonly") ?? false;
        string? serial = parts.Take("serial");
        string? ioThread = parts.Take("iothread");

        // Only these are built; whoever writes them out for QEMU's sake may.
        _ = parts.TakeOneOf("if", "none");
        _ = parts.TakeOneOf("format", "raw");
        parts.End();
        ConfigurationLimits.CheckId(id, "-drive id");
        ConfigurationLimits.CheckPath(file, $"drive '{id}'", "-drive file");
        if (serial is not null)
        {
            ConfigurationLimits.CheckSerialNumber(serial, "-drive serial");
        }

        if (Find(_drives, id) >= 0)
        {
            throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(id)}' is used by two drives; ids are unique.", "-drive id");
        }

        _drives.Add(new DriveConfiguration { Id = id, File = file, ReadOnly = readOnly, Serial = serial, IoThread = ioThread, Where = "-drive" });
        _places.Add(_next++);
    }

    public void AddDevice(SubOptions parts)
    {
        string drive = parts.Require("drive");
        string? id = parts.TakeId();
        string? serial = parts.Take("serial");
        string? ioThread = parts.Take("iothread");
        parts.End();
        if (serial is not null)
        {
            ConfigurationLimits.CheckSerialNumber(serial, "-device serial");
        }

        _devices.Add((drive, id, serial, ioThread, _next++));
    }

    /// <summary>Puts the disks into <paramref name="drives"/>, which holds those of the JSON file: a drive of the same id wins over the file's.</summary>
    public void Resolve(List<DriveConfiguration> drives)
    {
        // Each disk has its place; those of the file come before all of the command line, in the file's order.
        List<(DriveConfiguration Drive, int Place)> disks = [];
        for (int i = 0; i < drives.Count; i++)
        {
            int own = Find(_drives, drives[i].Id);
            disks.Add((own < 0 ? drives[i] : _drives[own], i - drives.Count));
        }

        for (int i = 0; i < _drives.Count; i++)
        {
            if (Find(drives, _drives[i].Id) < 0)
            {
                disks.Add((_drives[i], _places[i]));
            }
        }

        HashSet<string> taken = [];
        foreach ((string drive, string? id, string? serial, string? ioThread, int place) in _devices)
        {
            int at = disks.FindIndex(disk => disk.Drive.Id == drive);
            if (at < 0)
            {
                throw new UserErrorException("UnknownDrive", $"No drive has the id '{ConfigurationLimits.Printable(drive)}'; a device's drive is one of: {Ids(disks)}.", "-device drive");
            }

            if (!taken.Add(drive))
            {
                throw new UserErrorException("InvalidOption", $"The drive '{ConfigurationLimits.Printable(drive)}' is used by two devices; a drive belongs to one.", "-device drive");
            }

            DriveConfiguration disk = disks[at].Drive;
            if (serial is not null && disk.Serial is not null && serial != disk.Serial)
            {
                throw new UserErrorException("InvalidOption", $"The drive '{disk.Id}' has the serial number '{disk.Serial}' and its device '{serial}'; give one.", "-device serial");
            }

            if (ioThread is not null && disk.IoThread is not null && ioThread != disk.IoThread)
            {
                throw new UserErrorException(
                    "InvalidOption",
                    $"The drive '{disk.Id}' names the iothread '{ConfigurationLimits.Printable(disk.IoThread)}' and its device '{ConfigurationLimits.Printable(ioThread)}'; give one.",
                    "-device iothread");
            }

            disk.DeviceId = id ?? "";
            disk.IoThread = ioThread ?? disk.IoThread;
            disk.Serial = serial ?? disk.Serial;
            disks[at] = (disk, place);
        }

        disks.Sort((a, b) => a.Place.CompareTo(b.Place));
        drives.Clear();
        foreach ((DriveConfiguration disk, _) in disks)
        {
            drives.Add(disk);
        }
    }

    private static int Find(List<DriveConfiguration> drives, string id) => drives.FindIndex(drive => drive.Id == id);

    private static string Ids(List<(DriveConfiguration Drive, int Place)> disks)
    {
        List<string> ids = [];
        foreach ((DriveConfiguration drive, _) in disks)
        {
            ids.Add(ConfigurationLimits.Printable(drive.Id));
        }

        return ids.Count == 0 ? "(no -drive is given)" : string.Join(", ", ids);
    }
}
