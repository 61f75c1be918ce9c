using System;
using System.Collections.Generic;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>The settings of a VM as configuration files have them, named as the cmdlets' parameters are.</summary>
/// <remarks>A new setting of a VM is a line here: then it is exported, imported, compared and set.</remarks>
internal static class VmForm
{
    internal const string Name = nameof(VmDefinition.Name);
    internal const string Drives = nameof(VmDefinition.Drives);
    internal const string NetworkAdapters = nameof(VmDefinition.NetworkAdapters);
    internal const string ConsolePorts = nameof(VmDefinition.ConsolePorts);
    internal const string SharedFolders = nameof(VmDefinition.SharedFolders);
    internal const string IoThreads = nameof(VmDefinition.IoThreads);
    internal const string Affinity = "Affinity";

    private static readonly string[] Backends = ["socket", "file", "pty"];

    private static readonly Form<DriveDefinition> Drive = new(
        () => new DriveDefinition { Id = "", Path = "" },
        Fields<DriveDefinition>.Text("Id", null, one => one.Id, (one, value) => one with { Id = value ?? "" }, required: true),
        Fields<DriveDefinition>.Path("Path", "raw image or block device", one => one.Path, (one, value) => one with { Path = value ?? "" }, required: true),
        Fields<DriveDefinition>.Flag("ReadOnly", null, one => one.ReadOnly, (one, value) => one with { ReadOnly = value ?? false }),
        Fields<DriveDefinition>.Text("Serial", "at most 20 characters", one => one.Serial, (one, value) => one with { Serial = value }),
        Fields<DriveDefinition>.Choice("Aio", null, DriveNames.Aio, one => (int?)one.Io.Aio, (one, value) => one with { Io = one.Io with { Aio = (DriveAio?)value } }),
        Fields<DriveDefinition>.Choice("Cache", null, DriveNames.Cache, one => (int?)one.Io.Cache, (one, value) => one with { Io = one.Io with { Cache = (DriveCache?)value } }),
        Fields<DriveDefinition>.Flag("Direct", "past the host's page cache", one => one.Io.Direct, (one, value) => one with { Io = one.Io with { Direct = value } }),
        Fields<DriveDefinition>.Count("Iops", "requests a second at most, 0 for no limit", one => one.Io.Iops is 0 ? null : one.Io.Iops, (one, value) => one with { Io = one.Io with { Iops = value } }),
        Fields<DriveDefinition>.Text("IoThread", null, one => one.Io.IoThread, (one, value) => one with { Io = one.Io with { IoThread = value } }),
        Fields<DriveDefinition>.Count("QueueCount", "1 to 32", one => one.Io.QueueCount, (one, value) => one with { Io = one.Io with { QueueCount = value } }),
        Fields<DriveDefinition>.Count("QueueSize", "entries, a power of two from 4 to 1024", one => one.Io.QueueSize, (one, value) => one with { Io = one.Io with { QueueSize = value } }),
        Fields<DriveDefinition>.Choice("Discard", null, DriveNames.Discard, one => (int?)one.Io.Discard, (one, value) => one with { Io = one.Io with { Discard = (DriveDiscard?)value } }),
        Fields<DriveDefinition>.Choice("DetectZeroes", null, DriveNames.DetectZeroes, one => (int?)one.Io.DetectZeroes, (one, value) => one with { Io = one.Io with { DetectZeroes = (DriveDetectZeroes?)value } }),
        Fields<DriveDefinition>.Choice("WriteErrorAction", null, DriveNames.WriteError, one => (int?)one.Io.WriteErrorAction, (one, value) => one with { Io = one.Io with { WriteErrorAction = (DriveErrorAction?)value } }),
        Fields<DriveDefinition>.Choice("ReadErrorAction", null, DriveNames.WriteError, one => (int?)one.Io.ReadErrorAction, (one, value) => one with { Io = one.Io with { ReadErrorAction = (DriveErrorAction?)value } }),
        Fields<DriveDefinition>.Flag("Snapshot", "changes are thrown away", one => one.Io.Snapshot, (one, value) => one with { Io = one.Io with { Snapshot = value } }));

    private static readonly Form<NetworkAdapterDefinition> Adapter = new(
        () => new NetworkAdapterDefinition { Id = "", Settings = new() { User = true } },
        Fields<NetworkAdapterDefinition>.Text("Id", null, one => one.Id, (one, value) => one with { Id = value ?? "" }, required: true),
        Fields<NetworkAdapterDefinition>.Text("TapName", "without it and SwitchName, user networking by passt", one => one.Settings.TapName, (one, value) => Leading(one, one.Settings with { TapName = value })),
        Fields<NetworkAdapterDefinition>.Text("SwitchName", null, one => one.Settings.SwitchName, (one, value) => Leading(one, one.Settings with { SwitchName = value })),
        Fields<NetworkAdapterDefinition>.Text("MacAddress", null, one => one.Settings.MacAddress, (one, value) => one with { Settings = one.Settings with { MacAddress = value } }),
        Fields<NetworkAdapterDefinition>.Count("QueueCount", "1 to 16", one => one.Settings.QueueCount, (one, value) => one with { Settings = one.Settings with { QueueCount = value } }),
        Fields<NetworkAdapterDefinition>.Flag("Vhost", null, one => one.Settings.Vhost, (one, value) => one with { Settings = one.Settings with { Vhost = value } }),
        Fields<NetworkAdapterDefinition>.Text("IoThread", null, one => one.Settings.IoThread, (one, value) => one with { Settings = one.Settings with { IoThread = value } }),
        Fields<NetworkAdapterDefinition>.Flag("Connected", "$false for a cable that is out", one => one.Settings.Connected is true ? null : one.Settings.Connected, (one, value) => one with { Settings = one.Settings with { Connected = value } }),
        Fields<NetworkAdapterDefinition>.Texts(
            "Publish",
            "ports of the host that lead to the guest: 8080:80, 127.0.0.1:53:53/udp",
            one => Array.ConvertAll<string, string>([.. one.Settings.PortForward ?? []], StratoClient.ToPublished),
            (one, value) => one with { Settings = one.Settings with { PortForward = value.Count == 0 ? null : value } },
            StratoClient.ParsePublished));

    private static readonly Form<ConsolePortDefinition> Port = new(
        () => new ConsolePortDefinition { Id = "" },
        Fields<ConsolePortDefinition>.Text("Id", null, one => one.Id, (one, value) => one with { Id = value ?? "" }, required: true),
        Fields<ConsolePortDefinition>.Flag("Terminal", "hvc0 and on", one => one.Terminal, (one, value) => one with { Terminal = value ?? false }),
        Fields<ConsolePortDefinition>.Choice("Backend", null, Backends, one => (int)one.Backend, (one, value) => one with { Backend = (ConsolePortBackend)(value ?? 0) }),
        Fields<ConsolePortDefinition>.Path("Path", "a socket without one lies in the running VM's own folder", one => one.Path, (one, value) => one with { Path = value }));

    private static readonly Form<SharedFolderDefinition> Folder = new(
        () => new SharedFolderDefinition { Tag = "", Path = "" },
        Fields<SharedFolderDefinition>.Text("Tag", null, one => one.Tag, (one, value) => one with { Tag = value ?? "" }, required: true),
        Fields<SharedFolderDefinition>.Path("Path", null, one => one.Path, (one, value) => one with { Path = value ?? "" }, required: true));

    private static readonly Form<AffinityDefinition> Pin = new(
        () => new AffinityDefinition { HostCpus = "" },
        Fields<AffinityDefinition>.Count("Cpu", null, one => one.Cpu, (one, value) => one with { Cpu = value }),
        Fields<AffinityDefinition>.Text("IoThread", null, one => one.IoThread, (one, value) => one with { IoThread = value }),
        Fields<AffinityDefinition>.Text("HostCpus", null, one => one.HostCpus, (one, value) => one with { HostCpus = value ?? "" }, required: true));

    private static readonly Form<VsockDefinition> Vsock = new(
        () => new VsockDefinition { GuestCid = 0 },
        Fields<VsockDefinition>.Number("GuestCid", "3 to 4294967294, no other running VM's", one => one.GuestCid, (one, value) => one with { GuestCid = value ?? 0 }, required: true));

    private static readonly Form<RngDefinition> Rng = new(
        () => new RngDefinition(),
        Fields<RngDefinition>.Path("Source", null, one => one.Source, (one, value) => one with { Source = value ?? RngConfiguration.DefaultSource }),
        Fields<RngDefinition>.Size("MaxBytes", "bytes in a period, 0 for no limit", one => one.MaxBytes, (one, value) => one with { MaxBytes = value ?? 0 }),
        Fields<RngDefinition>.Number("Period", "milliseconds", one => one.Period, (one, value) => one with { Period = value ?? RngConfiguration.DefaultPeriod }));

    private static readonly Form<BalloonDefinition> Balloon = new(
        () => new BalloonDefinition(),
        Fields<BalloonDefinition>.Flag("DeflateOnOom", null, one => one.DeflateOnOom, (one, value) => one with { DeflateOnOom = value ?? false }),
        Fields<BalloonDefinition>.Flag("FreePageReporting", null, one => one.FreePageReporting, (one, value) => one with { FreePageReporting = value ?? false }));

    /// <summary>A VM. What a file doesn't give stays as it is, but each list and hashtable that it gives is whole.</summary>
    internal static Form<VmDefinition> Vm { get; } = new(
        Blank,
        Fields<VmDefinition>.Text(Name, null, vm => vm.Name, (vm, value) => vm with { Name = value ?? "" }),
        Fields<VmDefinition>.Text("Notes", null, vm => vm.Notes, (vm, value) => vm with { Notes = value ?? "" }),
        Fields<VmDefinition>.Text("Machine", null, vm => vm.Machine, (vm, value) => vm with { Machine = value ?? ConfigurationLimits.DefaultMachineType }),
        Fields<VmDefinition>.Path("Kernel", null, vm => vm.Kernel, (vm, value) => vm with { Kernel = value ?? "" }),
        Fields<VmDefinition>.Path("Initrd", null, vm => vm.Initrd, (vm, value) => vm with { Initrd = value }),
        Fields<VmDefinition>.Text("CommandLine", "of the kernel", vm => vm.CommandLine, (vm, value) => vm with { CommandLine = value ?? "" }),
        Fields<VmDefinition>.Size("Memory", "bytes: 256MB to 512GB", vm => vm.Memory, (vm, value) => vm with { Memory = value ?? 0 }),
        Fields<VmDefinition>.Size("HugePage", "bytes of the host's huge pages that hold the memory", vm => vm.HugePage, (vm, value) => vm with { HugePage = value is 0 ? null : value }),
        Fields<VmDefinition>.Count("Cpu", "1 to 254", vm => vm.Cpu, (vm, value) => vm with { Cpu = value ?? 0 }),
        Shape("MaximumCpu", "CPUs that there can be while it runs", one => one.Maximum, (one, value) => one with { Maximum = value }),
        Shape("Socket", null, one => one.Sockets, (one, value) => one with { Sockets = value }),
        Shape("Die", "of a socket", one => one.Dies, (one, value) => one with { Dies = value }),
        Shape("Core", "of a die", one => one.Cores, (one, value) => one with { Cores = value }),
        Shape("Thread", "of a core", one => one.Threads, (one, value) => one with { Threads = value }),
        Fields<VmDefinition>.Text("CpuModel", string.Join(", ", CpuModel.Names), vm => vm.Processor.Model, (vm, value) => With(vm, one => one with { Model = value })),
        Fields<VmDefinition>.Texts("CpuFeature", null, vm => vm.Processor.Features, (vm, value) => With(vm, one => one with { Features = value })),
        Shape("Weight", "share of the host's CPUs, 1 to 10000; 100 without one", one => one.Weight, (one, value) => one with { Weight = value }),
        Shape("Quota", "percent of one CPU at most", one => one.Quota, (one, value) => one with { Quota = value }),
        Fields<VmDefinition>.Items(Affinity, "host CPUs of virtual ones (Cpu), of iothreads (IoThread), and of all other threads", Pin, vm => vm.Processor.Affinity, (vm, value) => With(vm, one => one with { Affinity = value })),
        Fields<VmDefinition>.Flag("NoHotPlug", null, vm => vm.NoHotPlug, (vm, value) => vm with { NoHotPlug = value ?? false }),
        Fields<VmDefinition>.Flag("NoSandbox", null, vm => vm.NoSandbox, (vm, value) => vm with { NoSandbox = value ?? false }),
        Fields<VmDefinition>.Flag("Ephemeral", "disks stay as they are, and the VM is gone when it has run", vm => vm.Ephemeral, (vm, value) => vm with { Ephemeral = value ?? false }),
        Fields<VmDefinition>.Texts(IoThreads, null, vm => Ids(vm.IoThreads), (vm, value) => vm with { IoThreads = Threads(value) }),
        Fields<VmDefinition>.Items(Drives, "in the order in which the guest sees them", Drive, vm => vm.Drives, (vm, value) => vm with { Drives = value }),
        Fields<VmDefinition>.Items(NetworkAdapters, "in the order in which the guest sees them", Adapter, vm => vm.NetworkAdapters, (vm, value) => vm with { NetworkAdapters = value }),
        Fields<VmDefinition>.Items(ConsolePorts, "of the virtio console", Port, vm => vm.ConsolePorts, (vm, value) => vm with { ConsolePorts = value }),
        Fields<VmDefinition>.Items(SharedFolders, null, Folder, vm => vm.SharedFolders, (vm, value) => vm with { SharedFolders = value }),
        Fields<VmDefinition>.Item("Vsock", null, Vsock, vm => vm.Vsock, (vm, value) => vm with { Vsock = value }),
        Fields<VmDefinition>.Item("Rng", null, Rng, vm => vm.Rng, (vm, value) => vm with { Rng = value }),
        Fields<VmDefinition>.Item("Balloon", null, Balloon, vm => vm.Balloon, (vm, value) => vm with { Balloon = value }));

    /// <summary>What New-StratoVm makes of nothing but a name and a kernel, before it has them.</summary>
    internal static VmDefinition Blank() => new()
    {
        Id = "",
        Name = "",
        Machine = ConfigurationLimits.DefaultMachineType,
        Kernel = "",
        CommandLine = StratoClient.DefaultCommandLine,
        Memory = StratoClient.DefaultMemory,
        Cpu = 1,
        Created = default,
    };

    /// <summary>What names an item of one of the lists above, which is in it once.</summary>
    internal static string? KeyOf(string list, ConfigNode item) => item switch
    {
        TextNode text => text.Value,
        MapNode map when list == Affinity => map.Find("Cpu") is NumberNode cpu ? DataFileWriter.Inline(cpu, null)
            : map.Find("IoThread") is TextNode thread ? thread.Value : "Emulator",
        MapNode map => (map.Find(list == SharedFolders ? "Tag" : "Id") as TextNode)?.Value,
        _ => null,
    };

    private static NetworkAdapterDefinition Leading(NetworkAdapterDefinition adapter, NetworkAdapterSettings settings) =>
        adapter with { Settings = settings with { User = settings.LeadsToUser ? true : null } };

    private static Field<VmDefinition> Shape(string name, string? note, Func<ProcessorDefinition, int?> get, Func<ProcessorDefinition, int?, ProcessorDefinition> set) =>
        Fields<VmDefinition>.Count(name, note, vm => get(vm.Processor), (vm, value) => With(vm, one => set(one, value is 0 ? null : value)));

    private static VmDefinition With(VmDefinition vm, Func<ProcessorDefinition, ProcessorDefinition> change) => vm with { Processor = change(vm.Processor) };

    private static string[] Ids(IReadOnlyList<IoThreadDefinition> threads) => Array.ConvertAll<IoThreadDefinition, string>([.. threads], thread => thread.Id);

    private static IoThreadDefinition[] Threads(IReadOnlyList<string> ids) => Array.ConvertAll<string, IoThreadDefinition>([.. ids], id => new IoThreadDefinition { Id = id });
}
