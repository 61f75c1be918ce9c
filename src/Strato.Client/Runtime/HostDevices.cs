using System.Collections.Generic;
using Strato.Client.Linux;
using Strato.Client.Switches;

namespace Strato.Client.Runtime;

/// <summary>Looks whether this process may use the devices of the host that VMs may want. Nothing is made by it.</summary>
internal static class HostDevices
{
    private const string Tun = "/dev/net/tun";

    internal static List<HostDeviceInfo> Find() =>
    [
        Tap(Look("Tap", Tun, "taps for network adapters", "modprobe tun; user networking (Add-StratoNetworkAdapter -User) does without.")),
        Look("VhostNet", "/dev/vhost-net", "network adapters with -Vhost", "modprobe vhost_net, and the right to open it; adapters work without -Vhost, too."),
        Look("VhostVsock", "/dev/vhost-vsock", "Add-StratoVsock", "modprobe vhost_vsock, and the right to open it."),
        Look("Vfio", "/dev/vfio/vfio", "devices of the host in guests, which a microVM can't have yet", "modprobe vfio-pci, on a host with an IOMMU that is switched on."),
    ];

    // Whoever may open it may bind a tap of his own to it (TUNSETIFF); to make one takes more.
    private static HostDeviceInfo Tap(HostDeviceInfo found) => !found.Usable || SwitchMaker.IsAllowed ? found : found with
    {
        Usable = false,
        Detail = "No switches, and no taps but those of one's own (ip tuntap add NAME mode tap user USER): the others need CAP_NET_ADMIN.",
        Remedy = "Start PowerShell as root; user networking (Add-StratoNetworkAdapter -User) does without.",
    };

    private static HostDeviceInfo Look(string name, string path, string use, string remedy)
    {
        using FileDescriptor file = new(Libc.Open(path, Libc.O_RDWR));
        return file.IsInvalid ? new(name, path, use, false, $"No {use}: '{path}' can't be opened: {Errno.Text(Errno.Last)}.", remedy) : new(name, path, use, true, path, null);
    }
}
