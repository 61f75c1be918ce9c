using System;
using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>The engine's command line, read and checked.</summary>
internal sealed class Options
{
    private string? _file;
    private byte[] _fileText = [];

    /// <summary>The machine to run. Not validated as a whole when <see cref="Help"/>, <see cref="Version"/>, <see cref="Probe"/> or <see cref="CpuHelp"/> is set.</summary>
    public VmConfiguration Configuration { get; private set; } = new();

    /// <summary>Print the options and end.</summary>
    public bool Help { get; set; }

    /// <summary>Print the version and end.</summary>
    public bool Version { get; set; }

    /// <summary>Tell whether the host's KVM is usable and end.</summary>
    public bool Probe { get; set; }

    /// <summary>Build the machine, tell whether that went well, and end without running it.</summary>
    public bool DryRun { get; set; }

    /// <summary>The snapshot that the machine goes on from; null for a machine that boots.</summary>
    public string? Incoming { get; set; }

    /// <summary>Whether a restored guest's clock goes on from where it was, instead of the time that it is.</summary>
    public bool KeepsTime { get; set; }

    /// <summary>Print what <c>-cpu</c> takes and end.</summary>
    public bool CpuHelp { get; set; }

    /// <summary>Descriptor of the readiness pipe; null when there is none.</summary>
    public int? ReadyDescriptor { get; set; }

    /// <summary>How the engine shuts itself in; null when it doesn't.</summary>
    public SandboxPlan? Sandbox { get; set; }

    /// <summary>What is accepted and yet probably not what the user wants; to be logged.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>Drives and devices of the command line, until <see cref="DriveList.Resolve"/> makes disks of them.</summary>
    public DriveList Drives { get; } = new();

    /// <summary>Sources of random bytes, by the ids of their <c>-object</c>.</summary>
    public Backends<string> RngSources { get; } = new("-object", "source of random bytes");

    /// <summary>What the machine's memory may be, by the ids of their <c>-object</c>: each puts itself into the configuration.</summary>
    public Backends<Action> MemoryBackends { get; } = new("-object", "memory");

    /// <summary>Where network interfaces lead, by the ids of their <c>-netdev</c>; with what its older form says of the interface.</summary>
    public Backends<NetConfiguration> Netdevs { get; } = new("-netdev", "netdev");

    /// <summary>Where ports and sockets of other programs lead, by the ids of their <c>-chardev</c>.</summary>
    public Backends<Chardev> Chardevs { get; } = new("-chardev", "character device");

    /// <summary>Descriptors of <c>-add-fd</c>, which aren't taken over yet.</summary>
    public List<PassedFile> PassedFiles { get; } = [];

    /// <summary>What can be looked up only when all options are read: a device may stand before its backend.</summary>
    public List<Action> Lookups { get; } = [];

    /// <summary>Reads a command line; of what both give, it wins over the file of <c>-config</c>.</summary>
    /// <exception cref="UserErrorException">UnknownOption, InvalidOption, or the error of the value; Where is the option, or the path in the JSON file.</exception>
    public static Options Parse(string[] args)
    {
        List<GivenOption> given = Split(args);
        Options options = new();
        foreach (GivenOption option in given)
        {
            if (option.Spec.Name == "-config")
            {
                options.Configuration = ConfigurationFile.Read(option.Value, out options._fileText);
                options._file = option.Value;
                if (options.Configuration.Strato is not null)
                {
                    options.Warnings.Add($"the section 'strato' of '{option.Value}' is the cmdlets' (Import-StratoVmConfiguration), and left out here");
                }
            }
        }

        foreach (GivenOption option in given)
        {
            option.Spec.Apply(options, option.Value);
        }

        if (!options.Help && !options.Version && !options.Probe && !options.CpuHelp)
        {
            try
            {
                options.Finish();
            }
            catch (UserErrorException error)
            {
                throw options.Locate(error);
            }
        }

        return options;
    }

    /// <summary>An error that is about a value of the <c>-config</c> file with the file's name and the line; any other as it is.</summary>
    public UserErrorException Locate(UserErrorException error) =>
        _file is null ? error : ConfigurationFile.Locate(error, _file, _fileText) ?? error;

    /// <summary>The descriptor of <c>-ready-fd</c> in a command line that may have any fault, so that the fault can be reported there; else null.</summary>
    public static int? FindReadyDescriptor(string[] args)
    {
        int at = Array.LastIndexOf(args, "-ready-fd");
        return at >= 0 && at + 1 < args.Length && TryParseDescriptor(args[at + 1], out int descriptor) ? descriptor : null;
    }

    internal static bool TryParseDescriptor(string text, out int descriptor) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out descriptor);

    private void Finish()
    {
        Drives.Resolve(Configuration.Drives);
        Lookups.ForEach(lookUp => lookUp());
        MemoryOption.CheckUsed(this);
        NetOption.AddUnclaimed(this);
        ConsoleOption.AddUnclaimed(this);
        Configuration.Validate();
        if (Configuration.Daemonize && Configuration.Serial.Backend == SerialBackend.Stdio)
        {
            Warnings.Add("-daemonize takes the terminal away: the serial port on stdio is connected to nothing");
        }

        // It may run well (a guest touches what it uses), or end by the host's OOM killer. What is allocated beforehand is refused instead.
        long host = Libc.PhysicalMemory();
        if (Configuration.Memory > host && !Configuration.Backing.Preallocate)
        {
            Warnings.Add($"the guest's memory of {Configuration.Memory >> 20} MiB is more than the host's {host >> 20} MiB; the host may run out when the guest uses it");
        }

        if (Configuration.Daemonize && Configuration.LogFile is null)
        {
            Warnings.Add("-daemonize without -D: later messages are lost");
        }
    }

    /// <summary>Divides the arguments into options and their values.</summary>
    private static List<GivenOption> Split(string[] args)
    {
        List<GivenOption> given = [];
        HashSet<string> seen = new(StringComparer.Ordinal);
        int index = 0;
        while (index < args.Length)
        {
            OptionSpec spec = OptionTable.Find(args[index++]);
            if (!seen.Add(spec.Name) && !spec.Repeatable)
            {
                throw new UserErrorException("InvalidOption", $"{spec.Name} is given twice; it is allowed once.", spec.Name);
            }

            if (spec.ValueName is null)
            {
                given.Add(new GivenOption(spec, ""));
                continue;
            }

            if (index == args.Length)
            {
                throw new UserErrorException("InvalidOption", $"{spec.Name} needs a value: {spec.Usage}", spec.Name);
            }

            if (!spec.AnyValue && OptionTable.TryFind(args[index], out _))
            {
                throw new UserErrorException("InvalidOption", $"{spec.Name} needs a value, and the option {args[index]} follows: {spec.Usage}", spec.Name);
            }

            string value = args[index++];
            while (spec.ManyWords && index < args.Length && !args[index].StartsWith('-'))
            {
                value += " " + args[index++];
            }

            given.Add(new GivenOption(spec, value));
        }

        return given;
    }

    private readonly record struct GivenOption(OptionSpec Spec, string Value);
}
