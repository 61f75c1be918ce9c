using System.Xml.Linq;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>The disks of a libvirt domain.</summary>
internal sealed class DomainDrives(XmlElements xml, ForeignVm vm) : DomainPart(xml, vm)
{
    internal void Read(XElement disk)
    {
        string device = Xml.Attribute(disk, "device") ?? "disk";
        string type = Xml.Attribute(disk, "type") ?? "file";
        XElement? driver = Xml.Take(disk, "driver");
        XElement? source = Xml.Take(disk, "source");
        XElement? target = Xml.Take(disk, "target");
        string? path = Xml.Attribute(source, (type == "block" ? "dev" : "file"));
        string id = Xml.Attribute(target, "dev") ?? $"disk{Vm.Drives.Count}";
        string format = Xml.Attribute(driver, "type") ?? "raw";
        _ = Xml.Attribute(driver, "name");
        string? why = type is not ("file" or "block") ? $"type='{type}': drives are raw files and block devices of the host"
            : device is "floppy" or "lun" ? $"device='{device}': drives are virtio disks"
            : path is null ? "it has no medium"
            : format != "raw" ? $"its image is {format}; 'qemu-img convert -O raw' makes a raw one, which Add-StratoDrive adds"
            : (disk.Element("encryption") ?? source?.Element("encryption")) is not null ? "it is encrypted, and would be overwritten by a guest that sees it as it lies there"
            : source?.Element("slices") is not null ? "it is a part of its image, and drives are whole images"
            : null;
        if (why is not null)
        {
            Xml.TakeWhole(disk);
            Leave(disk, $"<disk> '{id}'", why);
            return;
        }

        if (Xml.Attribute(target, "bus") is { } bus and not "virtio")
        {
            Leave(target!, $"bus='{bus}'", "the disk is a virtio disk, and the guest calls it vda, vdb and so on");
        }

        Vm.At(VmForm.Drives, Vm.Drives.Count, XmlElements.LineOf(disk));
        Vm.Drives.Add(new DriveDefinition
        {
            Id = id,
            Path = path!,
            ReadOnly = Xml.Take(disk, "readonly") is not null || device == "cdrom",
            Serial = Xml.TakeText(disk, "serial") is { Length: > 0 } serial ? serial : null,
            Io = ReadIo(disk, driver),
        });
    }

    private DriveIo ReadIo(XElement disk, XElement? driver)
    {
        DriveCache? cache = (DriveCache?)Choice(driver, "cache", DriveNames.Cache, "default");
        DriveAio? aio = (DriveAio?)Choice(driver, "io", DriveNames.Aio, "");
        if (aio == DriveAio.Native && cache is not (DriveCache.None or DriveCache.DirectSync))
        {
            Leave(driver!, "io='native'", "it needs cache='none' or 'directsync'");
            aio = null;
        }

        DriveDiscard? discard = (DriveDiscard?)Choice(driver, "discard", DriveNames.Discard, "");
        DriveDetectZeroes? zeroes = (DriveDetectZeroes?)Choice(driver, "detect_zeroes", DriveNames.DetectZeroes, "");
        string[] actions = ["report", "ignore", "stop", "enospace"];
        XElement? tune = Xml.Take(disk, "iotune");
        return new DriveIo
        {
            Cache = cache,
            Aio = aio,
            Discard = discard,
            DetectZeroes = zeroes,
            IoThread = Xml.Attribute(driver, "iothread") is { Length: > 0 } thread ? $"iothread{thread}" : null,
            QueueCount = Count(driver, Xml.Attribute(driver, "queues")),
            QueueSize = Count(driver, Xml.Attribute(driver, "queue_size")),
            WriteErrorAction = (DriveErrorAction?)Choice(driver, "error_policy", actions, ""),
            ReadErrorAction = (DriveErrorAction?)Choice(driver, "rerror_policy", actions[..3], ""),
            Iops = Count(tune, Xml.TakeText(tune, "total_iops_sec")),
            Snapshot = Xml.Take(disk, "transient") is not null ? true : null,
        };
    }
}
