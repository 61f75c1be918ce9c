using System;
using System.Collections.Generic;
using System.Text;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>One kind of thing that an option makes.</summary>
/// <param name="Name">How the option names it.</param>
/// <param name="Usage">Its parts, for the help.</param>
/// <param name="Add">Takes its parts and puts it into the options.</param>
internal sealed record DriverSpec(string Name, string Usage, Action<Options, SubOptions> Add);

/// <summary>An option whose first part names a kind of thing, each of which has parts of its own: a new kind is a line here.</summary>
internal sealed class DriverTable
{
    public static readonly DriverTable Devices = new(
        "-device",
        "driver",
        "device",
        new DriverSpec("virtio-blk-device", DriveList.DeviceUsage, (options, parts) => options.Drives.AddDevice(parts)),
        new DriverSpec("virtio-net-device", NetOption.DeviceUsage, NetOption.AddDevice),
        new DriverSpec("virtio-rng-device", RngOption.DeviceUsage, RngOption.AddDevice),
        new DriverSpec("vhost-vsock-device", VsockOption.DeviceUsage, VsockOption.AddDevice),
        new DriverSpec("vsock", VsockOption.DeviceUsage, VsockOption.AddDevice),
        new DriverSpec("virtio-serial-device", ConsoleOption.BusUsage, ConsoleOption.AddBus),
        new DriverSpec("virtconsole", ConsoleOption.ConsoleUsage, ConsoleOption.AddConsole),
        new DriverSpec("virtserialport", ConsoleOption.PortUsage, ConsoleOption.AddPort),
        new DriverSpec("vhost-user-fs-device", FsOption.DeviceUsage, FsOption.AddDevice),
        new DriverSpec("virtio-balloon-device", BalloonOption.DeviceUsage, BalloonOption.AddDevice));

    public static readonly DriverTable Objects = new(
        "-object",
        "type",
        "object",
        new DriverSpec("iothread", IoThreadOption.ObjectUsage, IoThreadOption.AddObject),
        new DriverSpec("rng-random", RngOption.ObjectUsage, RngOption.AddObject),
        new DriverSpec("memory-backend-ram", MemoryOption.RamUsage, MemoryOption.AddRam),
        new DriverSpec("memory-backend-file", MemoryOption.FileUsage, MemoryOption.AddFile),
        new DriverSpec("memory-backend-memfd", MemoryOption.MemfdUsage, MemoryOption.AddMemfd));

    private readonly string _option;
    private readonly string _key;
    private readonly string _noun;
    private readonly Dictionary<string, DriverSpec> _drivers = new(StringComparer.Ordinal);

    private DriverTable(string option, string key, string noun, params DriverSpec[] drivers)
    {
        (_option, _key, _noun) = (option, key, noun);
        StringBuilder usage = new();
        foreach (DriverSpec driver in drivers)
        {
            _drivers.Add(driver.Name, driver);
            usage.Append("\n          ").Append(driver.Name).Append(driver.Usage.StartsWith('[') ? "" : ",").Append(driver.Usage);
        }

        Usage = usage.ToString();
    }

    /// <summary>A line for each kind, each after a newline.</summary>
    public string Usage { get; }

    /// <summary>Reads the option's value.</summary>
    public void Add(Options options, string value)
    {
        SubOptions parts = new(_option, value, _key);
        string name = parts.Require(_key);
        if (!_drivers.TryGetValue(name, out DriverSpec? driver))
        {
            string allowed = string.Join(", ", _drivers.Keys);
            throw parts.Invalid($"The {_noun} '{ConfigurationLimits.Printable(name)}' is unknown{NearName.Hint(name, _drivers.Keys)}; allowed: {allowed}.");
        }

        driver.Add(options, parts);
    }
}
