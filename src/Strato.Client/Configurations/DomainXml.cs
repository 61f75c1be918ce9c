using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Xml;
using System.Xml.Linq;
using Strato.Client.Runtime;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>Reads a libvirt domain (https://libvirt.org/formatdomain.html). What no VM of Strato has is told by element and line.</summary>
internal sealed class DomainXml : DomainPart
{
    private const string AnotherPlace = "devices have their places by the order in which they are given";

    /// <summary>What is said of elements that nobody takes, by their names; any other isn't built.</summary>
    private static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["uuid"] = "a VM has an id of Strato's own",
        ["metadata"] = "it is another program's; -Notes takes text",
        ["emulator"] = "the engine is Strato's own",
        ["loader"] = "the machine starts a kernel, without firmware",
        ["nvram"] = "the machine starts a kernel, without firmware",
        ["bios"] = "the machine starts a kernel, without firmware",
        ["smbios"] = "the machine has no SMBIOS",
        ["sysinfo"] = "the machine has no SMBIOS",
        ["boot"] = "the machine starts a kernel, and root= on its command line tells the disk",
        ["address"] = AnotherPlace,
        ["alias"] = "it is libvirt's own name",
        ["controller"] = "each device has its own place; there are no controllers",
        ["graphics"] = "the machine has no screen: the serial console is its terminal (Enter-StratoConsole)",
        ["video"] = "the machine has no screen: the serial console is its terminal (Enter-StratoConsole)",
        ["input"] = "the machine has no screen, keyboard or mouse",
        ["sound"] = "the machine has no sound",
        ["audio"] = "the machine has no sound",
        ["redirdev"] = "the machine has no USB",
        ["hub"] = "the machine has no USB",
        ["hostdev"] = "devices of the host aren't passed through",
        ["tpm"] = "there is no virtual TPM",
        ["watchdog"] = "there is no watchdog",
        ["numatune"] = "memory isn't bound to nodes; numactl starts PowerShell on one",
        ["numa"] = "the machine has one node",
        ["seclabel"] = "engines shut themselves in (docs/sandbox.md)",
        ["backingStore"] = "only raw images are read; qemu-img convert -O raw makes one",
        ["cache"] = "the guest sees the host's caches",
        ["timer"] = "the guest's clock is KVM's",
        ["stats"] = "Get-StratoBalloon asks when it is asked",
    };

    private readonly Func<long> _freeCid;
    private readonly FindSwitch _findSwitch;

    private DomainXml(XmlElements xml, ForeignVm vm, Func<long> freeCid, FindSwitch findSwitch)
        : base(xml, vm)
    {
        _freeCid = freeCid;
        _findSwitch = findSwitch;
    }

    /// <param name="stream">The document.</param>
    /// <param name="name">Its path, for errors.</param>
    /// <param name="folder">What relative paths are relative to.</param>
    /// <param name="freeCid">Gives a vsock address that no VM has, for a domain that has one chosen.</param>
    /// <param name="findSwitch">Gives the switch that stands for a network or bridge.</param>
    /// <exception cref="StratoException">InvalidDomainXml, with the line.</exception>
    internal static VmConfigurationDocument Read(Stream stream, string name, string folder, Func<long> freeCid, FindSwitch findSwitch)
    {
        try
        {
            XmlElements xml = XmlElements.Read(stream);
            ForeignVm vm = new(name);
            if (xml.Root.Name != "domain")
            {
                throw Invalid(name, XmlElements.LineOf(xml.Root), $"it is <{xml.Root.Name.LocalName}>; a libvirt domain is expected, as virsh dumpxml prints it");
            }

            DomainXml domain = new(xml, vm, freeCid, findSwitch);
            domain.ReadAll();
            domain.TellLeft();
            return vm.ToDocument(folder);
        }
        catch (XmlException e)
        {
            // Its own text ends with the place.
            string reason = e.Message.Split(" Line ")[0].TrimEnd('.');
            throw Invalid(name, e.LineNumber, e.Message.Contains("DTD", StringComparison.Ordinal) ? "it has a DTD, which is not allowed" : reason, e);
        }
    }

    private static StratoException Invalid(string name, int line, string problem, Exception? inner = null) =>
        new(StratoErrorKind.InvalidData, "InvalidDomainXml", string.Create(CultureInfo.InvariantCulture, $"In '{name}', line {line}: {ConfigurationLimits.Printable(problem)}."), inner) { Where = name };

    private void ReadAll()
    {
        XElement root = Xml.Root;
        if (Xml.Attribute(root, "type") is { } type and not "kvm")
        {
            Leave(root, $"type='{type}'", "the machine runs on KVM");
        }

        _ = Xml.Attribute(root, "id");
        string name = Xml.TakeText(root, "name") ?? "";
        string title = Xml.TakeText(root, "title") ?? "";
        string description = Xml.TakeText(root, "description") ?? "";
        Vm.Vm = Vm.Vm with { Name = name, Notes = title.Length > 0 && description.Length > 0 ? $"{title}\n{description}" : title + description };
        ReadMemory(root);
        ReadProcessors(root);
        ReadBoot(root);
        ReadEnds(root);
        XElement? devices = Xml.Take(root, "devices");
        DomainDrives drives = new(Xml, Vm);
        foreach (XElement disk in Xml.TakeAll(devices, "disk"))
        {
            drives.Read(disk);
        }

        DomainAdapters adapters = new(Xml, Vm, _findSwitch);
        foreach (XElement adapter in Xml.TakeAll(devices, "interface"))
        {
            adapters.Read(adapter);
        }

        new DomainDevices(Xml, Vm, _freeCid).Read(devices);
    }

    private void ReadMemory(XElement root)
    {
        XElement? element = Xml.Take(root, "memory");
        long? memory = Amount(element);
        XElement? current = Xml.Take(root, "currentMemory");
        if (memory is { } bytes)
        {
            const long Page = ConfigurationLimits.MemoryGranularity;
            long whole = (bytes + Page - 1) / Page * Page;
            Vm.Vm = Vm.Vm with { Memory = whole };
            Vm.At("Memory", XmlElements.LineOf(element!));
            if (whole != bytes)
            {
                Leave(element!, "<memory>", $"{bytes} bytes aren't whole pages, and became {whole}");
            }
        }

        if (current is not null && Amount(current) is { } less && less != memory)
        {
            Leave(current, "<currentMemory>", "the guest starts with all of its memory; Set-StratoBalloon -Target takes some back");
        }

        XElement? backing = Xml.Take(root, "memoryBacking");
        if (Xml.Take(backing, "hugepages") is { } huge)
        {
            XElement? page = Xml.Take(huge, "page");
            long size = Size(Xml.Attribute(page, "size"), Xml.Attribute(page, "unit"), page) ?? HostFacts.Memory().HugePageSize;
            Vm.Vm = Vm.Vm with { HugePage = size };
            Vm.At("HugePage", XmlElements.LineOf(huge));
        }
    }

    private void ReadProcessors(XElement root)
    {
        XElement? vcpu = Xml.Take(root, "vcpu");
        int? most = Count(vcpu, vcpu?.Value.Trim());
        int? current = Count(vcpu, Xml.Attribute(vcpu, "current"));
        if (most is { } all)
        {
            Vm.At("Cpu", XmlElements.LineOf(vcpu!));
            Vm.Vm = Vm.Vm with { Cpu = current ?? all };
            if (current is not null && current != all)
            {
                Vm.WithProcessor(one => one with { Maximum = all });
            }
        }

        if (Xml.Attribute(vcpu, "placement") is { } placement and not "static")
        {
            Leave(vcpu!, $"placement='{placement}'", "CPUs are pinned by Set-StratoCpu -Affinity");
        }

        XElement? tune = Xml.Take(root, "cputune");
        HashSet<int> pinned = ReadPins(tune);
        if (Xml.Attribute(vcpu, "cpuset") is { } set)
        {
            for (int cpu = 0; cpu < Math.Clamp(most ?? 1, 0, ConfigurationLimits.MaxCpus); cpu++)
            {
                if (!pinned.Contains(cpu))
                {
                    AddPin(vcpu!, set, cpu, null);
                }
            }
        }

        ReadShares(tune);
        ReadModel(Xml.Take(root, "cpu"));
        int? threads = Count(Xml.Root, Xml.TakeText(root, "iothreads"));
        XElement? ids = Xml.Take(root, "iothreadids");
        List<string> numbers = [];
        foreach (XElement one in Xml.TakeAll(ids, "iothread"))
        {
            if (Xml.Attribute(one, "id") is { } id)
            {
                numbers.Add(id);
            }
        }

        // libvirt numbers those that have no number of their own from 1.
        for (int number = 1; numbers.Count < Math.Min(threads ?? 0, 1000); number++)
        {
            string next = number.ToString(CultureInfo.InvariantCulture);
            if (!numbers.Contains(next))
            {
                numbers.Add(next);
            }
        }

        numbers.ForEach(number => Vm.IoThreads.Add(new IoThreadDefinition { Id = $"iothread{number}" }));
    }

    private HashSet<int> ReadPins(XElement? tune)
    {
        HashSet<int> pinned = [];
        foreach (XElement pin in Xml.TakeAll(tune, "vcpupin"))
        {
            if (Count(pin, Xml.Attribute(pin, "vcpu")) is { } cpu && Xml.Attribute(pin, "cpuset") is { } set && pinned.Add(cpu))
            {
                AddPin(pin, set, cpu, null);
            }
        }

        foreach (XElement pin in Xml.TakeAll(tune, "iothreadpin"))
        {
            if (Xml.Attribute(pin, "iothread") is { } thread && Xml.Attribute(pin, "cpuset") is { } set)
            {
                AddPin(pin, set, null, $"iothread{thread}");
            }
        }

        if (Xml.Take(tune, "emulatorpin") is { } emulator && Xml.Attribute(emulator, "cpuset") is { } cpus)
        {
            AddPin(emulator, cpus, null, null);
        }

        return pinned;
    }

    private void AddPin(XElement element, string set, int? cpu, string? thread)
    {
        try
        {
            string canonical = HostCpus.Parse(set, "cpuset").ToString();
            Vm.At(VmForm.Affinity, Vm.Pins.Count, XmlElements.LineOf(element));
            Vm.Pins.Add(new AffinityDefinition { Cpu = cpu, IoThread = thread, HostCpus = canonical });
        }
        catch (StratoException e)
        {
            Leave(element, $"cpuset='{set}'", e.Message.TrimEnd('.'));
        }
    }

    private void ReadShares(XElement? tune)
    {
        XElement? shares = Xml.Take(tune, "shares");
        if (Count(shares, shares?.Value.Trim()) is { } weight)
        {
            if (weight is >= 1 and <= 10000)
            {
                Vm.WithProcessor(one => one with { Weight = weight });
            }
            else
            {
                Leave(shares!, "<shares>", $"a weight is 1 to 10000, and this is {weight}");
            }
        }

        XElement? period = Xml.Take(tune, "global_period");
        XElement? quota = Xml.Take(tune, "global_quota");
        const int DefaultPeriod = 100_000;
        if (quota is not null && Count(quota, quota.Value.Trim()) is { } microseconds and > 0)
        {
            long percent = 100L * microseconds / (Count(period, period?.Value.Trim()) is { } given and > 0 ? given : DefaultPeriod);
            Vm.WithProcessor(one => one with { Quota = (int)Math.Clamp(percent, 1, 1_000_000) });
        }

        foreach (string each in (string[])["quota", "period"])
        {
            if (Xml.Take(tune, each) is { } own)
            {
                Leave(own, $"<{each}>", "it is for each CPU by itself; Set-StratoCpu -Quota is for the whole VM");
            }
        }
    }

    private void ReadModel(XElement? cpu)
    {
        string? mode = Xml.Attribute(cpu, "mode");
        XElement? model = Xml.Take(cpu, "model");
        if (mode is "host-model" or "maximum")
        {
            Leave(cpu!, $"mode='{mode}'", "the guest gets all that KVM offers (host)");
        }

        if (model?.Value.Trim() is { Length: > 0 } name && mode is null or "custom")
        {
            if (Array.Exists([.. CpuModel.Names], known => string.Equals(known, name, StringComparison.OrdinalIgnoreCase)))
            {
                Vm.WithProcessor(one => one with { Model = name.ToLowerInvariant() });
            }
            else
            {
                Leave(model, $"the CPU model '{name}'", $"it is unknown here, and became host; there are {string.Join(", ", CpuModel.Names)}");
            }
        }

        foreach (string check in (string[])["match", "check", "migratable"])
        {
            _ = Xml.Attribute(cpu, check);
        }

        _ = Xml.Attribute(model, "fallback");
        if (Xml.Take(cpu, "topology") is { } topology)
        {
            Vm.At("Socket", XmlElements.LineOf(topology));
            int? Level(string level) => Count(topology, Xml.Attribute(topology, level));
            (int? sockets, int? dies, int? clusters, int? cores, int? threads) = (Level("sockets"), Level("dies"), Level("clusters"), Level("cores"), Level("threads"));
            if (clusters > 1)
            {
                Leave(topology, $"clusters='{clusters}'", "cores aren't in clusters; they became cores of the die");
                cores *= clusters;
            }

            Vm.WithProcessor(one => one with { Sockets = sockets, Dies = dies is 1 ? null : dies, Cores = cores, Threads = threads });
        }

        foreach (XElement feature in Xml.TakeAll(cpu, "feature"))
        {
            string policy = Xml.Attribute(feature, "policy") ?? "require";
            string flag = Xml.Attribute(feature, "name") ?? "";
            if (policy == "optional")
            {
                Leave(feature, $"the CPU feature '{flag}'", "a feature is wanted or not, and not where it can be had");
            }
            else
            {
                Vm.AddFeature(flag, policy is "require" or "force", XmlElements.LineOf(feature));
            }
        }
    }

    private void ReadBoot(XElement root)
    {
        XElement? os = Xml.Take(root, "os");
        if (Xml.Take(os, "type") is { } type)
        {
            string machine = Xml.Attribute(type, "machine") ?? "microvm";
            if (!machine.Contains("microvm", StringComparison.OrdinalIgnoreCase))
            {
                Leave(type, $"machine='{machine}'", "the machine is a microvm; its guest needs virtio drivers, and no PCI");
            }

            if (Xml.Attribute(type, "arch") is { } arch and not "x86_64")
            {
                Leave(type, $"arch='{arch}'", "the machine is x86-64");
            }
        }

        XElement? kernel = Xml.Take(os, "kernel");
        XElement? initrd = Xml.Take(os, "initrd");
        XElement? commandLine = Xml.Take(os, "cmdline");
        Vm.At("Kernel", XmlElements.LineOf(kernel ?? os ?? root));
        if (initrd is not null)
        {
            Vm.At("Initrd", XmlElements.LineOf(initrd));
        }

        // Lines of a long element are one line for a kernel.
        Vm.Vm = Vm.Vm with
        {
            Kernel = kernel?.Value.Trim() ?? "",
            Initrd = initrd?.Value.Trim(),
            CommandLine = commandLine is null ? Vm.Vm.CommandLine : string.Join(' ', commandLine.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)),
        };
    }

    /// <summary>What says how it is here anyway, and what doesn't.</summary>
    private void ReadEnds(XElement root)
    {
        foreach ((string name, string[] same, string here) in ((string, string[], string)[])
            [
                ("on_poweroff", ["destroy"], "a VM that powers off is stopped"),
                ("on_reboot", ["restart"], "a VM that reboots is reset; its engine goes on"),
                ("on_crash", ["restart", "destroy", "preserve"], "what the guest's kernel does at a panic is on its command line (panic=)"),
            ])
        {
            if (Xml.Take(root, name) is { } element && Array.IndexOf(same, element.Value.Trim()) < 0)
            {
                Leave(element, $"<{name}>{element.Value.Trim()}", here);
            }
        }

        XElement? features = Xml.Take(root, "features");
        foreach (string anyway in (string[])["acpi", "apic", "pae"])
        {
            _ = Xml.Take(features, anyway);
        }

        if (Xml.Take(root, "clock") is { } clock && Xml.Attribute(clock, "offset") is { } offset and not "utc")
        {
            Leave(clock, $"offset='{offset}'", "the guest's clock is KVM's, in UTC");
        }
    }

    private long? Amount(XElement? element) => element is null ? null : Size(element.Value, Xml.Attribute(element, "unit"), element);

    /// <summary>Bytes; as libvirt has it, KiB without a unit, and powers of 1000 for KB and those above.</summary>
    private long? Size(string? text, string? unit, XElement? element)
    {
        if (text is null)
        {
            return null;
        }

        decimal factor = (unit ?? "KiB") switch
        {
            "b" or "bytes" => 1,
            "KB" => 1e3m,
            "k" or "K" or "KiB" => 1L << 10,
            "MB" => 1e6m,
            "m" or "M" or "MiB" => 1L << 20,
            "GB" => 1e9m,
            "g" or "G" or "GiB" => 1L << 30,
            "TB" => 1e12m,
            "t" or "T" or "TiB" => 1L << 40,
            _ => 0,
        };
        if (factor == 0 || !ulong.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) || number > (long.MaxValue >> 21) / factor)
        {
            throw Invalid(Vm.Name, XmlElements.LineOf(element!), $"'{text.Trim()}' with the unit '{unit}' is no amount of memory");
        }

        return (long)(number * factor);
    }

    private void TellLeft()
    {
        foreach (XObject left in Xml.Left())
        {
            if (left is XElement element)
            {
                string name = element.Name.LocalName;
                Leave(element, $"<{Path(element)}>", element.Name.NamespaceName.Length > 0 ? "it is of another program's namespace" : Reasons.GetValueOrDefault(name, "it isn't built"));
            }
            else if (left is XAttribute attribute)
            {
                Leave(attribute, $"<{Path(attribute.Parent!)} {attribute.Name.LocalName}='{attribute.Value}'>", "it isn't built");
            }
        }
    }

    private static string Path(XElement element) =>
        element.Parent is { } parent && parent.Name != "domain" && parent.Name != "devices" ? $"{parent.Name.LocalName}/{element.Name.LocalName}" : element.Name.LocalName;
}
