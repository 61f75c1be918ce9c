using System;
using System.Collections.Generic;
using Strato.Client.Runtime;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>The devices of a command line. Backends and devices may come in any order, so they are joined at its end.</summary>
internal sealed class ForeignDevices(ForeignVm vm)
{
    private const string NotBuilt = "it isn't built";
    private const string ItIsVirtio = "the disk is a virtio disk, and the guest calls it vda, vdb and so on";
    private const string AnotherPlace = "devices have their places by the order in which they are given";

    private readonly List<(DriveDefinition Drive, int Line)> _drives = [];
    private readonly Dictionary<string, NetworkAdapterSettings> _netdevs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (ConsolePortDefinition? Port, int Line)> _chardevs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _sources = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Path, int Line)> _memory = new(StringComparer.Ordinal);
    private readonly List<(string Driver, SubOptions Parts, int Line)> _devices = [];
    private readonly HashSet<string> _claimed = new(StringComparer.Ordinal);
    private string? _machineMemory;

    /// <summary>Whether all disks throw away what is written.</summary>
    internal bool AllSnapshots { get; set; }

    internal void Add(string option, string value, int line)
    {
        switch (option)
        {
            case "-drive":
                AddDrive(new SubOptions(option, value), line);
                break;
            case "-netdev":
                AddNetdev(new SubOptions(option, value, "type", repeatable: "hostfwd"), line);
                break;
            case "-chardev":
                AddChardev(new SubOptions(option, value, "backend"), line);
                break;
            case "-object":
                AddObject(new SubOptions(option, value, "type"), line);
                break;
            case "-iothread":
                AddIoThread(new SubOptions(option, value), line);
                break;
            default:
                SubOptions parts = new(option, value, "driver");
                _devices.Add((parts.Require("driver"), parts, line));
                break;
        }
    }

    /// <summary>Tells of all parts of an option that nobody took.</summary>
    internal void LeaveRest(SubOptions parts, string why, int line)
    {
        foreach (string part in parts.TakeRest())
        {
            string key = part.Split('=')[0];
            vm.Leave($"{parts.Where(null)} {part}", key is "bus" or "addr" or "slot" or "multifunction" or "romfile" ? AnotherPlace : why, line);
        }
    }

    internal void UseMemory(string id) => _machineMemory = id;

    internal void UseHugePages(string path, int line)
    {
        foreach (HugePageInfo pages in HostHugePages.Read())
        {
            if (pages.MountPath == path.TrimEnd('/'))
            {
                vm.At("HugePage", line);
                vm.Vm = vm.Vm with { HugePage = pages.PageSize };
                return;
            }
        }

        vm.Leave($"memory in '{path}'", "no hugetlbfs is mounted there on this host; -HugePage takes the size of the pages", line);
    }

    internal void AddPlainDrive(string id, string path, bool readOnly, int line) => _drives.Add((new DriveDefinition { Id = id, Path = path, ReadOnly = readOnly }, line));

    internal void AddNic(string value, int line)
    {
        SubOptions parts = new("-nic", value, "type", repeatable: "hostfwd");
        string? mac = parts.Take("mac");
        if (parts.Take("model") is { } model)
        {
            TellModel(model, line);
        }

        _ = parts.Take("id");
        if (ReadNetdev(parts, line) is { } settings)
        {
            AddAdapter(settings with { MacAddress = mac ?? settings.MacAddress }, null, line);
        }
    }

    /// <summary>Joins devices and backends.</summary>
    internal void Finish()
    {
        foreach ((string id, (string path, int line)) in _memory)
        {
            if (id == _machineMemory)
            {
                UseHugePages(path, line);
            }
            else
            {
                vm.Leave($"-object memory-backend-file '{id}'", "-machine doesn't refer to it", line);
            }
        }

        foreach ((string driver, SubOptions parts, int line) in _devices)
        {
            try
            {
                AddDevice(driver, parts, line);
            }
            catch (UserErrorException e)
            {
                throw new StratoException(StratoErrorKind.InvalidArgument, e.Id, FormattableString.Invariant($"-FromCommandLine, line {line}, {e.Where}: {e.Message}"), e) { Where = "-device" };
            }
        }

        foreach ((string chardev, (_, int line)) in _chardevs)
        {
            if (!_claimed.Contains($"chardev {chardev}"))
            {
                vm.Leave($"-chardev '{chardev}'", "no port refers to it", line);
            }
        }

        foreach ((DriveDefinition drive, int line) in _drives)
        {
            if (!_claimed.Contains($"drive {drive.Id}"))
            {
                AddDisk(drive, line);
            }
        }

        foreach ((string netdev, NetworkAdapterSettings settings) in _netdevs)
        {
            if (!_claimed.Contains($"netdev {netdev}"))
            {
                AddAdapter(settings, netdev, 0);
            }
        }
    }

    private void AddDrive(SubOptions parts, int line)
    {
        string? path = parts.Take("file");
        string id = parts.Take("id") ?? $"disk{_drives.Count}";
        string media = parts.Take("media") ?? "disk";
        string bus = parts.Take("if") ?? "none";
        _ = parts.Take("index");
        string format = parts.Take("format") ?? parts.Take("driver") ?? "raw";
        DriveDefinition drive = new()
        {
            Id = id,
            Path = path ?? "",
            ReadOnly = parts.TakeBoolean("readonly") ?? parts.TakeBoolean("read-only") ?? media == "cdrom",
            Serial = parts.Take("serial"),
            Io = TakeIo(parts, line),
        };
        LeaveRest(parts, NotBuilt, line);
        if (bus is not ("none" or "virtio" or "pflash"))
        {
            vm.Leave($"-drive if={bus}", ItIsVirtio, line);
        }

        string? why = path is null ? "it has no file"
            : bus == "pflash" ? "the machine starts a kernel, without firmware"
            : format is not ("raw" or "host_device") ? $"its image is {format}; 'qemu-img convert -O raw' makes a raw one, which Add-StratoDrive adds"
            : null;
        if (why is null)
        {
            _drives.Add((drive, line));
        }
        else
        {
            _claimed.Add($"left {id}");
            vm.Leave($"-drive '{id}'", why, line);
        }
    }

    private DriveIo TakeIo(SubOptions parts, int line)
    {
        bool? direct = parts.TakeBoolean("direct") ?? parts.TakeBoolean("cache.direct");
        DriveCache? cache = (DriveCache?)Choice(parts, "cache", DriveNames.Cache, line);
        DriveAio? aio = (DriveAio?)Choice(parts, "aio", DriveNames.Aio, line);
        if (aio == DriveAio.Native && !(direct ?? cache is DriveCache.None or DriveCache.DirectSync))
        {
            vm.Leave("-drive aio=native", "it needs direct=on, cache=none or cache=directsync", line);
            aio = null;
        }

        return new DriveIo
        {
            Direct = direct,
            Cache = cache,
            Aio = aio,
            Discard = parts.Take("discard") switch
            {
                null => null,
                "unmap" or "on" => DriveDiscard.Unmap,
                _ => DriveDiscard.Ignore,
            },
            DetectZeroes = (DriveDetectZeroes?)Choice(parts, "detect-zeroes", DriveNames.DetectZeroes, line),
            WriteErrorAction = (DriveErrorAction?)Choice(parts, "werror", DriveNames.WriteError, line),
            ReadErrorAction = (DriveErrorAction?)Choice(parts, "rerror", DriveNames.ReadError, line),
            Iops = Count(parts, "iops") ?? Count(parts, "throttling.iops-total"),
            IoThread = parts.Take("iothread"),
            QueueCount = Count(parts, "num-queues"),
            QueueSize = Count(parts, "queue-size"),
            Snapshot = parts.TakeBoolean("snapshot"),
        };
    }

    private void AddNetdev(SubOptions parts, int line)
    {
        string id = parts.Take("id") ?? $"net{_netdevs.Count}";
        string? mac = parts.Take("mac");
        string? thread = parts.Take("iothread");
        if (ReadNetdev(parts, line) is { } settings)
        {
            _netdevs[id] = settings with { MacAddress = mac, IoThread = thread };
        }
        else
        {
            _claimed.Add($"left {id}");
        }
    }

    private NetworkAdapterSettings? ReadNetdev(SubOptions parts, int line)
    {
        string type = parts.Take("type") ?? "";
        string? tap = parts.Take("ifname") ?? parts.Take("netdev");
        if (type == "user")
        {
            List<string> forwards = parts.TakeAll("hostfwd").ConvertAll(text => PortForward.Parse(text, "hostfwd").ToString());
            LeaveRest(parts, "user networking is passt's, which has the host's own addresses", line);
            return new() { User = true, PortForward = forwards.Count == 0 ? null : forwards };
        }

        if (tap is null)
        {
            _ = parts.TakeRest();
            vm.Leave($"{parts.Where(null)} {type}", "an adapter leads to a tap of a name (ifname=), or is of user networking; Add-StratoNetworkAdapter adds one", line);
            return null;
        }

        NetworkAdapterSettings settings = new() { TapName = tap, Vhost = parts.TakeBoolean("vhost"), QueueCount = Count(parts, "queues") };
        foreach (string script in (string[])["script", "downscript"])
        {
            if (parts.Take(script) is { } program && program != "no")
            {
                vm.Leave($"{parts.Where(null)} {script}={program}", "taps are made before the VM starts", line);
            }
        }

        LeaveRest(parts, NotBuilt, line);
        return settings;
    }

    private void AddChardev(SubOptions parts, int line)
    {
        string backend = parts.Take("backend") ?? "socket";
        string id = parts.Require("id");
        string? path = parts.Take("path");
        foreach (string key in (string[])["server", "wait", "logappend", "append"])
        {
            _ = parts.TakeBoolean(key);
        }

        ConsolePortBackend? kind = backend switch
        {
            "socket" when path is not null => ConsolePortBackend.Socket,
            "file" => ConsolePortBackend.File,
            "pty" => ConsolePortBackend.Pty,
            _ => null,
        };
        LeaveRest(parts, NotBuilt, line);
        _chardevs[id] = (kind is { } known ? new ConsolePortDefinition { Id = id, Backend = known, Path = known == ConsolePortBackend.Pty ? null : path } : null, line);
    }

    private void AddObject(SubOptions parts, int line)
    {
        string type = parts.Require("type");
        switch (type)
        {
            case "iothread":
                AddIoThread(parts, line);
                break;
            case "rng-random":
                _sources[parts.Require("id")] = parts.Take("filename") ?? RngConfiguration.DefaultSource;
                LeaveRest(parts, NotBuilt, line);
                break;
            case "rng-builtin":
                _sources[parts.Require("id")] = RngConfiguration.DefaultSource;
                break;
            case "memory-backend-file":
                _memory[parts.Require("id")] = (parts.Require("mem-path"), line);
                LeaveMemory(parts, line);
                break;
            case "memory-backend-ram" or "memory-backend-memfd":
                // Plain memory, which shared folders share; of huge pages only where they are asked for.
                if (parts.TakeBoolean("hugetlb") is true)
                {
                    long size = ByteSize.TryParse(parts.Take("hugetlbsize") ?? "", out long bytes, out _) ? bytes : HostFacts.Memory().HugePageSize;
                    vm.At("HugePage", line);
                    vm.Vm = vm.Vm with { HugePage = size };
                }

                _ = parts.Take("id");
                LeaveMemory(parts, line);
                break;
            default:
                _ = parts.TakeRest();
                vm.Leave($"-object {type}", NotBuilt, line);
                break;
        }
    }

    /// <summary>Its size is that of -m, and shared folders share it.</summary>
    private void LeaveMemory(SubOptions parts, int line)
    {
        _ = parts.Take("size");
        _ = parts.TakeBoolean("share");
        LeaveRest(parts, NotBuilt, line);
    }

    private void AddIoThread(SubOptions parts, int line)
    {
        vm.At(VmForm.IoThreads, vm.IoThreads.Count, line);
        vm.IoThreads.Add(new IoThreadDefinition { Id = parts.Require("id") });
        LeaveRest(parts, NotBuilt, line);
    }

    private void AddDevice(string driver, SubOptions parts, int line)
    {
        string kind = driver;
        foreach (string end in (string[])["-device", "-pci", "-pci-non-transitional", "-pci-transitional"])
        {
            kind = kind.EndsWith(end, StringComparison.Ordinal) ? kind[..^end.Length] : kind;
        }

        if (kind is "virtio-rng" or "vhost-vsock" or "vsock" or "virtio-balloon" or "virtio-serial" or "vhost-user-fs")
        {
            _ = parts.Take("id");
        }

        switch (kind)
        {
            case "virtio-blk":
                ClaimDrive(parts, line);
                break;
            case "ide-hd" or "ide-cd" or "scsi-hd" or "scsi-cd" or "nvme" or "usb-storage":
                vm.Leave($"-device {driver}", ItIsVirtio, line);
                ClaimDrive(parts, line);
                break;
            case "virtio-net":
                ClaimNetdev(parts, line);
                break;
            case "e1000" or "e1000e" or "rtl8139" or "vmxnet3":
                vm.Leave($"-device {driver}", "the adapter is a virtio one", line);
                ClaimNetdev(parts, line);
                break;
            case "virtio-rng":
                string? rng = parts.Take("rng");
                vm.At("Rng", line);
                vm.Vm = vm.Vm with
                {
                    Rng = new()
                    {
                        Source = rng is not null && _sources.TryGetValue(rng, out string? source) ? source : RngConfiguration.DefaultSource,
                        MaxBytes = parts.TakeNumber("max-bytes") ?? 0,
                        Period = parts.TakeNumber("period") ?? RngConfiguration.DefaultPeriod,
                    },
                };
                break;
            case "vhost-vsock" or "vsock":
                vm.At("Vsock", line);
                vm.Vm = vm.Vm with { Vsock = new() { GuestCid = parts.TakeNumber("guest-cid") ?? throw parts.Invalid("'guest-cid' is missing.", "guest-cid") } };
                break;
            case "virtio-balloon":
                vm.At("Balloon", line);
                vm.Vm = vm.Vm with { Balloon = new() { DeflateOnOom = parts.TakeBoolean("deflate-on-oom") ?? false, FreePageReporting = parts.TakeBoolean("free-page-reporting") ?? false } };
                break;
            case "virtio-serial":
                break;
            case "virtconsole" or "virtserialport":
                AddPort(kind == "virtconsole", parts, line);
                break;
            case "vhost-user-fs":
                AddFolder(parts, line);
                break;
            default:
                _ = parts.TakeRest();
                vm.Leave($"-device {driver}", kind is "pcie-root-port" or "ioh3420" or "pci-bridge" ? "the machine has no PCI" : NotBuilt, line);
                break;
        }

        LeaveRest(parts, NotBuilt, line);
    }

    private void ClaimDrive(SubOptions parts, int line)
    {
        string drive = parts.Require("drive");
        _ = parts.Take("id");
        int at = _drives.FindIndex(one => one.Drive.Id == drive);
        if (at < 0)
        {
            if (!_claimed.Contains($"left {drive}"))
            {
                vm.Leave($"-device of the drive '{drive}'", "no -drive of that id is carried over", line);
            }

            _ = parts.TakeRest();
            return;
        }

        _claimed.Add($"drive {drive}");
        DriveDefinition given = _drives[at].Drive;
        DriveIo io = given.Io;
        AddDisk(
            given with
            {
                Serial = parts.Take("serial") ?? given.Serial,
                Io = io with { IoThread = parts.Take("iothread") ?? io.IoThread, QueueCount = Count(parts, "num-queues") ?? io.QueueCount, QueueSize = Count(parts, "queue-size") ?? io.QueueSize },
            },
            _drives[at].Line);
    }

    private void AddDisk(DriveDefinition drive, int line)
    {
        vm.At(VmForm.Drives, vm.Drives.Count, line);
        vm.Drives.Add(AllSnapshots && !drive.ReadOnly ? drive with { Io = drive.Io with { Snapshot = true } } : drive);
    }

    private void ClaimNetdev(SubOptions parts, int line)
    {
        string netdev = parts.Require("netdev");
        string? id = parts.Take("id");
        string? mac = parts.Take("mac");
        string? thread = parts.Take("iothread");
        _ = parts.TakeBoolean("mq");
        _ = parts.Take("vectors");
        if (!_netdevs.TryGetValue(netdev, out NetworkAdapterSettings? settings))
        {
            if (!_claimed.Contains($"left {netdev}"))
            {
                vm.Leave($"-device of the netdev '{netdev}'", "no -netdev of that id is carried over", line);
            }

            return;
        }

        _claimed.Add($"netdev {netdev}");
        AddAdapter(settings with { MacAddress = mac ?? settings.MacAddress, IoThread = thread ?? settings.IoThread }, id ?? netdev, line);
    }

    private void AddAdapter(NetworkAdapterSettings settings, string? id, int line)
    {
        vm.At(VmForm.NetworkAdapters, vm.Adapters.Count, line);
        vm.Adapters.Add(new NetworkAdapterDefinition { Id = id ?? $"net{vm.Adapters.Count}", Settings = settings });
    }

    private void TellModel(string model, int line)
    {
        if (!model.StartsWith("virtio", StringComparison.Ordinal))
        {
            vm.Leave($"-nic model={model}", "the adapter is a virtio one", line);
        }
    }

    private void AddPort(bool terminal, SubOptions parts, int line)
    {
        string chardev = parts.Require("chardev");
        string? name = parts.Take("name");
        string id = parts.Take("id") ?? chardev;
        _claimed.Add($"chardev {chardev}");
        if (!_chardevs.TryGetValue(chardev, out (ConsolePortDefinition? Port, int Line) found) || found.Port is null)
        {
            vm.Leave($"the port '{name ?? id}'", "it leads to no unix socket, file or pty; Add-StratoConsolePort adds one", line);
            return;
        }

        vm.At(VmForm.ConsolePorts, vm.Ports.Count, line);
        vm.Ports.Add(found.Port with { Id = terminal ? id : name ?? id, Terminal = terminal });
    }

    private void AddFolder(SubOptions parts, int line)
    {
        string tag = parts.Require("tag");
        string? source = parts.Take("source");
        string? chardev = parts.Take("chardev");
        _claimed.Add($"chardev {chardev}");
        if (source is null)
        {
            vm.Leave($"the shared folder '{tag}'", $"virtiofsd runs by itself ('{chardev}'), and its folder isn't in the command line; Add-StratoSharedFolder adds one, and starts virtiofsd", line);
            return;
        }

        vm.At(VmForm.SharedFolders, vm.Folders.Count, line);
        vm.Folders.Add(new SharedFolderDefinition { Tag = tag, Path = source });
    }

    private int? Choice(SubOptions parts, string key, string[] names, int line)
    {
        if (parts.Take(key) is not { } value)
        {
            return null;
        }

        int index = Array.IndexOf(names, value);
        if (index < 0)
        {
            vm.Leave($"-drive {key}={value}", $"there are {string.Join(", ", names)}", line);
        }

        return index < 0 ? null : index;
    }

    private static int? Count(SubOptions parts, string key) => parts.TakeNumber(key) is { } number ? (int)Math.Clamp(number, int.MinValue, int.MaxValue) : null;
}
