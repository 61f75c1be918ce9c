using System;
using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>How many devices a machine has, and how they go together. Each check throws <see cref="UserErrorException"/>.</summary>
public static class DeviceLimits
{
    /// <summary>Disks included: eleven with the interrupt lines of old, and seven with those that only an IOAPIC has.</summary>
    public const int MaxDevices = 18;

    /// <summary>Checks all devices but the disks, which were checked before.</summary>
    public static void Check(IReadOnlyList<DriveConfiguration> drives, IReadOnlyList<DeviceConfiguration> devices)
    {
        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (DriveConfiguration drive in drives)
        {
            ids.Add(drive.DeviceId.Length == 0 ? drive.Id : drive.DeviceId);
        }

        Dictionary<string, int> counts = new(StringComparer.Ordinal);
        foreach (DeviceConfiguration device in devices)
        {
            device.Check();
            if (device.Id.Length > 0)
            {
                ConfigurationLimits.CheckId(device.Id, device.WhereIs("id", device.IdField));
                if (!ids.Add(device.Id))
                {
                    throw new UserErrorException(
                        "DuplicateId",
                        $"The id '{ConfigurationLimits.Printable(device.Id)}' is used by two devices; ids are unique.",
                        device.WhereIs("id", device.IdField));
                }
            }

            int count = counts.GetValueOrDefault(device.Kind) + 1;
            counts[device.Kind] = count;
            if (count > device.Limit)
            {
                throw new UserErrorException("TooManyDevices", $"{count} {device.Kind} devices are given; a microvm has at most {device.Limit}.", device.Where);
            }
        }

        int all = drives.Count + devices.Count;
        if (all > MaxDevices)
        {
            throw new UserErrorException(
                "TooManyDevices",
                $"{all} devices are given, disks included; a microvm has interrupt lines for {MaxDevices}.",
                devices[MaxDevices - drives.Count].Where);
        }
    }

    /// <summary>Checks that at most one port is on standard input and output.</summary>
    public static void CheckStandardStreams(SerialConfiguration serial, IReadOnlyList<DeviceConfiguration> devices)
    {
        int users = serial.Backend == SerialBackend.Stdio ? 1 : 0;
        foreach (DeviceConfiguration device in devices)
        {
            foreach (PortConfiguration port in (device as ConsoleConfiguration)?.Ports ?? [])
            {
                users += port.Backend.Backend == SerialBackend.Stdio ? 1 : 0;
                if (users > 1)
                {
                    throw new UserErrorException("StandardStreamsTaken", $"The port '{port.Label}' is the second on stdio; there is one standard input and output.", port.Where);
                }
            }
        }
    }

    /// <summary>Checks that a number lies in its range.</summary>
    /// <param name="value">The number.</param>
    /// <param name="least">Least that is allowed.</param>
    /// <param name="most">Most that is allowed.</param>
    /// <param name="where">Option or path, for the error.</param>
    public static void CheckRange(long value, long least, long most, string where)
    {
        if (value < least || value > most)
        {
            throw new UserErrorException("OutOfRange", $"{value} is out of range; allowed: {least} to {most}.", where);
        }
    }
}
