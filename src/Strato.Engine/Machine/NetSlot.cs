using System;
using System.Globalization;
using Strato.Engine.Linux;
using Strato.Engine.Net;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>A place for a network interface.</summary>
internal sealed class NetSlot(MmioTransport transport, int index) : DeviceSlot(transport, index)
{
    public override string GuestName => "eth" + Index.ToString(CultureInfo.InvariantCulture);

    /// <summary>Where the interface in it leads; null when the slot is empty.</summary>
    public NetdevConfiguration? Netdev { get; private set; }

    /// <summary>The address, which stays.</summary>
    public string Mac => MacAddress.Format(Interface.Mac);

    /// <summary>Whether the driver gives and takes unfinished frames.</summary>
    public bool HasOffloads => (Device.OfferedFeatures & NetInterface.FeatureChecksum) != 0;

    private NetInterface Interface => (NetInterface)Device;

    /// <summary>A device for a slot that is empty from the start: what taps fit into.</summary>
    public static NetDevice CreateSpare(int index, byte[] mac) =>
        new("slot eth" + index.ToString(CultureInfo.InvariantCulture), [new NoBackend(offloads: true)], mac);

    /// <summary>A device for a slot that was empty in a snapshot: what fitted there fits again.</summary>
    public static NetDevice CreateSpare(int index, byte[] mac, DeviceShape saved)
    {
        // Two queues for each pair, and with more than one pair the control queue.
        int pairs = int.Clamp(saved.Queues / 2, 1, NetInterface.MaximumPairs);
        INetBackend[] nothing = new INetBackend[pairs];
        Array.Fill(nothing, new NoBackend(offloads: saved.Features == 0 || (saved.Features & NetInterface.FeatureChecksum) != 0));
        return new NetDevice("slot eth" + index.ToString(CultureInfo.InvariantCulture), nothing, mac);
    }

    /// <summary>Tells of the interface that is in the slot from the start.</summary>
    public void Describe(NetConfiguration net)
    {
        DeviceId = net.Name;
        Netdev = net.Netdev;
    }

    /// <summary>Why an interface doesn't fit: what the driver asked for once, when it found the slot, and can't be told anew; null when it fits.</summary>
    /// <param name="netdev">Where it is to lead.</param>
    /// <param name="mac">The address that was asked for; null for any.</param>
    public string? Misfit(OpenedNetdev netdev, string? mac)
    {
        if (mac is not null && !MacAddress.Parse(mac, "mac").AsSpan().SequenceEqual(Interface.Mac))
        {
            return $"it has mac={Mac} and the interface {mac}";
        }

        if (netdev.Pairs != Interface.Pairs)
        {
            return $"it has queues={Interface.Pairs} and the netdev {netdev.Pairs}";
        }

        ulong missing = Device.OfferedFeatures & ~(netdev.Offer | VirtioFeature.Common);
        return missing == 0 ? null
            : (missing & NetInterface.FeatureChecksum) != 0 ? "it has offloads (unfinished checksums, large segments), which taps take and user and stream don't"
            : "its buffers are merged (MRG_RXBUF), which the netdev can't do";
    }

    /// <summary>Makes a device, which owns the netdev from now on; it fits.</summary>
    /// <exception cref="LinuxException">The host refuses; the netdev stays the caller's.</exception>
    public NetInterface CreateDevice(string id, OpenedNetdev netdev) => netdev.CreateDevice(id, Interface.Mac);

    /// <inheritdoc cref="DeviceSlot.Fill"/>
    public void Fill(string id, NetInterface device, NetdevConfiguration netdev, EventLoop loop)
    {
        Fill(id, device, loop);
        Netdev = netdev;
    }

    /// <inheritdoc/>
    public override VirtioDevice Clear()
    {
        VirtioDevice old = base.Clear();
        Netdev = null;
        return old;
    }

    /// <summary>The interface in it, when there is one.</summary>
    public NetStatus Status => new(DeviceId!, Mac, Netdev!.Id, Netdev.Kind, Interface.LinkUp)
    {
        Tap = Netdev.Kind == NetdevKind.Tap ? Interface.HostName : null,
        Traffic = Interface.Traffic,
    };

    public void SetLink(bool up) => Interface.SetLink(up);

    protected override VirtioDevice CreateEmpty()
    {
        INetBackend[] nothing = new INetBackend[Interface.Pairs];
        Array.Fill(nothing, new NoBackend(HasOffloads));
        return new NetDevice($"slot {GuestName}", nothing, Interface.Mac);
    }
}
