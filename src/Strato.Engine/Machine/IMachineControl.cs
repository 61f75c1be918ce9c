using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Text.Json;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>What a machine is doing; QMP's <c>status</c> names them.</summary>
internal enum RunState
{
    /// <summary>Built, and never run yet (<c>-S</c>).</summary>
    Prelaunch,

    /// <summary>The vCPUs run.</summary>
    Running,

    /// <summary>All vCPUs are parked until <see cref="IMachineControl.Resume"/>.</summary>
    Paused,

    /// <summary>The guest has powered off, and <c>-no-shutdown</c> keeps the engine.</summary>
    Shutdown,

    /// <summary>Paused, because the host failed at a disk's request whose drive says <c>stop</c>; it is tried again when the machine goes on.</summary>
    IoError,

    /// <summary>KVM or the engine failed while it ran; only a reset or the end helps.</summary>
    InternalError,
}

/// <summary>One vCPU as it is now.</summary>
/// <param name="Index">Number from 0; <see cref="CpuTopology.PlaceOf"/> tells where it is.</param>
/// <param name="ThreadId">The kernel's id of the vCPU's thread.</param>
/// <param name="Halted">Whether the guest has halted it; false where that isn't known.</param>
/// <param name="Id">The user's name of one that came while the machine ran; null for those of power-on.</param>
internal readonly record struct CpuStatus(int Index, int ThreadId, bool Halted, string? Id = null);

/// <summary>One disk as it is now.</summary>
/// <param name="Id">The user's id of the drive.</param>
/// <param name="File">Path of the image or block device, as given.</param>
/// <param name="ReadOnly">Whether the guest can't write.</param>
/// <param name="Serial">The serial number that the guest sees, if one was given.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Iops">Most requests a second; 0 for no limit.</param>
internal readonly record struct DriveStatus(string Id, string File, bool ReadOnly, string? Serial, long Length, int Iops = 0);

/// <summary>One network interface as it is now.</summary>
/// <param name="Id">The user's id of the device.</param>
/// <param name="Mac">Its address.</param>
/// <param name="Netdev">Id of where it leads.</param>
/// <param name="Kind">What that is.</param>
/// <param name="LinkUp">Whether the user hasn't taken the link down.</param>
internal readonly record struct NetStatus(string Id, string Mac, string Netdev, NetdevKind Kind, bool LinkUp)
{
    /// <summary>The host's name of its tap; null where it leads elsewhere.</summary>
    public string? Tap { get; init; }

    /// <summary>What it has moved; null where the host's kernel moves the frames, and counts them at the tap.</summary>
    public NetTraffic? Traffic { get; init; }
}

/// <summary>One iothread as it is now.</summary>
/// <param name="Id">The user's id, which is also the thread's name.</param>
/// <param name="ThreadId">The kernel's id of the thread.</param>
internal readonly record struct IoThreadStatus(string Id, int ThreadId);

/// <summary>Where a serial port or console port leads.</summary>
/// <param name="Label">Id of its -chardev; <c>serial0</c> for ttyS0 without one.</param>
/// <param name="Filename">As QEMU has it: <c>pty:/dev/pts/3</c>, <c>disconnected:unix:PATH,server</c> while nobody is connected.</param>
/// <param name="FrontendOpen">Whether the guest has the port open; a serial port always is.</param>
internal readonly record struct ChardevStatus(string Label, string Filename, bool FrontendOpen);

/// <summary>Something that happened to the machine, for all who listen on QMP.</summary>
/// <param name="Name">QMP's name, such as <c>STOP</c>.</param>
/// <param name="Data">The event's data: a JSON object as text.</param>
internal readonly record struct MachineEvent(string Name, string Data)
{
    public static MachineEvent Stop => new("STOP", "{}");

    public static MachineEvent Resume => new("RESUME", "{}");

    public static MachineEvent PowerDown => new("POWERDOWN", "{}");

    /// <summary>The host failed at a disk's request.</summary>
    public static MachineEvent BlockIoError(in BlockFailure failure)
    {
        using MemoryStream text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            json.WriteString("action", DriveNames.Of(failure.Action));
            json.WriteString("device", failure.Id);
            json.WriteString("node-name", failure.Id);
            json.WriteBoolean("nospace", failure.Error == Errno.ENOSPC);
            json.WriteString("operation", failure.Writes ? "write" : "read");
            json.WriteString("reason", Errno.Text(failure.Error));
            json.WriteEndObject();
        }

        return new MachineEvent("BLOCK_IO_ERROR", Encoding.UTF8.GetString(text.ToArray()));
    }

    /// <summary>The program at the other end of a network interface's stream has gone.</summary>
    public static MachineEvent NetStreamDisconnected(string netdev) =>
        new("NETDEV_STREAM_DISCONNECTED", $$"""{"netdev-id":"{{JsonEncodedText.Encode(netdev)}}"}""");

    /// <summary>A disk, network interface, port or CPU is no longer in the machine.</summary>
    public static MachineEvent DeviceDeleted(string id)
    {
        JsonEncodedText name = JsonEncodedText.Encode(id);
        return new MachineEvent("DEVICE_DELETED", $$"""{"device":"{{name}}","path":"{{name}}"}""");
    }

    /// <summary>The saving of a snapshot has come to another state, as QEMU tells it.</summary>
    /// <param name="status">QMP's name of it.</param>
    public static MachineEvent Migration(string status) => new("MIGRATION", $$"""{"status":"{{status}}"}""");

    /// <summary>A CPU has come or gone.</summary>
    public static MachineEvent CpuResize => new("CPU_RESIZE", "{}");

    /// <summary>The guest has answered what it was asked of a CPU (ACPI's _OST), as QEMU tells it.</summary>
    /// <param name="id">The CPU's name.</param>
    /// <param name="cpu">Its index.</param>
    /// <param name="source">What it was asked: 1 to take the CPU, 3 to give it up.</param>
    /// <param name="status">0 for done; else why not.</param>
    public static MachineEvent CpuAnswer(string id, int cpu, uint source, uint status) => new(
        "ACPI_DEVICE_OST",
        string.Create(CultureInfo.InvariantCulture, $$$"""{"info":{"device":"{{{JsonEncodedText.Encode(id)}}}","slot":"{{{cpu}}}","slot-type":"CPU","source":{{{source}}},"status":{{{status}}}}}"""));

    /// <param name="guest">Whether the guest asked for it.</param>
    /// <param name="reason">QEMU's name: guest-reset, guest-triple-fault, host-qmp-system-reset …</param>
    public static MachineEvent Reset(bool guest, string reason) => new("RESET", Cause(guest, reason));

    /// <param name="guest">Whether the guest asked for it.</param>
    /// <param name="reason">QEMU's name: guest-shutdown, guest-reset, guest-panic, host-qmp-quit, host-signal, host-error …</param>
    public static MachineEvent Shutdown(bool guest, string reason) => new("SHUTDOWN", Cause(guest, reason));

    // Reasons are names of ours, without characters that JSON would escape.
    private static string Cause(bool guest, string reason) => $$"""{"guest":{{(guest ? "true" : "false")}},"reason":"{{reason}}"}""";
}

/// <summary>The machine as its controller (the QMP server) sees it. Every member is called on the main loop's thread only.</summary>
internal interface IMachineControl
{
    /// <summary>Raised on the main loop's thread, in the order in which things happened.</summary>
    /// <remarks>
    /// STOP is raised before <see cref="Pause"/> returns and RESUME before <see cref="Resume"/> does, for users are
    /// shown the event before the command's return. SHUTDOWN of <see cref="Quit"/> is raised in it or later.
    /// </remarks>
    event Action<MachineEvent> EventRaised;

    /// <summary>The user's name of the machine; null when none was given.</summary>
    string? Name { get; }

    /// <summary>The machine type as QMP names it: <c>microvm</c>.</summary>
    string MachineType { get; }

    RunState State { get; }

    /// <summary>How the CPUs are grouped: those that are there and those that may come.</summary>
    CpuTopology Topology { get; }

    /// <summary>Those that are there, in the order of their index.</summary>
    IReadOnlyList<CpuStatus> Cpus { get; }

    /// <summary>Adds a CPU while the machine runs or waits, raising CPU_RESIZE, and tells the guest.</summary>
    /// <param name="id">The user's name of it.</param>
    /// <param name="cpu">Its index.</param>
    /// <exception cref="UserErrorException">It can't come; nothing has changed.</exception>
    void AddCpu(string id, long cpu);

    /// <summary>Asks the guest for a CPU that came so; false when none has the id. DEVICE_DELETED and CPU_RESIZE tell when it has gone.</summary>
    bool RequestCpuRemoval(string id);

    MemoryStatus Memory { get; }

    /// <summary>In the order in which they were given.</summary>
    IReadOnlyList<IoThreadStatus> IoThreads { get; }

    /// <summary>The registers of all CPUs, which stand still for that moment.</summary>
    /// <exception cref="UserErrorException">The host refuses.</exception>
    IReadOnlyList<CpuRegisters> ReadRegisters();

    /// <summary>Presses the NMI button; how many CPUs take it.</summary>
    /// <exception cref="UserErrorException">The host refuses.</exception>
    int InjectNmi();

    /// <summary>The dump of memory under way, or the last.</summary>
    MemoryDump Dump { get; }

    /// <summary>Holds the machine and begins a dump, of which none is under way; a machine that ran goes on when it has ended.</summary>
    /// <param name="file">As <see cref="MemoryDump.Begin"/>.</param>
    /// <param name="path">As there.</param>
    void BeginDump(FileDescriptor file, string? path);

    /// <summary>All RAM.</summary>
    GuestMemory GuestMemory { get; }

    /// <summary>Why the machine can't be saved; null when it can.</summary>
    string? CannotBeSaved { get; }

    /// <summary>Pauses the machine, which nobody lets go on until <see cref="Release"/>.</summary>
    /// <param name="what">What holds it, for those who want it to go on: "A snapshot".</param>
    /// <param name="held">Called later on the loop: with null when it stands still and all that its CPUs had told is done, else with why it doesn't.</param>
    /// <exception cref="UserErrorException">It is held already, or has ended.</exception>
    void Hold(string what, Action<string?> held);

    /// <summary>Ends <see cref="Hold"/>.</summary>
    /// <param name="run">Whether a machine that ran, and wasn't paused meanwhile, goes on.</param>
    void Release(bool run);

    /// <summary>All that the guest counts on but its memory. Held.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    IReadOnlyList<SnapshotSection> SaveState();

    /// <summary>What a snapshot tells of the machine to those who list it.</summary>
    MachineDescription Describe();

    /// <summary>What of the machine stands on an open file, which a snapshot may not be written into; null for nothing.</summary>
    string? UseOf(int fd);

    /// <summary>Tells those who listen of something that isn't the machine's own doing.</summary>
    void Raise(MachineEvent raised);

    /// <summary>What KVM counts.</summary>
    KvmCounters Counters { get; }

    /// <summary>The serial port, then those of the console's ports and of chardev-add in the order in which they came.</summary>
    IReadOnlyList<ChardevStatus> Chardevs { get; }

    /// <summary>Character devices and the console's ports, which may come and go.</summary>
    PortPlug Ports { get; }

    /// <summary>Null when the machine has none.</summary>
    MemoryBalloon? Balloon { get; }

    /// <summary>Disks and network interfaces, which may come and go.</summary>
    HotPlug HotPlug { get; }

    /// <summary>Parks all vCPUs; when it returns they are parked. Does nothing, and raises nothing, unless Running.</summary>
    /// <remarks>Under Prelaunch the machine stays as it is.</remarks>
    void Pause();

    /// <summary>Lets the vCPUs run. Does nothing, and raises nothing, unless Paused, IoError or Prelaunch.</summary>
    void Resume();

    /// <summary>Presses the power button, raising POWERDOWN; the guest may obey, later, or not.</summary>
    void PowerDown();

    /// <summary>Resets the machine as by its reset button, raising RESET {guest:false, reason:host-qmp-system-reset}.</summary>
    /// <remarks>A paused machine stays paused (QEMU's rule); Shutdown and InternalError become Paused. Under -no-reboot the engine ends.</remarks>
    void Reset();

    /// <summary>Ends the machine: SHUTDOWN {guest:false, reason} is raised, and the main loop stops soon, with exit code 0.</summary>
    /// <param name="reason">host-qmp-quit, host-signal …</param>
    void Quit(string reason);
}
