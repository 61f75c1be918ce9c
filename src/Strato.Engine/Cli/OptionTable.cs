using System;
using System.Collections.Generic;
using System.Text;
using Strato.Engine.Diagnostics;
using Strato.Engine.Snapshot;
using Strato.Protocol;
using Strato.Protocol.CommandLine;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Cli;

/// <summary>One option: its name, what its value looks like, its line of help, and what it does.</summary>
/// <param name="Name">With its dash.</param>
/// <param name="ValueName">The value's form for the help; null for an option without a value.</param>
/// <param name="Help">One line, or several.</param>
/// <param name="Apply">Checks the value and puts it into the options.</param>
internal sealed record OptionSpec(string Name, string? ValueName, string Help, Action<Options, string> Apply)
{
    /// <summary>Whether it may be given more than once.</summary>
    public bool Repeatable { get; init; }

    /// <summary>Whether the value goes on up to the next option, its words joined by spaces.</summary>
    public bool ManyWords { get; init; }

    /// <summary>Whether even the name of an option is taken as the value.</summary>
    public bool AnyValue { get; init; }

    public string Usage => ValueName is null ? Name : $"{Name} {ValueName}";
}

/// <summary>All options of the engine. What isn't here is unknown; the help is made from this list.</summary>
internal static class OptionTable
{
    private static readonly OptionSpec[] All =
    [
        new("-name", "NAME", "Name of the machine, 1 to 255 characters.", SetName) { AnyValue = true },
        new("-machine", "[type=]microvm[,accel=kvm][,dump-guest-core=on|off][,mem-share=on|off][,mem-merge=on|off][,memory-backend=ID][,hotplug=on|off]", "Machine type; whether its memory is part of a core dump (on), shared with other processes (off), merged where pages are equal (off); the -object it is;\n        whether there are empty slots, up to four for disks (six with the given) and two for nics, that QMP can fill (on).", SetMachine),
        new("-kernel", "PATH", "Kernel: a bzImage or an ELF vmlinux.", SetKernel),
        new("-initrd", "PATH", "Initial RAM disk.", SetInitrd),
        new("-append", "WORD…", "Kernel command line, in one word or several, up to the next option.", SetCommandLine) { ManyWords = true, AnyValue = true },
        new("-smp", SmpOption.Usage, SmpOption.Help, SmpOption.Apply),
        new("-cpu", CpuOption.Usage, CpuOption.Help, CpuOption.Apply),
        new("-m", "[size=]SIZE", "Memory, 256M to 512G (256M). K, M, G or T; without a unit MiB up to 524288, bytes from 268435456 on.", SetMemory),
        new("-mem-path", "FOLDER", "Guest memory of huge pages: an absolute path on a mounted hugetlbfs.", MemoryOption.SetPath),
        new("-mem-prealloc", null, "Allocate all guest memory before the guest starts; without enough of it, it doesn't start.", (o, _) => o.Configuration.Backing.Preallocate = true),
        new("-drive", DriveOption.Usage, DriveOption.Help, (o, v) => o.Drives.AddDrive(v)) { Repeatable = true },
        new("-iothread", "id=ID", $"Thread that serves the devices which name it, at most {IoThreadConfiguration.Maximum}; its name is the id.", IoThreadOption.Add) { Repeatable = true },
        new("-object", "TYPE,KEY=VALUE…", "What a device refers to (of memory mem-prealloc=on|off is prealloc, and dump-guest-core=on|off is dump):" + DriverTable.Objects.Usage, DriverTable.Objects.Add) { Repeatable = true },
        new("-device", "DRIVER,KEY=VALUE…", "A device:" + DriverTable.Devices.Usage, DriverTable.Devices.Add) { Repeatable = true },
        new("-netdev", NetOption.Usage, NetOption.Help, NetOption.Add) { Repeatable = true },
        new("-chardev", ChardevOption.Usage, "Where a port leads, or another program's socket. Unless something refers to it, it is a console (hvc0 and on) itself.", ChardevOption.Add) { Repeatable = true },
        new("-add-fd", FileSetOption.Usage, FileSetOption.Help, FileSetOption.Add) { Repeatable = true },
        new("-balloon", BalloonOption.Usage, "A balloon, by its older name.", BalloonOption.Add),
        new("-serial", SerialOption.Usage, "Serial port ttyS0 (none).", SerialOption.Apply),
        new("-qmp", "unix:PATH,server,nowait", "Serve QMP on a unix socket; the path must be free.", (o, v) => AddQmp(o, "-qmp", v)) { Repeatable = true },
        new("-api-channel", "unix:PATH", "The same, by its older name.", (o, v) => AddQmp(o, "-api-channel", v)) { Repeatable = true },
        new("-config", "PATH", "JSON file with the configuration; the command line wins over it.", (_, _) => { }),
        new("-D", "PATH", $"Append the log to a file, instead of standard error; at {LogFile.DefaultLimit >> 20} MiB it becomes PATH.1, and so on up to PATH.{LogFile.OlderFiles}.", (o, v) => o.Configuration.LogFile = Path(v, "log file", "-D")),
        new("-daemonize", null, "Run in the background; returns when the machine runs. Without -D its later messages are lost.", (o, _) => o.Configuration.Daemonize = true),
        new("-pidfile", "PATH", "Write the process id to a file that must not exist; needs -daemonize.", SetPidFile),
        new("-incoming", "file:FOLDER|state=FILE,memory=FILE", "Go on from a snapshot (migrate), with the devices that it was saved with; all else as for a start.", SetIncoming),
        new("-incoming-time", "real|saved", "A restored guest's clock: the time that it is, as if it had never stopped (real), or where it was.", SetIncomingTime),
        new("-S", null, "Don't run before QMP's cont.", (o, _) => o.Configuration.StartPaused = true),
        new("-no-reboot", null, "End when the guest reboots.", (o, _) => o.Configuration.NoReboot = true),
        new("-no-shutdown", null, "Stay, stopped, when the guest powers off.", (o, _) => o.Configuration.NoShutdown = true),
        new("-force", null, "Start even where the host's KVM isn't usable.", (o, _) => o.Configuration.Force = true),
        new(SandboxOption.Name, SandboxOption.Usage, SandboxOption.Help, SandboxOption.Apply),
        new("-disable-seccomp", null, "Don't filter the engine's system calls (seccomp); docs/security.md lists those that it may make.", (o, _) => o.Configuration.DisableSeccomp = true),
        .. QemuHabits.Accepted,
        new("-ready-fd", "N", "Descriptor on which to write 'ok', or one line of JSON with the error.", SetReadyDescriptor),
        new("-probe", null, "Tell in one line of JSON whether the host's KVM is usable. Exit code 0 usable, 10 emulated, 11 no permission, 12 absent.", (o, _) => o.Probe = true),
        new("-dry-run", null, "Build the machine, say what is in its way if anything is, and end; the guest runs nothing.", (o, _) => o.DryRun = true),
        new("-version", null, "Print the version.", (o, _) => o.Version = true),
        new("-help", null, "Print this.", (o, _) => o.Help = true),
    ];

    private static readonly Dictionary<string, OptionSpec> ByName = Index();

    /// <summary>All, in the order of the help.</summary>
    public static IReadOnlyList<OptionSpec> List => All;

    /// <summary>Text of <c>-help</c>, with its last newline.</summary>
    public static string HelpText()
    {
        StringBuilder text = new("Usage: strato-engine -kernel PATH [OPTION…]\n\n");
        foreach (OptionSpec spec in All)
        {
            text.Append("  ").Append(spec.Usage).Append('\n').Append("        ").Append(spec.Help);
            text.Append(!spec.Repeatable ? "\n" : spec.Help.Contains('\n') ? "\n        May be given several times.\n" : " May be given several times.\n");
        }

        return text.Append("\nIn a value, a doubled comma stands for one comma. Exit code: 0 the guest powered off or was told to quit,\n")
            .Append("1 error in options, files or host, 2 wrong usage, 3 the guest or KVM failed while running,\n31 a system call that seccomp forbids.\n")
            .Append($"{LogLevels.Variable}=LEVEL[,ROOM=LEVEL…] chooses what is logged: error, warning or info (info), for all or for a room.\n").ToString();
    }

    /// <summary>The option of a name, with one dash or two; what isn't an option is an error that says which is near.</summary>
    public static OptionSpec Find(string name)
    {
        if (TryFind(name, out OptionSpec? spec))
        {
            return spec!;
        }

        string shown = ConfigurationLimits.Printable(name);
        if (QemuOptions.Advice(name) is { } instead)
        {
            throw new UserErrorException("UnknownOption", $"The option '{shown}' is QEMU's and isn't built here: {instead}.", shown);
        }

        throw name.StartsWith('-')
            ? new UserErrorException("UnknownOption", $"The option '{shown}' is unknown{NearName.Hint(name, ByName.Keys)}; -help lists all.", shown)
            : new UserErrorException("UnknownOption", $"'{shown}' is not an option; options begin with '-', and a value with spaces is quoted.", shown);
    }

    public static bool TryFind(string name, out OptionSpec? spec) =>
        ByName.TryGetValue(name, out spec) || (name.StartsWith("--", StringComparison.Ordinal) && ByName.TryGetValue(name[1..], out spec));

    private static Dictionary<string, OptionSpec> Index()
    {
        Dictionary<string, OptionSpec> index = new(StringComparer.Ordinal);
        foreach (OptionSpec spec in All)
        {
            index.Add(spec.Name, spec);
        }

        index.Add("-h", index["-help"]);
        index.Add("-M", index["-machine"]);
        return index;
    }

    private static void SetName(Options options, string value)
    {
        ConfigurationLimits.CheckName(value, "-name");
        options.Configuration.Name = value;
    }

    private static void SetMachine(Options options, string value)
    {
        SubOptions parts = new("-machine", value, "type");
        if (parts.Take("type") is string type)
        {
            options.Configuration.MachineType = ConfigurationLimits.CheckMachineType(type, "-machine type");
        }

        _ = parts.TakeOneOf("accel", "kvm");
        MemoryOption.ApplyMachine(options, parts);
        options.Configuration.HotPlug = parts.TakeBoolean("hotplug") ?? options.Configuration.HotPlug;
        parts.End();
    }

    private static void SetKernel(Options options, string value)
    {
        options.Configuration.Kernel = Path(value, "kernel", "-kernel");
        options.Configuration.KernelWhere = "-kernel";
    }

    private static void SetInitrd(Options options, string value)
    {
        options.Configuration.Initrd = Path(value, "initrd", "-initrd");
        options.Configuration.InitrdWhere = "-initrd";
    }

    private static void SetCommandLine(Options options, string value)
    {
        ConfigurationLimits.CheckCommandLine(value, "-append");
        options.Configuration.CommandLine = value;
        options.Configuration.CommandLineWhere = "-append";
    }

    private static void SetMemory(Options options, string value)
    {
        SubOptions parts = new("-m", value, "size");
        string text = parts.Require("size");
        parts.End();
        options.Configuration.Memory = ByteSize.ParseMemory(text, "-m");
        options.Configuration.MemoryWhere = "-m";
    }

    private static void AddQmp(Options options, string name, string value)
    {
        SubOptions parts = new(name, value, "address");
        string path = SocketOption.TakePath(parts, "address");

        // The older option has only the path; there, what QEMU wants written is what it means anyway.
        bool implied = name == "-api-channel";
        SocketOption.TakeServer(parts, "address", implied);
        parts.End();
        options.Configuration.QmpSockets.Add(path);
    }

    private static void SetPidFile(Options options, string value)
    {
        options.Configuration.PidFile = Path(value, "pid file", "-pidfile");
        PidFile.CheckFree(value);
    }

    private static void SetIncoming(Options options, string value)
    {
        // What can't be one is told before anything is opened.
        _ = IncomingSnapshot.Parse(value, keepsTime: false);
        options.Incoming = value;
    }

    private static void SetIncomingTime(Options options, string value) => options.KeepsTime = value switch
    {
        "real" => false,
        "saved" => true,
        _ => throw new UserErrorException("InvalidOption", $"'{ConfigurationLimits.Printable(value)}' is no time; allowed: real, saved.", "-incoming-time"),
    };

    private static void SetReadyDescriptor(Options options, string value)
    {
        options.ReadyDescriptor = Options.TryParseDescriptor(value, out int descriptor)
            ? descriptor
            : throw new UserErrorException("InvalidOption", $"'{ConfigurationLimits.Printable(value)}' is not a descriptor's number.", "-ready-fd");
    }

    private static string Path(string path, string what, string option)
    {
        ConfigurationLimits.CheckPath(path, what, option);
        return path;
    }
}
