using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client;

/// <summary>One VM as the store keeps it (<c>vms/ID/vm.json</c>). Immutable: change it with <see cref="StratoClient.Update"/>.</summary>
public sealed record VmDefinition
{
    /// <summary>Eight characters of a–z and 0–9; names the VM's folders, never changes.</summary>
    public required string Id { get; init; }

    /// <summary>Unique without regard to case.</summary>
    public required string Name { get; init; }

    /// <summary>Machine type: <c>microvm</c>.</summary>
    public required string Machine { get; init; }

    /// <summary>Absolute path of the kernel image.</summary>
    public required string Kernel { get; init; }

    /// <summary>Absolute path of the initial RAM disk, or null.</summary>
    public string? Initrd { get; init; }

    /// <summary>Kernel command line; empty if none was given.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>RAM in bytes.</summary>
    public required long Memory { get; init; }

    /// <summary>Bytes of the host's huge pages that hold the RAM; null for plain pages.</summary>
    public long? HugePage { get; init; }

    /// <summary>Number of virtual CPUs.</summary>
    public required int Cpu { get; init; }

    /// <summary>How they are grouped, and what they can do.</summary>
    public ProcessorDefinition Processor { get; init; } = new();

    /// <summary>Whether it has no empty slots, so that nothing can be added while it runs.</summary>
    public bool NoHotPlug { get; init; }

    /// <summary>Whether its engine isn't shut in, even where the host allows it.</summary>
    public bool NoSandbox { get; init; }

    /// <summary>Whether its guest's changes of disks are thrown away, and it itself when it has run.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>Disks in the order the guest sees them.</summary>
    public IReadOnlyList<DriveDefinition> Drives { get; init; } = [];

    /// <summary>Network interfaces in the order the guest sees them.</summary>
    public IReadOnlyList<NetworkAdapterDefinition> NetworkAdapters { get; init; } = [];

    /// <summary>Threads that serve the devices which name them, in the order in which they were added.</summary>
    public IReadOnlyList<IoThreadDefinition> IoThreads { get; init; } = [];

    /// <summary>Ports of the virtio console, in the order in which they were added.</summary>
    public IReadOnlyList<ConsolePortDefinition> ConsolePorts { get; init; } = [];

    /// <summary>Whether one of the ports is a guest agent's, on a socket.</summary>
    public bool GuestAgent
    {
        get
        {
            foreach (ConsolePortDefinition port in ConsolePorts)
            {
                if (port.IsGuestAgent)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Folders of the host that the guest can mount, in the order in which they were added.</summary>
    public IReadOnlyList<SharedFolderDefinition> SharedFolders { get; init; } = [];

    /// <summary>Null when there is none.</summary>
    public VsockDefinition? Vsock { get; init; }

    /// <summary>Null when there is none.</summary>
    public RngDefinition? Rng { get; init; }

    /// <summary>Null when there is none.</summary>
    public BalloonDefinition? Balloon { get; init; }

    /// <summary>When the VM was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Free text of the user.</summary>
    public string Notes { get; init; } = "";

    /// <summary>What is wrong, where this stands in for a definition that can't be read; else null.</summary>
    internal string? Damage { get; init; }

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];

    /// <summary>A drive as this VM has it: an ephemeral one writes to no image.</summary>
    internal DriveDefinition Own(DriveDefinition drive) => Ephemeral && !drive.ReadOnly ? drive with { Io = drive.Io with { Snapshot = true } } : drive;
}

/// <summary>One disk of a VM.</summary>
public sealed record DriveDefinition
{
    /// <summary>Unique within the VM: <c>disk0</c>, <c>disk1</c> … unless the user chose another.</summary>
    public required string Id { get; init; }

    /// <summary>Absolute path of the raw image or block device.</summary>
    public required string Path { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Serial number the guest reads (at most 20 ASCII characters), or null.</summary>
    public string? Serial { get; init; }

    /// <summary>How its requests are served.</summary>
    public DriveIo Io { get; init; } = new();

    /// <summary>Fields that a newer version wrote; kept as they are.</summary>
    internal IReadOnlyList<KeyValuePair<string, JsonElement>> Extra { get; init; } = [];
}

/// <summary>What a user gives to make or change a VM. Null means "not given": the default on creation, unchanged on update.</summary>
public sealed record VmSettings
{
    /// <summary>Required on creation.</summary>
    public string? Name { get; init; }

    /// <summary>Default <c>microvm</c>.</summary>
    public string? Machine { get; init; }

    /// <summary>Absolute path; required on creation; must exist.</summary>
    public string? Kernel { get; init; }

    /// <summary>Absolute path; must exist; the empty string removes it.</summary>
    public string? Initrd { get; init; }

    /// <summary>Default <see cref="StratoClient.DefaultCommandLine"/>; the empty string means an empty command line.</summary>
    public string? CommandLine { get; init; }

    /// <summary>Bytes; 256 MiB to 512 GiB, a multiple of 4096; default 512 MiB.</summary>
    public long? Memory { get; init; }

    /// <summary>Bytes of the host's huge pages that hold the RAM, such as 2 MiB or 1 GiB; 0 for plain pages, the default.</summary>
    public long? HugePage { get; init; }

    /// <summary>1 to 254; default: all of the topology, or 1 with a <see cref="MaximumCpu"/>.</summary>
    public int? Cpu { get; init; }

    /// <summary>CPUs that there can be, the topology's product; 0 for as many as there are.</summary>
    public int? MaximumCpu { get; init; }

    /// <summary>0 for what follows from the others, as of those below.</summary>
    public int? Socket { get; init; }

    /// <summary>Dies of a socket.</summary>
    public int? Die { get; init; }

    /// <summary>Cores of a die.</summary>
    public int? Core { get; init; }

    /// <summary>Threads of a core.</summary>
    public int? Thread { get; init; }

    /// <summary>Default <c>host</c>, which the empty string means too.</summary>
    public string? CpuModel { get; init; }

    /// <summary><c>+NAME</c> or <c>-NAME</c> each; an empty list removes them.</summary>
    public IReadOnlyList<string>? CpuFeature { get; init; }

    /// <summary>Whether it has no empty slots for what may be added while it runs; default false.</summary>
    public bool? NoHotPlug { get; init; }

    /// <summary>Whether its engine isn't shut in; default false.</summary>
    public bool? NoSandbox { get; init; }

    /// <summary>Whether its guest's changes of disks are thrown away, and it itself when it has run; default false. Of a VM that is there it can't change.</summary>
    public bool? Ephemeral { get; init; }

    /// <summary>Whether it has the console port on which the guest's agent answers; default false.</summary>
    public bool? GuestAgent { get; init; }

    /// <summary>Free text.</summary>
    public string? Notes { get; init; }
}

/// <summary>What a user gives to add a drive.</summary>
public sealed record DriveSettings
{
    /// <summary>Absolute path; must exist.</summary>
    public required string Path { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Serial number the guest reads: at most 20 printable ASCII characters.</summary>
    public string? Serial { get; init; }

    /// <summary>How its requests are served.</summary>
    public DriveIo Io { get; init; } = new();

    /// <summary>Default: the first free of disk0, disk1 …</summary>
    public string? Id { get; init; }
}

/// <summary>A VM of the store whose definition cannot be read; others are listed all the same.</summary>
/// <param name="Id">Its folder's name.</param>
/// <param name="Name">Its name, where that much can be read.</param>
/// <param name="Path">The damaged file.</param>
/// <param name="Error">What is wrong (id <c>VmDefinitionDamaged</c>); ready to be written as an error.</param>
public sealed record DamagedVm(string Id, string? Name, string Path, StratoException Error)
{
    /// <summary>What is known of the VM, for showing and stopping it: the name, or the id in its place.</summary>
    internal VmDefinition StandIn => new() { Id = Id, Name = Name ?? Id, Machine = "", Kernel = "", Memory = 0, Cpu = 0, Created = default, Damage = Error.Message };
}

/// <summary>All VMs of the store.</summary>
/// <param name="Definitions">Sorted by name.</param>
/// <param name="Damaged">Those that cannot be read.</param>
public sealed record VmListing(IReadOnlyList<VmDefinition> Definitions, IReadOnlyList<DamagedVm> Damaged);
