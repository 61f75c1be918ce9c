using System;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that put disks, network interfaces, ports and CPUs into the machine, and take them out.</summary>
/// <remarks>As seed 003 prints them for StratoVirt's microVM; what QEMU's clients say beside that is understood where it means the same.</remarks>
internal static class DeviceCommands
{
    private static readonly string[] DiskOnly = ["drive", "lun", "serial", "serial_num", "num-queues", "queue-size", "write-cache", "werror", "rerror"];
    private static readonly string[] NetOnly = ["netdev", "mac", "up"];

    // In the order of NetdevKind.
    private static readonly string[][] ArgumentsOfType = [["ifname", "fd", "fds", "queues", "vhost", "vhostfd", "vhostfds"], ["hostfwd"], ["addr"]];

    private const string DiskDriver = "virtio-blk-mmio";
    private const string NetDriver = "virtio-net-mmio";

    public static void AddNode(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        QmpObject file = arguments.Object("file");
        QmpObject cache = arguments.Object("cache");
        string node = arguments.Require("node-name");
        bool direct = cache.Boolean("direct") ?? false;
        DriveConfiguration drive = new()
        {
            Id = node,
            File = file.Require("filename"),
            ReadOnly = arguments.Boolean("read-only") ?? false,
            Direct = direct,
            Cache = cache.Boolean("no-flush") == true
                ? direct ? throw new QmpException("Parameter 'cache.no-flush' goes with cache.direct=false alone") : DriveCache.Unsafe
                : null,
            Aio = (DriveAio?)(file.Choice("aio", DriveNames.Aio) ?? arguments.Choice("aio", DriveNames.Aio)),
            Discard = (DriveDiscard)(arguments.Choice("discard", DriveNames.Discard) ?? 0),
            DetectZeroes = (DriveDetectZeroes)(arguments.Choice("detect-zeroes", DriveNames.DetectZeroes) ?? 0),
            Snapshot = arguments.Boolean("snapshot") ?? false,
            SnapshotFile = arguments.Text("snapshot-file"),
            Iops = Small(arguments, "iops") ?? 0,
            Where = "blockdev-add",
        };
        Run(() =>
        {
            ConfigurationLimits.CheckPath(drive.File, $"drive '{ConfigurationLimits.Printable(node)}'", "file.filename");
            if (drive.SnapshotFile is { } changes)
            {
                if (!drive.Snapshot || drive.ReadOnly)
                {
                    throw new QmpException("Parameter 'snapshot-file' goes with snapshot=true and read-only=false alone");
                }

                ConfigurationLimits.CheckPath(changes, $"drive '{ConfigurationLimits.Printable(node)}'", "snapshot-file");
            }

            drive.CheckIo();
            call.Machine.HotPlug.AddNode(drive);
        });
    }

    public static void RemoveNode(QmpCall call)
    {
        string node = call.Arguments.Require("node-name");
        Run(() => call.Machine.HotPlug.RemoveNode(node));
    }

    public static void AddNetdev(QmpCall call)
    {
        QmpObject arguments = call.Arguments;
        string id = arguments.Require("id");
        NetdevKind kind = (NetdevKind)(arguments.Choice("type", NetdevNames.Kinds) ?? 0);
        CheckArguments(arguments, kind);
        List<string> files = Names(arguments, "fd", "fds");
        List<string> vhostFiles = Names(arguments, "vhostfd", "vhostfds");
        bool vhost = Switch(arguments, "vhost") ?? vhostFiles.Count > 0;
        if (vhostFiles.Count > 0 && !vhost)
        {
            throw new QmpException($"Parameter '{(arguments.Find("vhostfd").IsEmpty ? "vhostfds" : "vhostfd")}' needs vhost=on");
        }

        if (files.Count > 0 && !arguments.Find("queues").IsEmpty)
        {
            throw new QmpException("Parameter 'queues' doesn't go with 'fd' and 'fds', which say how many there are");
        }

        QmpObject address = arguments.Object("addr");
        string? path = null;
        if (kind == NetdevKind.Stream && address.Choice("type", ["unix", "fd"]) == 1)
        {
            files.Add(address.Require("str"));
        }
        else if (kind == NetdevKind.Stream)
        {
            path = address.Require("path");
        }

        CheckUnique([.. files, .. vhostFiles]);
        NetdevConfiguration netdev = new()
        {
            Id = id,
            Kind = kind,
            Interface = arguments.Text("ifname"),
            Descriptors = files.ConvertAll(name => (long)call.Files.Find(name)),
            Queues = files.Count > 0 ? files.Count : arguments.Number("queues") ?? 1,
            Vhost = vhost,
            VhostDescriptors = vhostFiles.ConvertAll(name => (long)call.Files.Find(name)),
            SocketPath = path,
            Forwards = Forwards(arguments.Find("hostfwd")),
            Where = "netdev_add",
        };
        Run(() =>
        {
            netdev.Check();
            call.Machine.HotPlug.CheckNetdev(id);
            files.ForEach(call.Files.Give);
            vhostFiles.ForEach(call.Files.Give);
            call.Machine.HotPlug.AddNetdev(netdev);
        });
    }

    public static void RemoveNetdev(QmpCall call)
    {
        string id = call.Arguments.Require("id");
        Run(() => call.Machine.HotPlug.RemoveNetdev(id));
    }

    public static void AddDevice(QmpCall call)
    {
        call.Migration.RefuseWhileActive("a device that comes");
        QmpObject arguments = call.Arguments;
        string driver = arguments.Require("driver");
        if (driver == CpuCommands.Driver)
        {
            Run(() => CpuCommands.Add(call));
            return;
        }

        if (driver is ChardevCommands.PortDriver or ChardevCommands.ConsoleDriver)
        {
            Run(() => ChardevCommands.AddPort(call, driver));
            return;
        }

        bool disk = driver switch
        {
            DiskDriver or "virtio-blk-device" => true,
            NetDriver or "virtio-net-device" => false,
            string other => throw new QmpException($"'{ConfigurationLimits.Printable(other)}' can't be plugged into a running microvm; allowed: {DiskDriver}, {NetDriver}, {CpuCommands.Driver}, {ChardevCommands.PortDriver}, {ChardevCommands.ConsoleDriver}"),
        };
        long? address = arguments.Number("addr");
        if (arguments.Number("lun") is { } lun)
        {
            // lun 0 is vdb: vda is the guest's own.
            address = address is null ? lun + 1 : throw new QmpException("Parameters 'addr' and 'lun' are both given; give one (lun 0 is addr 0x1)");
        }

        foreach (string name in (string[])[.. disk ? NetOnly : DiskOnly, .. CpuCommands.PlaceArguments, .. ChardevCommands.PortArguments])
        {
            if (!arguments.Find(name).IsEmpty)
            {
                throw new QmpException($"Parameter '{name}' doesn't go with {(disk ? DiskDriver : NetDriver)}");
            }
        }

        DeviceRequest request = new(arguments.Require("id"), arguments.Text(disk ? "drive" : "netdev"), address)
        {
            IoThread = arguments.Text("iothread"),
            Serial = arguments.Text("serial") ?? arguments.Text("serial_num"),
            QueueCount = Small(arguments, "num-queues"),
            QueueSize = Small(arguments, "queue-size"),
            WriteCache = Switch(arguments, "write-cache") ?? true,
            WriteError = (DriveErrorAction)(arguments.Choice("werror", DriveNames.WriteError) ?? 0),
            ReadError = (DriveErrorAction)(arguments.Choice("rerror", DriveNames.ReadError) ?? 0),
            Mac = arguments.Text("mac"),
            LinkUp = arguments.Boolean("up") ?? true,
        };
        Run(() =>
        {
            if (request.Serial is not null)
            {
                ConfigurationLimits.CheckSerialNumber(request.Serial, "serial");
            }

            if (disk)
            {
                call.Machine.HotPlug.AddDisk(request);
            }
            else
            {
                call.Machine.HotPlug.AddNic(request);
            }
        });
    }

    public static void RemoveDevice(QmpCall call)
    {
        call.Migration.RefuseWhileActive("a device that goes");
        string id = call.Arguments.Require("id");
        Run(() =>
        {
            if (!call.Machine.RequestCpuRemoval(id) && !call.Machine.Ports.Remove(id))
            {
                call.Machine.HotPlug.Remove(id);
            }
        });
    }

    public static void GetFile(QmpCall call) => call.Files.Name(call.Arguments.Require("fdname"));

    public static void CloseFile(QmpCall call)
    {
        string name = call.Arguments.Require("fdname");
        if (!call.Files.Close(name))
        {
            throw new QmpException($"File descriptor named '{ConfigurationLimits.Printable(name)}' has not been found");
        }
    }

    /// <summary>Ours: neither QEMU nor StratoVirt has one for places that are there from the start.</summary>
    public static void Slots(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (SlotStatus slot in call.Machine.HotPlug.Slots)
        {
            json.WriteStartObject();
            json.WriteString("addr", slot.Address);
            if (slot.Device is not null)
            {
                json.WriteString("device", slot.Device);
            }

            json.WriteString("driver", slot.IsDisk ? DiskDriver : NetDriver);
            json.WriteString("guest-name", slot.GuestName);
            if (slot.Mac is not null)
            {
                json.WriteString("mac", slot.Mac);
            }

            json.WriteBoolean("needs-reset", slot.NeedsReset);
            if (slot.Backend is not null)
            {
                json.WriteString(slot.IsDisk ? "node-name" : "netdev", slot.Backend);
            }

            if (slot.IsDisk)
            {
                json.WriteBoolean("read-only", slot.IsReadOnly);
            }

            json.WriteBoolean("seen", slot.IsSeen);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>An error's message is enough: the places it could name are options' and files'.</summary>
    public static void Run(Action work)
    {
        try
        {
            work();
        }
        catch (UserErrorException e)
        {
            throw new QmpException(e.Id == "DeviceNotFound" ? QmpErrorClass.DeviceNotFound : QmpErrorClass.GenericError, e.Message);
        }
    }

    /// <summary>Names of descriptors: one, or several divided by colons.</summary>
    private static List<string> Names(QmpObject arguments, string one, string several) => (arguments.Text(one), arguments.Text(several)) switch
    {
        ({ } name, null) => [name],
        (null, { } names) => [.. names.Split(':')],
        (null, null) => [],
        _ => throw new QmpException($"Parameters '{one}' and '{several}' are both given; give one"),
    };

    /// <summary>Refuses arguments of another type of netdev.</summary>
    private static void CheckArguments(QmpObject arguments, NetdevKind kind)
    {
        foreach (string[] names in ArgumentsOfType)
        {
            foreach (string name in names)
            {
                if (names != ArgumentsOfType[(int)kind] && !arguments.Find(name).IsEmpty)
                {
                    throw new QmpException($"Parameter '{name}' doesn't go with type={NetdevNames.Kinds[(int)kind]}");
                }
            }
        }
    }

    /// <summary>Each descriptor serves one purpose: whoever is given it closes it.</summary>
    private static void CheckUnique(List<string> names)
    {
        for (int i = 0; i < names.Count; i++)
        {
            if (names.IndexOf(names[i]) < i)
            {
                throw new QmpException($"Descriptor '{ConfigurationLimits.Printable(names[i])}' is given twice");
            }
        }
    }

    /// <summary>Ports of the host, as QEMU has them: <c>[{"str": "tcp::2222-:22"}]</c>.</summary>
    private static List<PortForward> Forwards(ReadOnlySpan<byte> text)
    {
        List<PortForward> forwards = [];
        if (text.IsEmpty)
        {
            return forwards;
        }

        if (text[0] != (byte)'[')
        {
            throw new QmpException("Parameter 'hostfwd' must be an array");
        }

        Utf8JsonReader reader = new(text);
        _ = reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            int start = (int)reader.TokenStartIndex;
            bool isObject = reader.TokenType == JsonTokenType.StartObject;
            reader.Skip();
            string forward = isObject ? new QmpObject(text[start..(int)reader.BytesConsumed], "hostfwd.").Require("str") : throw new QmpException("Parameter 'hostfwd' must be an array of objects");
            Run(() => forwards.Add(PortForward.Parse(forward, "hostfwd")));
        }

        return forwards;
    }

    /// <summary>A boolean, or on and off as StratoVirt's examples have it.</summary>
    private static bool? Switch(QmpObject arguments, string name) =>
        arguments.Find(name) is [(byte)'"', ..] ? arguments.Choice(name, ["off", "on"]) == 1 : arguments.Boolean(name);

    private static int? Small(QmpObject arguments, string name) =>
        arguments.Number(name) is { } number ? (int)long.Clamp(number, int.MinValue, int.MaxValue) : null;
}
