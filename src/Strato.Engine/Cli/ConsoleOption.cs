using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary><c>-device virtio-serial-device</c>, <c>virtconsole</c> and <c>virtserialport</c>.</summary>
/// <remarks><c>max_ports</c> keeps queues for ports that come while the machine runs. Ports need no virtio-serial-device beside them. A <c>-chardev</c> that nothing refers to is a console itself, as StratoVirt once had it.</remarks>
internal static class ConsoleOption
{
    public const string BusUsage = "[,id=ID][,max_ports=1..32]";
    public const string ConsoleUsage = "chardev=ID[,id=ID][,nr=N]";
    public const string PortUsage = "chardev=ID,name=NAME[,id=ID][,nr=N]";

    public static void AddBus(Options options, SubOptions parts)
    {
        options.Configuration.Devices.Add(new ConsoleConfiguration { Id = parts.TakeId() ?? "", Room = parts.TakeNumber("max_ports"), Where = "-device" });
        parts.End();
    }

    public static void AddConsole(Options options, SubOptions parts) => AddPort(options, parts, isConsole: true);

    public static void AddPort(Options options, SubOptions parts) => AddPort(options, parts, isConsole: false);

    /// <summary>Makes consoles of the chardevs that nothing refers to. When all else is looked up.</summary>
    public static void AddUnclaimed(Options options)
    {
        foreach ((string id, Chardev chardev) in options.Chardevs.Unclaimed)
        {
            ConsoleConfiguration.Of(options.Configuration, "-chardev").Ports.Add(
                new PortConfiguration { Id = id, IsConsole = true, Backend = chardev.ForPort(), Where = "-chardev" });
        }
    }

    private static void AddPort(Options options, SubOptions parts, bool isConsole)
    {
        string chardev = parts.Require("chardev");
        string? id = parts.TakeId();
        string? name = parts.Take("name");
        long? number = parts.TakeNumber("nr");
        parts.End();
        options.Lookups.Add(() => ConsoleConfiguration.Of(options.Configuration, "-device").Ports.Add(new PortConfiguration
        {
            Id = id ?? "",
            IsConsole = isConsole,
            Name = name,
            Number = number,
            Backend = options.Chardevs.Claim(chardev, "-device chardev").ForPort(),
            Where = "-device",
        }));
    }
}
