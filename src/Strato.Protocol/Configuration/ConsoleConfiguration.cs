using System;
using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>virtio-console: terminals (hvc0 and on), and named ports.</summary>
public sealed class ConsoleConfiguration : DeviceConfiguration
{
    public const int MaxPorts = 31;

    /// <summary>Highest number of a port. 0 is a terminal's, so that all 31 may be named ports.</summary>
    public const int MaxNumber = 31;

    public override string Kind => "virtio-serial";

    public override int Limit => 1;

    /// <summary>In the order in which they were given.</summary>
    public List<PortConfiguration> Ports { get; } = [];

    /// <summary>Numbers from 0 on that ports may have, those that come while the machine runs among them: 1 to 32; null for those of <see cref="Ports"/> alone.</summary>
    public long? Room { get; init; }

    /// <summary>The machine's one; made when there is none.</summary>
    /// <param name="configuration">The machine.</param>
    /// <param name="where">What needs it, for errors.</param>
    public static ConsoleConfiguration Of(VmConfiguration configuration, string where)
    {
        foreach (DeviceConfiguration device in configuration.Devices)
        {
            if (device is ConsoleConfiguration console)
            {
                return console;
            }
        }

        ConsoleConfiguration made = new() { Where = where };
        configuration.Devices.Add(made);
        return made;
    }

    public override void Check()
    {
        if (Ports.Count > MaxPorts)
        {
            throw new UserErrorException("TooManyPorts", $"{Ports.Count} ports are given; a machine has 0 to {MaxPorts}.", Ports[MaxPorts].Where);
        }

        if (Room is { } room)
        {
            DeviceLimits.CheckRange(room, 1, MaxNumber + 1, $"{Where} max_ports");
        }

        HashSet<string> names = new(StringComparer.Ordinal);
        HashSet<string> ids = new(StringComparer.Ordinal);
        foreach (PortConfiguration port in Ports)
        {
            port.Check();
            if (port.Name is { } name && !names.Add(name))
            {
                throw new UserErrorException("DuplicatePort", $"The name '{name}' is given to two ports; the guest finds a port by its name.", port.WhereIs("name"));
            }

            if (port.Id.Length > 0 && !ids.Add(port.Id))
            {
                throw new UserErrorException("DuplicateId", $"The id '{ConfigurationLimits.Printable(port.Id)}' is used by two ports; ids are unique.", port.WhereIs("id"));
            }
        }

        _ = GetNumbers();
    }

    /// <summary>The number of each port: the user's, else the first that is free, for named ports from 1.</summary>
    /// <exception cref="UserErrorException">DuplicatePort, OutOfRange, or TooManyPorts.</exception>
    public int[] GetNumbers()
    {
        int[] numbers = new int[Ports.Count];
        PortConfiguration?[] taken = new PortConfiguration?[Room ?? (MaxNumber + 1)];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (Ports[i].Number is { } wanted)
            {
                DeviceLimits.CheckRange(wanted, Ports[i].LeastNumber, taken.Length - 1, Ports[i].WhereIs("nr"));
                if (taken[wanted] is not null)
                {
                    throw new UserErrorException("DuplicatePort", $"The number {wanted} is given to two ports.", Ports[i].WhereIs("nr"));
                }

                numbers[i] = (int)wanted;
                taken[wanted] = Ports[i];
            }
        }

        for (int i = 0; i < numbers.Length; i++)
        {
            if (Ports[i].Number is null)
            {
                // At most 31 ports share the 31 numbers from 1 on, where max_ports doesn't allow fewer.
                numbers[i] = Array.FindIndex(taken, int.Min(Ports[i].LeastNumber, taken.Length), port => port is null);
                if (numbers[i] < 0)
                {
                    throw new UserErrorException("TooManyPorts", $"No number is left for the port '{Ports[i].Label}': max_ports={taken.Length} has the numbers 0 to {taken.Length - 1}, and 0 is a terminal's.", Ports[i].Where);
                }

                taken[numbers[i]] = Ports[i];
            }
        }

        return numbers;
    }
}

/// <summary>One port of a <see cref="ConsoleConfiguration"/>.</summary>
public sealed class PortConfiguration
{
    /// <summary>The user's id; empty when none was given.</summary>
    public string Id { get; init; } = "";

    /// <summary>Whether the guest makes a terminal of it.</summary>
    public bool IsConsole { get; init; }

    /// <summary>What the guest finds it by, in /dev/virtio-ports; null for none.</summary>
    public string? Name { get; init; }

    /// <summary>0 (terminals only) to <see cref="ConsoleConfiguration.MaxNumber"/>; null for the first that is free.</summary>
    public long? Number { get; init; }

    /// <summary>Where it leads.</summary>
    public required SerialConfiguration Backend { get; set; }

    /// <summary>Where the port was given, for errors: <c>-device</c> or <c>console[1]</c>.</summary>
    public string Where { get; init; } = "";

    internal int LeastNumber => IsConsole ? 0 : 1;

    /// <summary>What it is called in messages.</summary>
    public string Label => Name ?? (Id.Length > 0 ? Id : IsConsole ? "hvc" : "port");

    /// <param name="part">The value's name on the command line, which is the only place that can give one but the id.</param>
    internal string WhereIs(string part) => Where.StartsWith('-') ? $"{Where} {part}" : part == "id" ? $"{Where}.console_id" : Where;

    internal void Check()
    {
        if (Id.Length > 0)
        {
            ConfigurationLimits.CheckId(Id, WhereIs("id"));
        }

        if (Name is not null)
        {
            ConfigurationLimits.CheckName(Name, WhereIs("name"));
        }
    }
}
