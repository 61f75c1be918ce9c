using System;
using System.Collections.Generic;
using System.Xml.Linq;

namespace Strato.Client.Configurations;

/// <summary>Gives the name of the switch that has a bridge, or that is called as a network of libvirt's; null where there is none.</summary>
/// <param name="network">The network; null for a bridge.</param>
/// <param name="bridge">The bridge; null for a network.</param>
internal delegate string? FindSwitch(string? network, string? bridge);

/// <summary>The network interfaces of a libvirt domain.</summary>
internal sealed class DomainAdapters(XmlElements xml, ForeignVm vm, FindSwitch findSwitch) : DomainPart(xml, vm)
{
    internal void Read(XElement adapter)
    {
        string type = Xml.Attribute(adapter, "type") ?? "";
        XElement? source = Xml.Take(adapter, "source");
        XElement? target = Xml.Take(adapter, "target");
        XElement? driver = Xml.Take(adapter, "driver");
        string? tap = Xml.Attribute(target, "dev");
        string? bridge = Xml.Attribute(source, "bridge");
        _ = Xml.Attribute(target, "managed");
        string? network = type == "network" ? Xml.Attribute(source, "network") : null;
        string? switchName = type is "network" or "bridge" && (network ?? bridge) is not null ? findSwitch(network, network is null ? bridge : null) : null;
        string? mac = Xml.Attribute(Xml.Take(adapter, "mac"), "address");
        if (switchName is null && (type is not ("user" or "ethernet" or "bridge") || (type != "user" && tap is null)))
        {
            Xml.TakeWhole(adapter);
            string advice = network is not null ? $"there is no switch '{network}'; New-StratoSwitch '{network}' -Nat, before this is read, makes one"
                : bridge is not null ? $"no switch has the bridge '{bridge}'; New-StratoSwitch -NetAdapterName {bridge}, before this is read, makes one"
                : "an adapter leads to a switch or a tap of a name, or is of user networking; Add-StratoNetworkAdapter adds it";
            Leave(adapter, $"<interface type='{type}'>", advice);
            return;
        }

        if (type == "bridge" && switchName is null)
        {
            Leave(adapter, $"the bridge '{bridge}'", $"the tap '{tap}' is used; 'ip tuntap add {tap} mode tap' and 'ip link set {tap} master {bridge} up' make it before the VM starts");
        }

        if (Xml.Take(adapter, "model") is { } model && Xml.Attribute(model, "type") is { } kind && !kind.StartsWith("virtio", StringComparison.Ordinal))
        {
            Leave(model, $"model type='{kind}'", "the adapter is a virtio one");
        }

        bool user = type == "user";
        if (user && Xml.Take(adapter, "backend") is { } backend)
        {
            _ = Xml.Attribute(backend, "type");
        }

        string? vhost = user ? null : Xml.Attribute(driver, "name");
        Vm.At(VmForm.NetworkAdapters, Vm.Adapters.Count, XmlElements.LineOf(adapter));
        Vm.Adapters.Add(new NetworkAdapterDefinition
        {
            Id = $"net{Vm.Adapters.Count}",
            Settings = new()
            {
                TapName = user || switchName is not null ? null : tap,
                SwitchName = switchName,
                User = user ? true : null,
                MacAddress = mac,
                Vhost = vhost is null ? null : vhost == "vhost",
                QueueCount = user ? null : Count(driver, Xml.Attribute(driver, "queues")),
                Connected = Xml.Attribute(Xml.Take(adapter, "link"), "state") == "down" ? false : null,
                PortForward = user ? ReadForwards(adapter) : null,
            },
        });
    }

    private List<string>? ReadForwards(XElement adapter)
    {
        List<string> forwards = [];
        foreach (XElement forward in Xml.TakeAll(adapter, "portForward"))
        {
            string proto = Xml.Attribute(forward, "proto") ?? "tcp";
            string address = Xml.Attribute(forward, "address") ?? "";
            foreach (XElement range in Xml.TakeAll(forward, "range"))
            {
                string start = Xml.Attribute(range, "start") ?? "";
                string guest = Xml.Attribute(range, "to") ?? start;
                if (range.Attribute("end") is null && range.Attribute("exclude") is null)
                {
                    forwards.Add($"{proto}:{(address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address)}:{start}-:{guest}");
                }
                else
                {
                    Xml.TakeWhole(range);
                    Leave(range, $"<range start='{start}'>", "ports are forwarded one by one (-Publish)");
                }
            }
        }

        return forwards.Count == 0 ? null : forwards;
    }
}
