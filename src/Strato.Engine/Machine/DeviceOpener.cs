using System;
using System.Diagnostics;
using Strato.Engine.Chardev;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Makes the devices that a configuration names, with their host's side opened: what a user got wrong is told before the machine is built.</summary>
internal static class DeviceOpener
{
    /// <param name="device">Checked.</param>
    /// <param name="machine">The machine's configuration, of which the device is a part.</param>
    /// <param name="loop">The main loop, for what the host's side has to hear.</param>
    /// <param name="ports">What opens the console's ports.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">What the device stands on can't be opened.</exception>
    public static VirtioDevice Open(DeviceConfiguration device, VmConfiguration machine, EventLoop loop, PortPlug ports) => device switch
    {
        NetConfiguration net => OpenedNetdev.Open(net.Netdev, net.Name).CreateDevice(net.Name, net.GetMac(machine.Name, IndexOf(net, machine))),
        RngConfiguration rng => new RngDevice(rng.Name, EntropySource.Open(rng.Source, rng.Name, rng.WhereIs("rng", "random_file")), Limit(rng)),
        VsockConfiguration vsock => new VsockDevice(vsock.Name, (ulong)vsock.GuestCid, VhostOpener.OpenVsock(vsock)),
        ConsoleConfiguration console => ports.OpenConsole(console),
        BalloonConfiguration balloon => new BalloonDevice(balloon.Name, balloon.DeflateOnOom, balloon.FreePageReporting),
        FsConfiguration fs => FsOpener.Open(fs, loop),
        _ => throw new ArgumentOutOfRangeException(nameof(device), device.Kind, "not a device that is built"),
    };

    /// <summary>Which of the machine's network interfaces this is.</summary>
    private static int IndexOf(NetConfiguration net, VmConfiguration machine)
    {
        int index = 0;
        foreach (DeviceConfiguration device in machine.Devices)
        {
            if (device == net)
            {
                break;
            }

            index += device is NetConfiguration ? 1 : 0;
        }

        return index;
    }

    private static TokenBucket? Limit(RngConfiguration rng) => rng.MaxBytes is { } bytes
        ? new TokenBucket(bytes, TimeSpan.FromMilliseconds(rng.Period), Stopwatch.GetTimestamp())
        : null;
}
