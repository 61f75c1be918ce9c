using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
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
    public const string DeviceUsage = "drive=ID[,id=ID][,serial=TEXT][,iothread=ID][,num-queues=N][,queue-size=N]";

    private readonly List<DriveConfiguration> _drives = [];
    private readonly List<(string Drive, string? Id, DriveDeviceParts Parts, int Place)> _devices = [];
    private readonly List<int> _places = [];
    private int _next;

    public void AddDrive(string value)
    {
        DriveConfiguration drive = DriveOption.Parse(value);
        if (Find(_drives, drive.Id) >= 0)
        {
            throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(drive.Id)}' is used by two drives; ids are unique.", "-drive id");
        }

        _drives.Add(drive);
        _places.Add(_next++);
    }

    public void AddDevice(SubOptions parts)
    {
        string drive = parts.Require("drive");
        string? id = parts.TakeId();
        DriveDeviceParts shared = DriveOption.TakeDeviceParts(parts);
        parts.End();
        _devices.Add((drive, id, shared, _next++));
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
        foreach ((string drive, string? id, DriveDeviceParts shared, int place) in _devices)
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
            disk.DeviceId = id ?? "";
            DriveOption.ApplyTo(disk, shared);
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
