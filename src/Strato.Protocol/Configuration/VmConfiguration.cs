using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>What a virtual machine is made of. Filled by the engine's option parser, by <see cref="ConfigurationReader"/> and by the client.</summary>
/// <remarks>
/// Parsers check each value where they read it, so that an error names the option or JSON path;
/// <see cref="Validate"/> checks the whole, and is what a caller that fills the model itself relies on.
/// </remarks>
public sealed class VmConfiguration
{
    /// <summary>The user's name of the machine, 1 to 255 characters; null when it has none.</summary>
    public string? Name { get; set; }

    /// <summary>The machine type by its canonical name: <c>microvm</c>.</summary>
    public string MachineType { get; set; } = ConfigurationLimits.DefaultMachineType;

    /// <summary>Whether the guest's memory is part of the engine's core dump.</summary>
    public bool DumpGuestCore { get; set; } = true;

    /// <summary>Whether other processes can be given the guest's memory, as shared folders need it.</summary>
    public bool MemShare { get; set; }

    /// <summary>What the host keeps guest memory in.</summary>
    public MemoryBacking Backing { get; } = new();

    /// <summary>Whether there are empty slots, into which disks and network interfaces can be plugged while the machine runs.</summary>
    public bool HotPlug { get; set; } = true;

    /// <summary>Path of the kernel: a bzImage or an ELF vmlinux.</summary>
    public string? Kernel { get; set; }

    /// <summary>The option or JSON path that gave <see cref="Kernel"/>, for errors.</summary>
    public string KernelWhere { get; set; } = "-kernel";

    /// <summary>Path of the initial RAM disk; null for none.</summary>
    public string? Initrd { get; set; }

    /// <summary>The option or JSON path that gave <see cref="Initrd"/>, for errors.</summary>
    public string InitrdWhere { get; set; } = "-initrd";

    /// <summary>The kernel's command line, its words joined by single spaces; empty for none.</summary>
    public string CommandLine { get; set; } = "";

    /// <summary>The option or JSON path that gave <see cref="CommandLine"/>, for errors.</summary>
    public string CommandLineWhere { get; set; } = "-append";

    /// <summary>Bytes of guest memory: a multiple of 4096, 256 MiB to 512 GiB.</summary>
    public long Memory { get; set; } = ConfigurationLimits.MinMemory;

    /// <summary>The option or JSON path that gave <see cref="Memory"/>, for errors; null for the default.</summary>
    public string? MemoryWhere { get; set; }

    /// <summary>How many vCPUs there are, 1 to 254, and how they are grouped.</summary>
    public CpuShape Shape { get; set; } = CpuShape.Flat(1);

    /// <summary>Number of vCPUs at the start, 1 to 254. Setting it makes each a socket of its own.</summary>
    public int Cpus
    {
        get => Shape.Cpus;
        set => Shape = CpuShape.Flat(value);
    }

    /// <summary>What the vCPUs can do.</summary>
    public CpuModel Cpu { get; set; } = CpuModel.Host;

    /// <summary>Disks in the order in which the guest sees them: the first is vda.</summary>
    public List<DriveConfiguration> Drives { get; } = [];

    /// <summary>Threads beside the main loop that devices may be served on.</summary>
    public List<IoThreadConfiguration> IoThreads { get; } = [];

    /// <summary>All other devices, in the order in which they were given.</summary>
    public List<DeviceConfiguration> Devices { get; } = [];

    /// <summary>The serial port ttyS0 and what it is connected to.</summary>
    public SerialConfiguration Serial { get; set; } = SerialConfiguration.None;

    /// <summary>Paths of the unix sockets on which QMP is served.</summary>
    public List<string> QmpSockets { get; } = [];

    /// <summary>File that the log is appended to; null for standard error.</summary>
    public string? LogFile { get; set; }

    /// <summary>File that the engine writes its process id to; needs <see cref="Daemonize"/>.</summary>
    public string? PidFile { get; set; }

    /// <summary>Whether the engine leaves the terminal and runs in the background.</summary>
    public bool Daemonize { get; set; }

    /// <summary>Whether the machine waits for QMP's <c>cont</c> before it first runs (<c>-S</c>).</summary>
    public bool StartPaused { get; set; }

    /// <summary>Whether a guest's reboot ends the machine instead of resetting it.</summary>
    public bool NoReboot { get; set; }

    /// <summary>Whether the engine stays, stopped, when the guest has powered off.</summary>
    public bool NoShutdown { get; set; }

    /// <summary>Whether the engine may make any system call, instead of those that it needs.</summary>
    public bool DisableSeccomp { get; set; }

    /// <summary>Whether to start even where the host's KVM isn't usable.</summary>
    public bool Force { get; set; }

    /// <summary>What the JSON form says to the cmdlets alone, an object in UTF-8; null for nothing. The engine has no use for it.</summary>
    public byte[]? Strato { get; set; }

    /// <summary>Checks every value and how they go together.</summary>
    /// <exception cref="UserErrorException">Where is the JSON path of the field, or the option where there is no field.</exception>
    public void Validate()
    {
        if (Name is not null)
        {
            ConfigurationLimits.CheckName(Name, "-name");
        }

        _ = ConfigurationLimits.CheckMachineType(MachineType, "machine-config.type");
        ConfigurationLimits.CheckMemory(Memory, "machine-config.mem_size");
        _ = ConfigurationLimits.CheckCpus(Cpus, "machine-config.vcpu_count");
        if (string.IsNullOrEmpty(Kernel))
        {
            throw new UserErrorException(
                "KernelMissing",
                "No kernel is given; a machine needs a bzImage or an ELF vmlinux by -kernel or by boot-source.kernel_image_path.",
                "-kernel");
        }

        ConfigurationLimits.CheckPath(Kernel, "kernel", "boot-source.kernel_image_path");
        if (Initrd is not null)
        {
            ConfigurationLimits.CheckPath(Initrd, "initrd", "boot-source.initrd_fs_path");
        }

        ConfigurationLimits.CheckCommandLine(CommandLine, "boot-source.boot_args");
        ConfigurationLimits.CheckDrives(Drives);
        IoThreadConfiguration.CheckAll(IoThreads);
        IoThreadConfiguration.CheckUsers(IoThreads, Drives, Devices);
        DeviceLimits.Check(Drives, Devices);
        Backing.Check(MemShare, Devices);
        FsConfiguration.CheckAll(Devices, MemShare);
        DeviceLimits.CheckStandardStreams(Serial, Devices);
        if (PidFile is not null && !Daemonize)
        {
            throw new UserErrorException("InvalidOption", $"-pidfile '{PidFile}' is given without -daemonize, which it needs.", "-pidfile");
        }
    }
}
