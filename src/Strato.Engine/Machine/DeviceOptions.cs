using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Devices' options by their names on the command line, as a snapshot tells them; those that have no value of their own are left out.</summary>
internal static class DeviceOptions
{
    /// <summary>What <c>-device</c> calls a kind of device.</summary>
    /// <param name="type">A <see cref="VirtioType"/>.</param>
    public static string DriverOf(uint type) => type switch
    {
        VirtioType.Network => "virtio-net-device",
        VirtioType.Block => "virtio-blk-device",
        VirtioType.Console => "virtio-serial-device",
        VirtioType.Entropy => "virtio-rng-device",
        VirtioType.Balloon => "virtio-balloon-device",
        VirtioType.Socket => "vhost-vsock-device",
        _ => "vhost-user-fs-device",
    };

    /// <param name="drive">As it was given.</param>
    /// <param name="status">As it is: a limit may have changed.</param>
    public static List<(string Name, string Value)> Of(DriveConfiguration drive, in DriveStatus status)
    {
        List<(string, string)> options = [("drive", drive.Id), ("readonly", Switch(drive.ReadOnly))];
        Add(options, "serial", drive.Serial);
        Add(options, "iothread", drive.IoThread);
        Add(options, "aio", drive.Aio is { } aio ? DriveNames.Of(aio) : null);
        Add(options, "cache", drive.Cache is { } cache ? DriveNames.Of(cache) : null);
        Add(options, "direct", drive.Direct is { } direct ? Switch(direct) : null);
        Add(options, "iops", status.Iops == 0 ? null : Number(status.Iops));
        Add(options, "discard", drive.Discard == default ? null : DriveNames.Discard[(int)drive.Discard]);
        Add(options, "detect-zeroes", drive.DetectZeroes == default ? null : DriveNames.DetectZeroes[(int)drive.DetectZeroes]);
        Add(options, "werror", drive.WriteError == default ? null : DriveNames.Of(drive.WriteError));
        Add(options, "rerror", drive.ReadError == default ? null : DriveNames.Of(drive.ReadError));
        Add(options, "snapshot", drive.Snapshot ? "on" : null);
        return options;
    }

    /// <param name="net">Where the interface leads.</param>
    /// <param name="mac">Its address.</param>
    public static List<(string Name, string Value)> Of(NetdevConfiguration net, string mac)
    {
        List<(string, string)> options = [("netdev", net.Id), ("mac", mac), ("type", NetdevNames.Kinds[(int)net.Kind])];
        Add(options, "queues", net.Queues == 1 ? null : Number(net.Queues));
        Add(options, "vhost", net.Vhost ? "on" : null);
        return options;
    }

    public static List<(string Name, string Value)> Of(DeviceConfiguration device)
    {
        List<(string, string)> options = [];
        Add(options, "iothread", device.IoThread);
        switch (device)
        {
            case RngConfiguration rng:
                Add(options, "rng", rng.Source);
                Add(options, "max-bytes", rng.MaxBytes is { } most ? Number(most) : null);
                Add(options, "period", rng.MaxBytes is null ? null : Number(rng.Period));
                break;
            case VsockConfiguration vsock:
                Add(options, "guest-cid", Number(vsock.GuestCid));
                break;
            case BalloonConfiguration balloon:
                Add(options, "deflate-on-oom", Switch(balloon.DeflateOnOom));
                Add(options, "free-page-reporting", Switch(balloon.FreePageReporting));
                break;
            case ConsoleConfiguration console:
                Add(options, "max_ports", console.Room is { } room ? Number(room) : null);
                AddPorts(options, console);
                break;
        }

        return options;
    }

    private static void AddPorts(List<(string Name, string Value)> options, ConsoleConfiguration console)
    {
        int[] numbers = console.GetNumbers();
        for (int i = 0; i < numbers.Length; i++)
        {
            PortConfiguration port = console.Ports[i];
            Add(options, $"port {Number(numbers[i])}", port.IsConsole ? "virtconsole" : $"virtserialport,name={port.Name}");
        }
    }

    private static void Add(List<(string Name, string Value)> options, string name, string? value)
    {
        if (value is not null)
        {
            options.Add((name, value));
        }
    }

    private static string Switch(bool on) => on ? "on" : "off";

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
