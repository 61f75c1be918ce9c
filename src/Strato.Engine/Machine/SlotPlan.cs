using System;
using System.Collections.Generic;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>What is to be plugged into one virtio slot when the machine is built; nothing of the two for an empty place.</summary>
/// <param name="Kind">What it is for.</param>
/// <param name="Drive">Which of the configuration's drives; -1 for none.</param>
/// <param name="Device">Which of its devices; -1 for none.</param>
/// <param name="Mac">The address of an empty place for a network interface.</param>
internal readonly record struct PlannedSlot(SlotKind Kind, int Drive, int Device, byte[] Mac);

/// <summary>Which device comes into which virtio slot.</summary>
internal static class SlotPlan
{
    /// <summary>For a machine that boots: disks, empty places for disks, all else, empty places for network interfaces.</summary>
    /// <remarks>Empty places come behind the devices that were given, so that those have the names that they would have alone.</remarks>
    public static List<PlannedSlot> Of(VmConfiguration configuration)
    {
        List<PlannedSlot> plan = [];
        for (int i = 0; i < configuration.Drives.Count; i++)
        {
            plan.Add(new PlannedSlot(SlotKind.Disk, i, -1, []));
        }

        int spareDisks = CountSpareDisks(configuration);
        for (int i = 0; i < spareDisks; i++)
        {
            plan.Add(new PlannedSlot(SlotKind.Disk, -1, -1, []));
        }

        int nets = 0;
        for (int i = 0; i < configuration.Devices.Count; i++)
        {
            bool isNet = configuration.Devices[i] is NetConfiguration;
            nets += isNet ? 1 : 0;
            plan.Add(new PlannedSlot(isNet ? SlotKind.Net : SlotKind.Device, -1, i, []));
        }

        int spareNets = CountSpare(configuration, NetConfiguration.Maximum, NetConfiguration.Maximum - nets, spareDisks);
        for (int i = 0; i < spareNets; i++)
        {
            // A machine without a name has nothing that an address could follow from.
            plan.Add(new PlannedSlot(SlotKind.Net, -1, -1, MacAddress.Generate(configuration.Name ?? Guid.NewGuid().ToString(), nets + i)));
        }

        return plan;
    }

    /// <summary>For a machine that is restored: each device where its guest found it. Addresses of network interfaces that aren't given become the snapshot's.</summary>
    /// <exception cref="UserErrorException">SnapshotMismatch: a device of the snapshot's isn't configured, or one is that it hasn't got.</exception>
    public static List<PlannedSlot> Of(VmConfiguration configuration, BoardState board)
    {
        List<PlannedSlot> plan = [];
        HashSet<int> drives = [];
        HashSet<int> devices = [];
        foreach (SlotState slot in board.Slots)
        {
            if (slot.IsEmpty)
            {
                plan.Add(new PlannedSlot(slot.Kind, -1, -1, slot.Kind == SlotKind.Net ? MacAddress.Parse(slot.Mac, "-incoming") : []));
            }
            else if (slot.Kind == SlotKind.Disk)
            {
                int drive = FindUnused(configuration.Drives.Count, drives, i => DiskSlot.DeviceIdOf(configuration.Drives[i]) == slot.Id);
                plan.Add(drive >= 0 ? new PlannedSlot(SlotKind.Disk, drive, -1, []) : throw Missing("disk", slot.Id, "-drive"));
            }
            else
            {
                int device = FindUnused(
                    configuration.Devices.Count,
                    devices,
                    i => configuration.Devices[i].Name == slot.Id && configuration.Devices[i] is NetConfiguration == (slot.Kind == SlotKind.Net));
                plan.Add(device >= 0 ? new PlannedSlot(slot.Kind, -1, device, []) : throw Missing(slot.Kind == SlotKind.Net ? "network interface" : "device", slot.Id, "-device"));
                if (configuration.Devices[device] is NetConfiguration net)
                {
                    net.Mac ??= MacAddress.Format(MacAddress.Parse(slot.Mac, "-incoming"));
                }
            }
        }

        if (FindUnused(configuration.Drives.Count, drives, _ => true) is var extra and >= 0)
        {
            throw Extra("disk", DiskSlot.DeviceIdOf(configuration.Drives[extra]), "-drive");
        }

        if (FindUnused(configuration.Devices.Count, devices, _ => true) is var other and >= 0)
        {
            throw Extra("device", configuration.Devices[other].Name, "-device");
        }

        return plan;
    }

    private static int FindUnused(int count, HashSet<int> used, Predicate<int> fits)
    {
        for (int i = 0; i < count; i++)
        {
            if (!used.Contains(i) && fits(i))
            {
                used.Add(i);
                return i;
            }
        }

        return -1;
    }

    private static UserErrorException Missing(string kind, string id, string where) => new(
        "SnapshotMismatch", $"The snapshot's machine has the {kind} '{ConfigurationLimits.Printable(id)}', which isn't configured; a restored machine has the devices that it was saved with, by the same ids.", where);

    private static UserErrorException Extra(string kind, string id, string where) => new(
        "SnapshotMismatch", $"The {kind} '{ConfigurationLimits.Printable(id)}' is configured, and the snapshot's machine hasn't got it; disks and network interfaces can be plugged in (device_add) when it is restored.", where);

    private static int CountSpareDisks(VmConfiguration configuration) =>
        CountSpare(configuration, HotPlug.SpareDisks, ConfigurationLimits.MaxDrives - configuration.Drives.Count, taken: 0);

    private static int CountSpare(VmConfiguration configuration, int wanted, int allowed, int taken)
    {
        int room = DeviceLimits.MaxDevices - configuration.Drives.Count - configuration.Devices.Count - taken;
        return configuration.HotPlug ? int.Min(wanted, int.Min(allowed, room)) : 0;
    }
}
