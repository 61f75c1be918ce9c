using System.Linq;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>A network interface of a VM.</summary>
public sealed class NetworkAdapter
{
    internal NetworkAdapter(VmTarget vm, VmDefinition definition, NetworkAdapterDefinition adapter)
    {
        NetworkAdapterSettings settings = adapter.Settings;
        Vm = vm;
        VMName = vm.Name;
        VMId = vm.Id;
        Id = adapter.Id;
        Type = settings.SwitchName is not null ? "Switch" : settings.TapName is null ? "User" : "Tap";
        SwitchName = settings.SwitchName;
        TapName = settings.SwitchName is null ? settings.TapName : StratoClient.GetSwitchTap(vm.Id, adapter.Id);
        MacAddress = StratoClient.GetMacAddress(definition, adapter);
        QueueCount = settings.QueueCount ?? 1;
        Vhost = settings.Vhost ?? false;
        IoThread = string.IsNullOrEmpty(settings.IoThread) ? null : settings.IoThread;
        Connected = settings.Connected ?? true;
        PortForward = string.Join(' ', settings.PortForward ?? []);
        Publish = [.. (settings.PortForward ?? []).Select(StratoClient.ToPublished)];
    }

    internal VmTarget Vm { get; }

    /// <summary>Name of the VM the adapter belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Unique within the VM.</summary>
    public string Id { get; }

    /// <summary>Switch, Tap or User.</summary>
    public string Type { get; }

    /// <summary>The switch that it is on, or null.</summary>
    public string? SwitchName { get; }

    /// <summary>The tap that it leads to, or null; that of a switch is there while the VM runs.</summary>
    public string? TapName { get; }

    /// <summary>The address that the guest's interface has; where none was given, what follows from the VM's name.</summary>
    public string MacAddress { get; }

    /// <summary>Queue pairs.</summary>
    public int QueueCount { get; }

    /// <summary>The kernel moves the frames.</summary>
    public bool Vhost { get; }

    /// <summary>Name of the thread that serves it; null for the main one.</summary>
    public string? IoThread { get; }

    /// <summary>The guest finds a cable in it.</summary>
    public bool Connected { get; }

    /// <summary>Ports of the host that lead to the guest, divided by blanks.</summary>
    public string PortForward { get; }

    /// <summary>The same as -Publish takes them, such as <c>8080:80</c>.</summary>
    public string[] Publish { get; }

    public override string ToString() => Id;
}
