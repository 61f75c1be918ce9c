using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Engine.Devices;
using Strato.Engine.Diagnostics;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>The microVM's board: processors, memory, buses and devices, and how they are wired. <see cref="VirtualMachine"/> gives it life.</summary>
internal sealed class MicroVm : IDisposable
{
    private readonly KvmSystem _system;
    private readonly KvmVm _vm;
    private readonly GuestMemory _memory;
    private readonly AddressSpace _ports = new("ports");
    private readonly AddressSpace _mmio = new("memory");
    private readonly CpuSet _cpus;
    private readonly CpuHotplug _cpuHotplug;
    private readonly List<MmioTransport> _transports = [];
    private readonly Dictionary<MmioTransport, DeviceConfiguration> _wishes = [];
    private readonly List<IoThread> _ioThreads = [];
    private readonly List<IDisposable> _owned = [];
    private readonly BootRequest _boot;
    private readonly PowerControl _power;
    private readonly Serial16550? _serial;
    private Announcement _announcedBy;
    private GuestClock? _stoppedClock;
    private bool _clockLags;

    /// <summary>Makes the board and loads the kernel, or restores what was saved; no vCPU runs yet.</summary>
    /// <param name="system">The host's KVM.</param>
    /// <param name="configuration">Validated.</param>
    /// <param name="loop">The main loop, which serves the devices.</param>
    /// <param name="serial">What ttyS0 is connected to; null when the machine has no serial port. Stays the caller's.</param>
    /// <param name="restored">What it goes on from; null for a machine that boots.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">A file, disk or the host is not fit.</exception>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public MicroVm(KvmSystem system, VmConfiguration configuration, EventLoop loop, ICharBackend? serial, RestoredMachine? restored = null)
    {
        try
        {
            CpuTopology topology = CpuTopology.Of(configuration.Shape);
            if (restored is not null)
            {
                RestoreCheck.Check(restored, configuration, topology, serial is not null);
            }

            List<PlannedSlot> plan = restored is null ? SlotPlan.Of(configuration) : SlotPlan.Of(configuration, restored.Board);

            // Closed last of all, when the ports have written what they had.
            Ports = Own(new PortPlug(loop, id => HotPlug!.CheckDeviceId(id)));

            // Files first: what a user got wrong is told before anything is built.
            _boot = OpenFiles(configuration, loop, serial is not null, plan.Count, out List<DiskImage> disks, out List<VirtioDevice> devices);
            _memory = Own(MemoryOpener.Open(configuration, Layout.RamRanges((ulong)configuration.Memory), restored?.MemoryFile));
            Memory = new MemoryStatus(configuration, _memory);
            Dump = Own(new MemoryDump(loop, _memory));
            _vm = Own(system.CreateVm());
            _vm.SetIdentityMapAddress(Layout.IdentityMap);
            _vm.SetTssAddress((uint)Layout.Tss);

            // Memory before the interrupt controllers: the other way round the kernel waits some milliseconds longer
            // (docs/performance.md).
            for (int slot = 0; slot < _memory.Regions.Length; slot++)
            {
                MemoryRegion region = _memory.Regions[slot];
                _vm.SetMemoryRegion((uint)slot, region.Start, region.Length, region.HostAddress);
            }

            _vm.CreateIrqchip();
            _vm.CreatePit();
            KvmCpuidEntry[] cpuid = CpuFilter.Apply(configuration.Cpu, system.GetSupportedCpuid());
            if (restored is not null)
            {
                KvmCapability.CheckThere(KvmCapability.Parse(restored.State), system.CheckExtension);
            }

            _system = system;
            _cpus = new CpuSet(system, _vm, _boot.Topology, restored is null ? cpuid : CpuSet.ParseCpuid(restored.State, cpuid), _ports, _mmio);
            Counters = Own(new KvmCounters(_vm.OpenStatistics(), _cpus.StatisticsOf));
            // Which writes where a restored guest has its own; that one has run before.
            if (restored is null && !configuration.Force)
            {
                _cpus.CheckSpeed(_memory);
            }

            if (serial is not null)
            {
                _serial = new Serial16550(Interrupt(Layout.Com1Gsi), serial);
                _ports.Attach(Layout.Com1, Serial16550.Length, _serial);
                Ports.SetSerial(configuration.Serial, serial);
            }

            _power = new PowerControl(new KvmInterruptLevel(_vm, Layout.GedGsi), () => PowerOffRequested(), () => ResetRequested());
            _ports.Attach(Layout.Power, PowerControl.Length, _power);
            _cpuHotplug = new CpuHotplug(Topology.Present, Topology.Count, () => _power.Raise(PowerEvents.CpuHotplug));
            _ports.Attach(Layout.CpuHotplug, CpuHotplug.Length, _cpuHotplug);
            _boot.IsThere = _cpuHotplug.IsThere;
            _ports.Attach(Layout.I8042Command, I8042Reset.Length, new I8042Reset(() => ResetRequested()));
            foreach (IoThreadConfiguration thread in configuration.IoThreads)
            {
                IoThread made = Own(new IoThread(thread.Id));
                made.Loop.Failed = error => HostRefused(error);
                _ioThreads.Add(made);
            }

            HotPlug = Own(new HotPlug(loop, _ioThreads, id => _cpus.Find(id) >= 0 || Ports.Has(id) || configuration.Devices.Exists(device => device is not NetConfiguration && device.Name == id)));
            CpuPlug = new CpuPlug(_cpus, _cpuHotplug, loop, () => _announcedBy == Announcement.Acpi, HotPlug.CheckDeviceId);
            HotPlug.DiskFailed = (disk, failure) => DiskFailed(disk, failure);
            HotPlug.NetLost = netdev => NetLost(netdev);
            foreach (PlannedSlot slot in plan)
            {
                Plug(slot, configuration, disks, devices, loop, restored?.State);
            }

            if (devices.Find(device => device is BalloonDevice) is BalloonDevice balloon)
            {
                Balloon = Own(new MemoryBalloon(balloon, configuration.Memory, loop));
            }

            if (restored is null)
            {
                Log.Info("machine", $"kernel format: {LoadKernel().KernelFormat}");
            }
            else
            {
                Restore(restored);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The guest asks for power-off. On a vCPU's thread.</summary>
    public Action PowerOffRequested { get; set; } = () => { };

    /// <summary>The guest asks for a reset. On a vCPU's thread.</summary>
    public Action ResetRequested { get; set; } = () => { };

    /// <summary>The host refuses something to an iothread. On that thread.</summary>
    public Action<LinuxException> HostRefused { get; set; } = _ => { };

    /// <summary>The host failed at a disk's request. On the thread that serves the disk, or one that waits for it.</summary>
    public Action<BlockDevice, BlockFailure> DiskFailed { get; set; } = (_, _) => { };

    /// <summary>The host's side of a network interface has gone. On the thread that serves it.</summary>
    public Action<NetdevConfiguration> NetLost { get; set; } = _ => { };

    /// <summary>Disks and network interfaces.</summary>
    public HotPlug HotPlug { get; }

    public MemoryStatus Memory { get; }

    /// <summary>Null when there is none.</summary>
    public MemoryBalloon? Balloon { get; }

    public CpuTopology Topology => _boot.Topology;

    public IReadOnlyList<CpuStatus> Cpus => _cpus.Status;

    public KvmCounters Counters { get; }

    public MemoryDump Dump { get; }

    /// <summary>CPUs that come and go.</summary>
    public CpuPlug CpuPlug { get; }

    /// <summary>Character devices, and the console's ports.</summary>
    public PortPlug Ports { get; }

    public IReadOnlyList<IoThreadStatus> IoThreads => _ioThreads.ConvertAll(thread => new IoThreadStatus(thread.Id, thread.ThreadId));

    /// <summary>Starts the iothreads, and the vCPUs' threads, parked.</summary>
    public void StartThreads(IVcpuEvents events)
    {
        _ioThreads.ForEach(thread => thread.Start());
        _cpus.Start(events);
    }

    /// <summary>When it returns, no vCPU runs guest code, and the last instruction of each is finished.</summary>
    public void ParkVcpus() => _cpus.Park();

    /// <summary>The registers of all CPUs, which stand still.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public IReadOnlyList<CpuRegisters> ReadRegisters() => _cpus.ReadRegisters();

    /// <inheritdoc cref="CpuSet.InjectNmi"/>
    public int InjectNmi() => _cpus.InjectNmi();

    /// <summary>Lets those vCPUs run on that were parked only to be looked at, with the clock that went on meanwhile.</summary>
    public void GoOnVcpus() => _cpus.GoOn();

    /// <summary>The guest's clock stands still from here on, until <see cref="UnparkVcpus"/>. With the vCPUs parked.</summary>
    /// <remarks>A reset may come while the machine is paused: then the clock stopped with the pause.</remarks>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public void StopClock() => _stoppedClock ??= GuestClock.Read(_vm);

    /// <summary>For a device on a vCPU's thread: that vCPU parks after the present exit.</summary>
    public void ParkCallingVcpu() => _cpus.ParkCalling();

    /// <summary>The vCPUs run on, and the guest's clock from where it stopped.</summary>
    /// <exception cref="LinuxException">The host refuses; no vCPU runs then.</exception>
    public void UnparkVcpus()
    {
        if (_stoppedClock is { } clock)
        {
            _vm.SetClock(_clockLags ? clock.WithLostTime() : clock.Nanoseconds);
            _stoppedClock = null;
            _clockLags = false;
        }

        _cpus.Unpark();
    }

    /// <summary>No device touches guest memory from here on; requests under way are finished. With the vCPUs parked.</summary>
    public void QuiesceDevices() => _transports.ForEach(transport => transport.Device.Quiesce());

    public void ResumeDevices() => _transports.ForEach(transport => transport.Device.Resume());

    public void PressPowerButton() => _power.Raise(PowerEvents.PowerButton);

    /// <summary>Takes everything back to power-on and loads the kernel anew. With the vCPUs parked and the devices quiesced.</summary>
    public void Reset()
    {
        _clockLags = false;
        _transports.ForEach(transport => transport.Reset());
        _serial?.Reset();
        _power.Reset();
        _cpuHotplug.Reset();
        _cpus.Reset();
        _memory.Discard();
        LoadKernel();
    }

    /// <summary>Whether the guest goes on from a snapshot, and so has run before.</summary>
    public bool IsRestored { get; private set; }

    /// <summary>All RAM.</summary>
    public GuestMemory GuestMemory => _memory;

    /// <summary>Why the machine can't be saved, which names the device; null when it can.</summary>
    public string? CannotBeSaved => _transports.Find(transport => transport.Device.CannotBeSaved is not null) is { } transport
        ? $"the device '{transport.Device.Id}' can't: {transport.Device.CannotBeSaved}"
        : null;

    /// <summary>All that the guest counts on but its memory. With the vCPUs parked, the devices quiesced and the clock stopped.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public List<SnapshotSection> Save()
    {
        List<SlotState> slots = _transports.ConvertAll(HotPlug.Describe);

        // In the order in which they are read: interrupt controllers before the local APICs, so that what the IOAPIC delivers meanwhile
        // (the PIT goes on) is in those then, and not in neither.
        List<SnapshotSection> sections =
        [
            new BoardState(Topology, _announcedBy, _serial is not null, slots).ToSection(),
            KvmCapability.ToSection(ReadCapabilities()),
            ToSection("interrupts", InterruptState.Read(_vm).Write),
            .. _cpus.Save(),
            _stoppedClock!.Value.ToSection(),
            ToSection("power", _power.Save),
            ToSection("cpu-hotplug", _cpuHotplug.Save),
        ];
        if (_serial is not null)
        {
            sections.Add(ToSection("serial", _serial.Save));
        }

        for (int slot = 0; slot < _transports.Count; slot++)
        {
            sections.Add(ToSection(NameOf(slot), _transports[slot].Save));
        }

        return sections;
    }

    /// <summary>What of the machine stands on an open file, which nobody else may write; null for nothing.</summary>
    public string? UseOf(int fd) =>
        _memory.Image is { } image && FileIdentity.Of(fd) == image ? "the memory that the machine was restored from and reads still"
        : HotPlug.FindDrive(fd) is { } drive ? $"the image of the drive '{ConfigurationLimits.Printable(drive)}'"
        : null;

    /// <summary>What a snapshot tells of the machine.</summary>
    public MachineDescription Describe()
    {
        List<DeviceDescription> devices = [];
        for (int slot = 0; slot < _transports.Count; slot++)
        {
            MmioTransport transport = _transports[slot];
            SlotState state = HotPlug.Describe(transport);
            if (!state.IsEmpty)
            {
                VirtioDevice device = transport.Device;
                devices.Add(new DeviceDescription(
                    slot,
                    DeviceOptions.DriverOf(device.Type),
                    state.Id,
                    device.Queues.Length,
                    device.Queues.IsEmpty ? 0 : device.Queues[0].MaximumSize,
                    HotPlug.OptionsOf(transport) ?? (_wishes.TryGetValue(transport, out DeviceConfiguration? wish) ? DeviceOptions.Of(wish) : [])));
            }
        }

        List<string> features = [.. CpuFilter.Names(_cpus.Told), .. KvmFeatures.Of(_cpus.Told)];
        return new MachineDescription(CpuFilter.VendorOf(_cpus.Told), CpuFilter.BrandOf(_cpus.Told), features, ReadCapabilities(), devices);
    }

    public void Dispose()
    {
        _cpus?.Dispose();

        // Devices leave their loops below, which only a loop's own thread may do while it runs.
        _ioThreads.ForEach(thread => thread.Stop());
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
    }

    private BootRequest OpenFiles(VmConfiguration configuration, EventLoop loop, bool hasSerial, int slots, out List<DiskImage> disks, out List<VirtioDevice> devices)
    {
        BootRequest request = new()
        {
            Kernel = Own(ImageFile.Open(configuration.Kernel!, ImageRole.Kernel, configuration.KernelWhere)),
            Initrd = configuration.Initrd is { } initrd ? Own(ImageFile.Open(initrd, ImageRole.Initrd, configuration.InitrdWhere)) : null,
            CommandLine = configuration.CommandLine,
            CommandLineWhere = configuration.CommandLineWhere,
            Topology = CpuTopology.Of(configuration.Shape),
            VirtioSlots = new int[slots],
            HasSerial = hasSerial,
        };
        for (int slot = 0; slot < request.VirtioSlots.Length; slot++)
        {
            request.VirtioSlots[slot] = slot;
        }

        disks = [];
        foreach (DriveConfiguration drive in configuration.Drives)
        {
            DiskImage image = Own(DriveSetup.Open(drive));
            int other = disks.FindIndex(image.IsSameFile);
            disks.Add(image);
            if (other >= 0 && !(drive.IsFileReadOnly && configuration.Drives[other].IsFileReadOnly))
            {
                throw DriveSetup.InUse(drive, configuration.Drives[other].Id);
            }
        }

        devices = [];
        foreach (DeviceConfiguration device in configuration.Devices)
        {
            devices.Add(Own(DeviceOpener.Open(device, configuration, loop, Ports)));
        }

        return request;
    }

    private void Plug(PlannedSlot slot, VmConfiguration configuration, List<DiskImage> disks, List<VirtioDevice> devices, EventLoop loop, StateFile? restored)
    {
        if (slot.Drive >= 0)
        {
            DriveConfiguration drive = configuration.Drives[slot.Drive];
            AddDisk(disks[slot.Drive], drive, LoopOf(drive.IoThread) ?? loop);
        }
        else if (slot.Device >= 0)
        {
            AddDevice(devices[slot.Device], configuration.Devices[slot.Device], loop);
        }
        else
        {
            PlugEmpty(slot, loop, restored is null ? null : DeviceShape.Read(restored.Require(NameOf(_transports.Count)).Read()));
        }
    }

    /// <param name="slot">For a disk or a network interface.</param>
    /// <param name="loop">What serves it.</param>
    /// <param name="saved">As it was in the snapshot; null for one that is empty from the start.</param>
    private void PlugEmpty(in PlannedSlot slot, EventLoop loop, DeviceShape? saved)
    {
        if (slot.Kind == SlotKind.Disk)
        {
            int disk = HotPlug.DiskSlots;
            _ = HotPlug.AddDiskSlot(Attach(saved is null ? DiskSlot.CreateSpare(disk) : DiskSlot.CreateSpare(disk, saved), loop, isSpare: true));
        }
        else
        {
            int net = HotPlug.NetSlots;
            _ = HotPlug.AddNetSlot(Attach(saved is null ? NetSlot.CreateSpare(net, slot.Mac) : NetSlot.CreateSpare(net, slot.Mac, saved), loop, isSpare: true));
        }
    }

    private void AddDevice(VirtioDevice device, DeviceConfiguration wish, EventLoop loop)
    {
        MmioTransport transport = Attach(device, LoopOf(wish.IoThread) ?? loop);
        _wishes[transport] = wish;
        if (device is NetInterface net)
        {
            NetConfiguration interfaceWish = (NetConfiguration)wish;
            HotPlug.AddNetSlot(transport).Describe(interfaceWish);
            net.Lost = () => NetLost(interfaceWish.Netdev);
        }
    }

    private void AddDisk(DiskImage disk, DriveConfiguration drive, EventLoop loop)
    {
        BlockDevice device = Own(new BlockDevice(drive.Id, disk, DriveSetup.OptionsOf(drive)));
        device.Failed = failure => DiskFailed(device, failure);
        HotPlug.AddDiskSlot(Attach(device, loop)).Describe(drive, disk);
    }

    private EventLoop? LoopOf(string? ioThread) => _ioThreads.Find(thread => thread.Id == ioThread)?.Loop;

    /// <summary>Plugs a device into the next free slot.</summary>
    private MmioTransport Attach(VirtioDevice device, EventLoop loop, bool isSpare = false)
    {
        int slot = _transports.Count;
        ulong address = Layout.VirtioMmioBase(slot);
        MmioTransport transport = Own(
            new MmioTransport(device, _memory, Interrupt(Layout.VirtioMmioGsi(slot)), new KvmDoorbells(_vm, address), loop, isSpare));
        _mmio.Attach(address, MmioTransport.Length, transport);
        _transports.Add(transport);
        return transport;
    }

    /// <summary>A line that raises a GSI without a lock or an exit.</summary>
    private EventInterruptLine Interrupt(uint gsi)
    {
        EventInterruptLine line = Own(new EventInterruptLine());
        _vm.AssignIrqfd(line.EventFd, gsi);
        return line;
    }

    private List<KvmCapability> ReadCapabilities() => KvmCapability.Read(_system.CheckExtension, CpuFilter.HasNested(_cpus.Told));

    private static SnapshotSection ToSection(string name, Action<StateWriter> save)
    {
        StateWriter writer = new();
        save(writer);
        return writer.ToSection(name);
    }

    private static string NameOf(int slot) => string.Create(CultureInfo.InvariantCulture, $"slot {slot}");

    /// <summary>Takes what <see cref="Save"/> made. The machine stands still, as when it was saved.</summary>
    private void Restore(RestoredMachine restored)
    {
        StateFile state = restored.State;
        IsRestored = true;
        _announcedBy = restored.Board.AnnouncedBy;
        _cpuHotplug.Restore(state.Require("cpu-hotplug").Read());
        _cpus.Restore(state, _cpuHotplug.IsThere);

        // Behind the local APICs, to which the IOAPIC delivers what it holds.
        StateReader interrupts = state.Require("interrupts").Read();
        InterruptState.Parse(interrupts).ApplyTo(_vm);
        interrupts.End();
        for (int slot = 0; slot < _transports.Count; slot++)
        {
            _transports[slot].Restore(state.Require(NameOf(slot)).Read());
        }

        _serial?.Restore(state.Require("serial").Read());
        _power.Restore(state.Require("power").Read());
        _stoppedClock = GuestClock.Parse(state);
        _clockLags = !restored.KeepsTime;
        if (_announcedBy == Announcement.Acpi)
        {
            GenerationId.Write(_memory);
            _power.Raise(PowerEvents.Generation);
        }
    }

    /// <summary>Fills RAM, which is all zeros, and sets the registers of all vCPUs, which are as at power-on.</summary>
    private BootResult LoadKernel()
    {
        BootResult boot = BootLoader.Load(_memory, _boot);
        _announcedBy = boot.AnnouncedBy;
        _cpus.Enter(boot.Entry);
        return boot;
    }

    private T Own<T>(T resource)
        where T : IDisposable
    {
        _owned.Add(resource);
        return resource;
    }
}
