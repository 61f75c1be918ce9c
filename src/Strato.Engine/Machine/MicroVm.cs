using System;
using System.Collections.Generic;
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

namespace Strato.Engine.Machine;

/// <summary>The microVM's board: processors, memory, buses and devices, and how they are wired. <see cref="VirtualMachine"/> gives it life.</summary>
internal sealed class MicroVm : IDisposable
{
    private readonly KvmVm _vm;
    private readonly GuestMemory _memory;
    private readonly AddressSpace _ports = new("ports");
    private readonly AddressSpace _mmio = new("memory");
    private readonly CpuSet _cpus;
    private readonly CpuHotplug _cpuHotplug;
    private readonly List<MmioTransport> _transports = [];
    private readonly List<IoThread> _ioThreads = [];
    private readonly List<IDisposable> _owned = [];
    private readonly BootRequest _boot;
    private readonly PowerControl _power;
    private readonly Serial16550? _serial;
    private Announcement _announcedBy;
    private ulong? _stoppedClock;

    /// <summary>Makes the board and loads the kernel; no vCPU runs yet.</summary>
    /// <param name="system">The host's KVM.</param>
    /// <param name="configuration">Validated.</param>
    /// <param name="loop">The main loop, which serves the devices.</param>
    /// <param name="serial">What ttyS0 is connected to; null when the machine has no serial port. Stays the caller's.</param>
    /// <exception cref="Strato.Protocol.UserErrorException">A file, disk or the host is not fit.</exception>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public MicroVm(KvmSystem system, VmConfiguration configuration, EventLoop loop, ICharBackend? serial)
    {
        try
        {
            // Closed last of all, when the ports have written what they had.
            Ports = Own(new PortPlug(loop, id => HotPlug!.CheckDeviceId(id)));

            // Files first: what a user got wrong is told before anything is built.
            _boot = OpenFiles(configuration, loop, serial is not null, out List<DiskImage> disks, out List<VirtioDevice> devices);
            _memory = Own(MemoryOpener.Open(configuration, Layout.RamRanges((ulong)configuration.Memory)));
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
            _cpus = new CpuSet(system, _vm, _boot.Topology, CpuFilter.Apply(configuration.Cpu, system.GetSupportedCpuid()), _ports, _mmio);
            Counters = Own(new KvmCounters(_vm.OpenStatistics(), _cpus.StatisticsOf));
            if (!configuration.Force)
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
            for (int i = 0; i < disks.Count; i++)
            {
                DriveConfiguration drive = configuration.Drives[i];
                AddDisk(disks[i], drive, LoopOf(drive.IoThread) ?? loop);
            }

            for (int i = 0; i < CountSpareDisks(configuration); i++)
            {
                AddSpareDisk(loop);
            }

            for (int i = 0; i < devices.Count; i++)
            {
                EventLoop ownLoop = LoopOf(configuration.Devices[i].IoThread) ?? loop;
                MmioTransport transport = Attach(devices[i], ownLoop);
                if (devices[i] is NetInterface net)
                {
                    NetConfiguration wish = (NetConfiguration)configuration.Devices[i];
                    HotPlug.AddNetSlot(transport).Describe(wish);
                    net.Lost = () => NetLost(wish.Netdev);
                }
            }

            for (int i = 0; i < CountSpareNets(configuration); i++)
            {
                AddSpareNet(configuration, loop);
            }

            if (devices.Find(device => device is BalloonDevice) is BalloonDevice balloon)
            {
                Balloon = Own(new MemoryBalloon(balloon, configuration.Memory, loop));
            }

            Log.Info("machine", $"kernel format: {LoadKernel().KernelFormat}");
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
    public void StopClock() => _stoppedClock ??= _vm.GetClock();

    /// <summary>For a device on a vCPU's thread: that vCPU parks after the present exit.</summary>
    public void ParkCallingVcpu() => _cpus.ParkCalling();

    /// <summary>The vCPUs run on, and the guest's clock from where it stopped.</summary>
    /// <exception cref="LinuxException">The host refuses; no vCPU runs then.</exception>
    public void UnparkVcpus()
    {
        if (_stoppedClock is { } clock)
        {
            _vm.SetClock(clock);
            _stoppedClock = null;
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
        _transports.ForEach(transport => transport.Reset());
        _serial?.Reset();
        _power.Reset();
        _cpuHotplug.Reset();
        _cpus.Reset();
        _memory.Discard();
        LoadKernel();
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

    private BootRequest OpenFiles(VmConfiguration configuration, EventLoop loop, bool hasSerial, out List<DiskImage> disks, out List<VirtioDevice> devices)
    {
        BootRequest request = new()
        {
            Kernel = Own(ImageFile.Open(configuration.Kernel!, ImageRole.Kernel, configuration.KernelWhere)),
            Initrd = configuration.Initrd is { } initrd ? Own(ImageFile.Open(initrd, ImageRole.Initrd, configuration.InitrdWhere)) : null,
            CommandLine = configuration.CommandLine,
            CommandLineWhere = configuration.CommandLineWhere,
            Topology = CpuTopology.Of(configuration.Shape),
            VirtioSlots = new int[configuration.Drives.Count + CountSpareDisks(configuration) + configuration.Devices.Count + CountSpareNets(configuration)],
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

    // Spare slots come behind the devices that were given, so that those have the names that they would have alone.
    private static int CountSpareDisks(VmConfiguration configuration) =>
        CountSpare(configuration, HotPlug.SpareDisks, ConfigurationLimits.MaxDrives - configuration.Drives.Count, taken: 0);

    private static int CountSpareNets(VmConfiguration configuration) => CountSpare(
        configuration,
        NetConfiguration.Maximum,
        NetConfiguration.Maximum - configuration.Devices.FindAll(device => device is NetConfiguration).Count,
        CountSpareDisks(configuration));

    private static int CountSpare(VmConfiguration configuration, int wanted, int allowed, int taken)
    {
        int room = DeviceLimits.MaxDevices - configuration.Drives.Count - configuration.Devices.Count - taken;
        return configuration.HotPlug ? int.Min(wanted, int.Min(allowed, room)) : 0;
    }

    private void AddSpareDisk(EventLoop loop)
    {
        BlockDevice device = DiskSlot.CreateSpare(HotPlug.DiskSlots);
        _ = HotPlug.AddDiskSlot(Attach(device, loop, isSpare: true));
    }

    private void AddSpareNet(VmConfiguration configuration, EventLoop loop)
    {
        // A machine without a name has nothing that an address could follow from.
        byte[] mac = MacAddress.Generate(configuration.Name ?? Guid.NewGuid().ToString(), HotPlug.NetSlots);
        _ = HotPlug.AddNetSlot(Attach(NetSlot.CreateSpare(HotPlug.NetSlots, mac), loop, isSpare: true));
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
