using System;
using System.Globalization;
using System.Xml.Linq;

namespace Strato.Client.Configurations;

/// <summary>The devices of a libvirt domain that are neither disks nor network interfaces.</summary>
internal sealed class DomainDevices(XmlElements xml, ForeignVm vm, Func<long> freeCid) : DomainPart(xml, vm)
{
    internal void Read(XElement? devices)
    {
        foreach (XElement serial in Xml.TakeAll(devices, "serial"))
        {
            ReadSerial(serial);
        }

        foreach (XElement console in Xml.TakeAll(devices, "console"))
        {
            ReadConsole(console);
        }

        foreach (XElement channel in Xml.TakeAll(devices, "channel"))
        {
            ReadChannel(channel);
        }

        foreach (XElement folder in Xml.TakeAll(devices, "filesystem"))
        {
            ReadFolder(folder);
        }

        if (Xml.Take(devices, "memballoon") is { } balloon)
        {
            ReadBalloon(balloon);
        }

        if (Xml.Take(devices, "rng") is { } rng)
        {
            ReadRng(rng);
        }

        if (Xml.Take(devices, "vsock") is { } vsock)
        {
            ReadVsock(vsock);
        }
    }

    /// <summary>The first serial port is the VM's console, wherever it led.</summary>
    private void ReadSerial(XElement serial)
    {
        string type = Xml.Attribute(serial, "type") ?? "pty";
        XElement? target = Xml.Take(serial, "target");
        string port = Xml.Attribute(target, "port") ?? "0";
        if (port != "0")
        {
            Xml.TakeWhole(serial);
            Leave(serial, $"<serial> port {port}", "there is one serial port; Add-StratoConsolePort adds others");
            return;
        }

        if (type != "pty")
        {
            Leave(serial, $"<serial type='{type}'>", "the serial port is the VM's console: Enter-StratoConsole, Get-StratoConsole and its log");
        }

        Xml.TakeWhole(serial);
    }

    private void ReadConsole(XElement console)
    {
        string type = Xml.Attribute(console, "type") ?? "pty";
        XElement? target = Xml.Take(console, "target");
        string kind = Xml.Attribute(target, "type") ?? "serial";
        if (kind != "virtio")
        {
            // The serial port once more, as libvirt writes it.
            Xml.TakeWhole(console);
            return;
        }

        _ = Xml.Attribute(target, "port");
        AddPort(console, type, string.Create(CultureInfo.InvariantCulture, $"hvc{Vm.Ports.Count}"), terminal: true);
    }

    private void ReadChannel(XElement channel)
    {
        string type = Xml.Attribute(channel, "type") ?? "";
        XElement? target = Xml.Take(channel, "target");
        string? name = Xml.Attribute(target, "name");
        if (Xml.Attribute(target, "type") != "virtio" || name is null || type is not ("unix" or "pty" or "file"))
        {
            Xml.TakeWhole(channel);
            Leave(channel, $"<channel type='{type}'>", "a port of the virtio console has a name, and leads to a unix socket, a file or a pty");
            return;
        }

        _ = Xml.Attribute(target, "state");
        AddPort(channel, type, name, terminal: false);
    }

    private void AddPort(XElement element, string type, string id, bool terminal)
    {
        ConsolePortBackend? backend = type switch
        {
            "unix" => ConsolePortBackend.Socket,
            "file" => ConsolePortBackend.File,
            "pty" => ConsolePortBackend.Pty,
            _ => null,
        };
        XElement? source = Xml.Take(element, "source");
        string? path = Xml.Attribute(source, "path");
        string mode = Xml.Attribute(source, "mode") ?? "bind";
        if (backend is null || (type == "unix" && mode != "bind"))
        {
            Xml.TakeWhole(element);
            Leave(element, $"<{element.Name.LocalName} type='{type}'>", "a port leads to a unix socket that listens, a file or a pty");
            return;
        }

        Vm.At(VmForm.ConsolePorts, Vm.Ports.Count, XmlElements.LineOf(element));
        Vm.Ports.Add(new ConsolePortDefinition { Id = id, Terminal = terminal, Backend = backend.Value, Path = backend == ConsolePortBackend.Pty ? null : path });
    }

    private void ReadFolder(XElement folder)
    {
        XElement? driver = Xml.Take(folder, "driver");
        string? type = Xml.Attribute(driver, "type");
        string? path = Xml.Attribute(Xml.Take(folder, "source"), "dir");
        string? tag = Xml.Attribute(Xml.Take(folder, "target"), "dir");
        _ = Xml.Attribute(folder, "type");
        if (type != "virtiofs" || path is null || tag is null)
        {
            Xml.TakeWhole(folder);
            Leave(folder, $"<filesystem> '{tag}'", "a shared folder is a folder of the host by virtiofs, whose tag the guest mounts");
            return;
        }

        if (Xml.Take(folder, "readonly") is not null)
        {
            Xml.TakeWhole(folder);
            Leave(folder, $"<filesystem> '{tag}'", "it is read-only, and a shared folder is one that the guest may write");
            return;
        }

        // virtiofsd is started with the VM, which alone has the folder.
        _ = Xml.Attribute(folder, "accessmode");
        Vm.At(VmForm.SharedFolders, Vm.Folders.Count, XmlElements.LineOf(folder));
        Vm.Folders.Add(new SharedFolderDefinition { Tag = tag, Path = path });
    }

    private void ReadBalloon(XElement balloon)
    {
        if (Xml.Attribute(balloon, "model") == "none")
        {
            return;
        }

        Vm.At("Balloon", XmlElements.LineOf(balloon));
        Vm.Vm = Vm.Vm with
        {
            Balloon = new()
            {
                DeflateOnOom = Xml.Attribute(balloon, "autodeflate") == "on",
                FreePageReporting = Xml.Attribute(balloon, "freePageReporting") == "on",
            },
        };
        if (Vm.Vm.HugePage is not null)
        {
            Vm.Vm = Vm.Vm with { Balloon = null };
            Leave(balloon, "<memballoon>", "memory of huge pages can't be given back by a balloon");
        }
    }

    private void ReadRng(XElement rng)
    {
        _ = Xml.Attribute(rng, "model");
        XElement? backend = Xml.Take(rng, "backend");
        string model = Xml.Attribute(backend, "model") ?? "random";
        if (model is not ("random" or "builtin"))
        {
            Xml.TakeWhole(rng);
            Leave(rng, $"<rng> of '{model}'", "random bytes come of a device of the host; Add-StratoRng adds one");
            return;
        }

        RngDefinition made = new();
        XElement? rate = Xml.Take(rng, "rate");
        Vm.At("Rng", XmlElements.LineOf(rng));
        Vm.Vm = Vm.Vm with
        {
            Rng = made with
            {
                Source = model == "random" && backend?.Value.Trim() is { Length: > 0 } source ? source : made.Source,
                MaxBytes = Number(rate, "bytes") ?? 0,
                Period = Number(rate, "period") ?? (rate is null ? made.Period : 1000),
            },
        };
    }

    private void ReadVsock(XElement vsock)
    {
        _ = Xml.Attribute(vsock, "model");
        XElement? cid = Xml.Take(vsock, "cid");
        bool isAuto = Xml.Attribute(cid, "auto") == "yes";
        long? address = Number(cid, "address");
        if (!isAuto && address is null)
        {
            Leave(vsock, "<vsock>", "it has no address; Add-StratoVsock adds one");
            return;
        }

        // An address of auto='yes' is that of a domain that runs, and may do so still.
        Vm.At("Vsock", XmlElements.LineOf(vsock));
        Vm.ChoosesCid = isAuto;
        Vm.Vm = Vm.Vm with { Vsock = new() { GuestCid = isAuto ? freeCid() : address!.Value } };
    }

    private long? Number(XElement? element, string attribute)
    {
        if (Xml.Attribute(element, attribute) is not { } text)
        {
            return null;
        }

        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number))
        {
            return number;
        }

        Leave(element!, $"{attribute}='{text}'", "a whole number is expected");
        return null;
    }
}
