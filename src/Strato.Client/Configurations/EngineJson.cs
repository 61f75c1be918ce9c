using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Encodings.Web;
using System.Text.Json;
using Strato.Client.Runtime;
using Strato.Client.Store;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>A VM's configuration as the engine's JSON.</summary>
/// <remarks>
/// The engine's sections tell what they can. The section <c>strato</c>, which the engine passes over, has the rest in the form of
/// a .psd1: of a list that the engine's sections tell in part, each item's key with what they lack of it.
/// </remarks>
internal static class EngineJson
{
    /// <summary>The settings that the engine's sections tell, at least in part: of a file without them they are the default ones.</summary>
    private static readonly HashSet<string> Told = new(StringComparer.Ordinal)
    {
        "Machine", "Kernel", "Initrd", "CommandLine", "Memory", "HugePage", "Cpu", "NoHotPlug", VmForm.IoThreads, VmForm.Drives, VmForm.NetworkAdapters, VmForm.ConsolePorts, "Vsock", "Balloon",
    };

    internal static byte[] Write(VmDefinition vm)
    {
        VmConfiguration engine = ToEngine(vm);
        MapNode all = VmForm.Vm.Write(vm, all: true);
        MapNode told = VmForm.Vm.Write(FromEngine(engine, []), all: true);
        List<KeyValuePair<string, ConfigNode>> rest = [];
        foreach ((string name, ConfigNode value) in all.Entries)
        {
            if (!Told.Contains(name))
            {
                rest.Add(new(name, value));
            }
            else if (!Form<VmDefinition>.Same(value, told.Find(name)!))
            {
                rest.Add(new(name, value is ListNode list ? Lack(name, list, (ListNode)told.Find(name)!) : value));
            }
        }

        ArrayBufferWriter<byte> own = new();
        using (Utf8JsonWriter writer = new(own, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            Write(writer, new MapNode(rest));
        }

        engine.Strato = own.WrittenSpan.ToArray();
        return VmRules.Convert(() => ConfigurationWriter.Write(engine));
    }

    /// <param name="utf8">The file.</param>
    /// <param name="name">What it is called in errors.</param>
    /// <param name="folder">What its relative paths are relative to.</param>
    /// <param name="warnings">Told of what a definition has no place for.</param>
    /// <exception cref="StratoException">InvalidConfiguration, or what the engine calls it.</exception>
    internal static ConfigValue Read(byte[] utf8, string name, string folder, List<string> warnings)
    {
        ConfigSource source = new(name, folder, path => JsonPlace.LineOf(utf8, path));
        ConfigSource inner = source with { LineOf = path => JsonPlace.LineOf(utf8, $"strato.{path}") };
        try
        {
            VmConfiguration engine = ConfigurationReader.Read(utf8);
            MapNode own = engine.Strato is { } strato ? (MapNode)FromJson(strato) : new MapNode([]);
            warnings.AddRange(Unplaced(engine, own));
            MapNode told = VmForm.Vm.Write(FromEngine(engine, HostHugePages.Read()), all: true);
            return new ConfigValue(Join(told, own), "", inner);
        }
        catch (UserErrorException e)
        {
            throw source.Error(e.Where, e.Message, new StratoException(StratoErrorKind.InvalidData, e.Id, e.Message, e));
        }
    }

    private static VmConfiguration ToEngine(VmDefinition vm)
    {
        VmConfiguration engine = new()
        {
            MachineType = vm.Machine,
            Kernel = vm.Kernel,
            Initrd = vm.Initrd,
            CommandLine = vm.CommandLine,
            Memory = vm.Memory,
            Cpus = vm.Cpu,
            HotPlug = !vm.NoHotPlug,
            Serial = new SerialConfiguration(SerialBackend.Stdio),
        };
        foreach (HugePageInfo pages in vm.HugePage is null ? [] : HostHugePages.Read())
        {
            if (pages.PageSize == vm.HugePage && pages.MountPath is { } mount)
            {
                (engine.Backing.Path, engine.Backing.Huge) = (mount, true);
            }
        }

        foreach (IoThreadDefinition thread in vm.IoThreads)
        {
            engine.IoThreads.Add(new IoThreadConfiguration(thread.Id));
        }

        foreach (DriveDefinition drive in vm.Drives)
        {
            engine.Drives.Add(new DriveConfiguration
            {
                Id = drive.Id,
                File = drive.Path,
                ReadOnly = drive.ReadOnly,
                Serial = drive.Serial,
                Direct = drive.Io.Direct,
                Iops = drive.Io.Iops ?? 0,
                IoThread = string.IsNullOrEmpty(drive.Io.IoThread) ? null : drive.Io.IoThread,
            });
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (adapter.Settings.TapName is { } tap)
            {
                string? mac = adapter.Settings.MacAddress;
                string? thread = adapter.Settings.IoThread;
                engine.Devices.Add(new NetConfiguration
                {
                    Id = adapter.Id,
                    Netdev = new() { Interface = tap },
                    Mac = string.IsNullOrEmpty(mac) ? null : mac,
                    IoThread = string.IsNullOrEmpty(thread) ? null : thread,
                });
            }
        }

        foreach (ConsolePortDefinition port in vm.ConsolePorts)
        {
            if (port is { Terminal: true, Backend: ConsolePortBackend.Socket, Path: { } path })
            {
                ConsoleConfiguration.Of(engine, "").Ports.Add(new PortConfiguration { Id = port.Id, IsConsole = true, Backend = new SerialConfiguration(SerialBackend.Unix, path) });
            }
        }

        if (vm.Vsock is { } vsock)
        {
            engine.Devices.Add(new VsockConfiguration { GuestCid = vsock.GuestCid });
        }

        if (vm.Balloon is { } balloon)
        {
            engine.Devices.Add(new BalloonConfiguration { DeflateOnOom = balloon.DeflateOnOom });
        }

        return engine;
    }

    private static VmDefinition FromEngine(VmConfiguration engine, IReadOnlyList<HugePageInfo> hugePages)
    {
        List<NetworkAdapterDefinition> adapters = [];
        List<ConsolePortDefinition> ports = [];
        VsockDefinition? vsock = null;
        BalloonDefinition? balloon = null;
        foreach (DeviceConfiguration device in engine.Devices)
        {
            switch (device)
            {
                case NetConfiguration net:
                    adapters.Add(new() { Id = net.Id, Settings = new() { TapName = net.Netdev.Interface, MacAddress = net.Mac, IoThread = net.IoThread } });
                    break;
                case ConsoleConfiguration console:
                    ports.AddRange(console.Ports.ConvertAll(port => new ConsolePortDefinition { Id = port.Id, Terminal = true, Path = port.Backend.Path }));
                    break;
                case VsockConfiguration one:
                    vsock = new() { GuestCid = one.GuestCid };
                    break;
                case BalloonConfiguration one:
                    balloon = new() { DeflateOnOom = one.DeflateOnOom };
                    break;
            }
        }

        return VmForm.Blank() with
        {
            Machine = engine.MachineType,
            Kernel = engine.Kernel ?? "",
            Initrd = engine.Initrd,
            CommandLine = engine.CommandLine,
            Memory = engine.Memory,
            HugePage = SizeOf(engine.Backing, hugePages),
            Cpu = engine.Cpus,
            NoHotPlug = !engine.HotPlug,
            IoThreads = engine.IoThreads.ConvertAll(thread => new IoThreadDefinition { Id = thread.Id }),
            Drives = engine.Drives.ConvertAll(drive => new DriveDefinition
            {
                Id = drive.Id,
                Path = drive.File,
                ReadOnly = drive.ReadOnly,
                Serial = drive.Serial,
                Io = new() { Direct = drive.Direct == true ? true : null, Iops = drive.Iops == 0 ? null : drive.Iops, IoThread = drive.IoThread },
            }),
            NetworkAdapters = adapters,
            ConsolePorts = ports,
            Vsock = vsock,
            Balloon = balloon,
        };
    }

    private static long? SizeOf(MemoryBacking backing, IReadOnlyList<HugePageInfo> hugePages)
    {
        foreach (HugePageInfo pages in hugePages)
        {
            if (backing.Path is { } path && pages.MountPath == path)
            {
                return pages.PageSize;
            }
        }

        return null;
    }

    /// <summary>What the engine's sections say and a VM of the cmdlets hasn't.</summary>
    private static IEnumerable<string> Unplaced(VmConfiguration engine, MapNode own)
    {
        const string NoPlace = "can't be carried over: a VM of the cmdlets has no setting for it";
        if (!engine.DumpGuestCore)
        {
            yield return $"machine-config.dump_guest_core {NoPlace}.";
        }

        if (engine.MemShare && own.Find(VmForm.SharedFolders) is null)
        {
            yield return $"machine-config.mem-share {NoPlace}; shared folders bring it.";
        }

        if (engine.Backing.Preallocate)
        {
            yield return $"machine-config.mem_prealloc {NoPlace}.";
        }

        if (engine.Backing.Merge)
        {
            yield return $"machine-config.mem_merge {NoPlace}.";
        }

        if (engine.Backing.Path is { } path && own.Find("HugePage") is null && SizeOf(engine.Backing, HostHugePages.Read()) is null)
        {
            yield return $"machine-config.mem_path '{ConfigurationLimits.Printable(path)}' can't be carried over: no hugetlbfs is mounted there on this host; Set-StratoVm -HugePage takes the size of the pages.";
        }
    }

    private static ListNode Lack(string name, ListNode all, ListNode told)
    {
        List<ConfigNode> items = [];
        foreach (ConfigNode item in all.Items)
        {
            if (item is not MapNode map || Find(name, told, VmForm.KeyOf(name, item)) is not MapNode other)
            {
                items.Add(item);
                continue;
            }

            List<KeyValuePair<string, ConfigNode>> entries = [];
            foreach ((string key, ConfigNode value) in map.Entries)
            {
                if (entries.Count == 0 || other.Find(key) is not { } same || !Form<VmDefinition>.Same(value, same))
                {
                    // The first is the item's key.
                    entries.Add(new(key, value));
                }
            }

            items.Add(new MapNode(entries));
        }

        return new ListNode(items);
    }

    /// <summary>What the engine's sections tell, with the section <c>strato</c> over it.</summary>
    private static MapNode Join(MapNode told, MapNode own)
    {
        List<KeyValuePair<string, ConfigNode>> entries = [];
        foreach ((string name, ConfigNode value) in told.Entries)
        {
            if (Told.Contains(name) && own.Find(name) is null)
            {
                entries.Add(new(name, value));
            }
        }

        foreach ((string name, ConfigNode value) in own.Entries)
        {
            entries.Add(new(name, value is ListNode list && told.Find(name) is ListNode below ? Join(name, below, list) : value));
        }

        return new MapNode(entries);
    }

    private static ListNode Join(string name, ListNode told, ListNode own)
    {
        List<ConfigNode> items = [];
        foreach (ConfigNode item in own.Items)
        {
            if (item is not MapNode map || Find(name, told, VmForm.KeyOf(name, item)) is not MapNode below)
            {
                items.Add(item);
                continue;
            }

            List<KeyValuePair<string, ConfigNode>> entries = [.. map.Entries];
            foreach ((string key, ConfigNode value) in below.Entries)
            {
                if (map.Find(key) is null)
                {
                    entries.Add(new(key, value));
                }
            }

            items.Add(new MapNode(entries));
        }

        foreach (ConfigNode item in told.Items)
        {
            if (VmForm.KeyOf(name, item) is { } key && Find(name, own, key) is null)
            {
                items.Add(item);
            }
        }

        return new ListNode(items);
    }

    private static ConfigNode? Find(string name, ListNode list, string? key)
    {
        foreach (ConfigNode item in list.Items)
        {
            if (key is not null && VmForm.KeyOf(name, item) is { } other && string.Equals(other, key, StringComparison.Ordinal))
            {
                return item;
            }
        }

        return null;
    }

    private static void Write(Utf8JsonWriter writer, ConfigNode node)
    {
        switch (node)
        {
            case TextNode text:
                writer.WriteStringValue(text.Value);
                break;
            case NumberNode number:
                writer.WriteNumberValue(number.Value);
                break;
            case FlagNode flag:
                writer.WriteBooleanValue(flag.Value);
                break;
            case ListNode list:
                writer.WriteStartArray();
                foreach (ConfigNode item in list.Items)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case MapNode map:
                writer.WriteStartObject();
                foreach ((string key, ConfigNode value) in map.Entries)
                {
                    writer.WritePropertyName(key);
                    Write(writer, value);
                }

                writer.WriteEndObject();
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }

    private static ConfigNode FromJson(byte[] utf8)
    {
        using JsonDocument document = JsonDocument.Parse(utf8);
        try
        {
            return FromJson(document.RootElement, "strato");
        }
        catch (InvalidOperationException e)
        {
            throw new UserErrorException("InvalidJson", "A text is not valid UTF-8, or has half of a surrogate pair.", "strato", e);
        }
    }

    private static ConfigNode FromJson(JsonElement element, string path)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                List<KeyValuePair<string, ConfigNode>> entries = [];
                HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    string inner = $"{path}.{property.Name}";
                    entries.Add(seen.Add(property.Name) ? new(property.Name, FromJson(property.Value, inner)) : throw new UserErrorException("DuplicateField", "The field is given twice.", inner));
                }

                return new MapNode(entries);
            case JsonValueKind.Array:
                List<ConfigNode> items = [];
                foreach (JsonElement item in element.EnumerateArray())
                {
                    items.Add(FromJson(item, $"{path}[{items.Count}]"));
                }

                return new ListNode(items);
            case JsonValueKind.String:
                return new TextNode(element.GetString()!);
            case JsonValueKind.Number:
                return element.TryGetInt64(out long number)
                    ? new NumberNode(number)
                    : throw new UserErrorException("InvalidField", $"The value is the number {ConfigurationLimits.Printable(element.GetRawText())}; it must be a whole number below 2^63.", path);
            case JsonValueKind.True or JsonValueKind.False:
                return new FlagNode(element.GetBoolean());
            default:
                return NullNode.Value;
        }
    }
}
