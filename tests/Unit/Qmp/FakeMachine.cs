using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Memory;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Driver;

namespace Strato.Tests.Unit.Qmp;

/// <summary>A machine without a guest that keeps the promises of <see cref="IMachineControl"/>.</summary>
internal sealed class FakeMachine : IMachineControl, IDisposable
{
    private SlotBoard? _board;
    private GuestMemory? _ram;
    private MemoryDump? _dump;
    private string? _holder;
    private bool _stays;
    private Action<string?>? _held;

    public event Action<MachineEvent>? EventRaised;

    public string? Name { get; set; } = "fake";

    public string MachineType => "microvm";

    public RunState State { get; set; } = RunState.Running;

    public List<CpuStatus> CpuList { get; } = [new(0, 8439, false), new(1, 8440, false)];

    public CpuTopology Topology { get; set; } = new(2, 1, 1);

    public IReadOnlyList<CpuStatus> Cpus => CpuList;

    public List<IoThreadStatus> IoThreadList { get; } = [new("iothread1", 8441)];

    public IReadOnlyList<IoThreadStatus> IoThreads => IoThreadList;

    public IReadOnlyList<ChardevStatus> Chardevs => [new("serial0", "stdio", true), new("p", "disconnected:unix:/p,server", false), .. Ports.Chardevs];

    public PortPlug Ports => Board.Ports;

    public MemoryStatus Memory { get; set; } = new() { Size = 1 << 30, PageSize = 4096, Kind = "ram", Regions = [(0, 1 << 30)] };

    public MemoryBalloon? Balloon { get; set; }

    /// <summary>What the CPUs have; set by a test.</summary>
    public List<CpuRegisters> RegisterList { get; } = [new(0, new KvmRegs { Rip = 0xffff_ffff_8100_0000, Rax = 7 }, new KvmSregs { Cr3 = 0x1000 }, 0xffff_8880_0000_0000), new(1, default, default, 0)];

    /// <summary>How many CPUs take an NMI.</summary>
    public int NmiTakers { get; set; } = 1;

    /// <summary>4 MiB of RAM, which is dumped on the board's loop.</summary>
    public GuestMemory Ram => _ram ??= GuestMemory.Allocate([(0, 1 << 20), (4 << 20, 3 << 20)]);

    public MemoryDump Dump => _dump ??= new MemoryDump(Board.Loop, Ram) { EventRaised = Raise };

    public IReadOnlyList<CpuRegisters> ReadRegisters() => RegisterList;

    public int InjectNmi() => NmiTakers;

    public void BeginDump(FileDescriptor file, string? path)
    {
        bool runs = State == RunState.Running;
        Pause();
        Dump.Begin(file, path, RegisterList, () =>
        {
            if (runs)
            {
                Resume();
            }
        });
    }

    public GuestMemory GuestMemory => Ram;

    public string? CannotBeSaved { get; set; }

    /// <summary>What is saved as the machine's state.</summary>
    public List<SnapshotSection> Sections { get; } = [new("board", 1, new byte[] { 1, 2, 3 })];

    public IReadOnlyList<SnapshotSection> SaveState() => Sections;

    /// <summary>Files that the machine stands on, by what they are to it.</summary>
    public Dictionary<FileIdentity, string> Uses { get; } = [];

    public string? UseOf(int fd) => FileIdentity.Of(fd) is { } file && Uses.TryGetValue(file, out string? use) ? use : null;

    public MachineDescription Describe() => new(
        "GenuineFake", "Fake CPU", ["sse", "kvmclock"], [new("KVM_CAP_XSAVE", 55, 1, true)], [new(0, "virtio-blk-device", "rootfs", 1, 256, [("drive", "rootfs"), ("readonly", "off")])]);

    /// <summary>What a machine that is held does its work on; null for the board's.</summary>
    public EventLoop? Loop { get; set; }

    /// <summary>Whether the machine comes to a stand only when <see cref="StandStill"/> is called.</summary>
    public bool ComesToAStandLate { get; set; }

    /// <summary>Whether somebody has it stand still.</summary>
    public bool IsHeld => _holder is not null;

    public void Hold(string what, Action<string?> held)
    {
        RefuseWhileHeld();
        Pause();
        _stays = false;
        _holder = what;
        _held = held;
        if (!ComesToAStandLate)
        {
            StandStill(null);
        }
    }

    /// <summary>The machine, which is held, has come to a stand, or failed to.</summary>
    public void StandStill(string? failure) => (Loop ?? Board.Loop).Post(() => _held!(failure));

    public void Release(bool run)
    {
        _holder = null;
        if (run && !_stays)
        {
            Resume();
        }
    }

    public KvmCounters Counters { get; set; } = new(null, _ => null);

    public HotPlug HotPlug => Board.HotPlug;

    /// <summary>A disk "rootfs", an interface "net0" of the netdev "nd0", and empty slots.</summary>
    public SlotBoard Board => _board ??= MakeBoard();

    public string? QuitReason { get; private set; }

    public void AddCpu(string id, long cpu)
    {
        CpuList.Add(new CpuStatus((int)cpu, 8500 + (int)cpu, false, id));
        Raise(MachineEvent.CpuResize);
    }

    public bool RequestCpuRemoval(string id)
    {
        bool gone = CpuList.RemoveAll(cpu => cpu.Id == id) > 0;
        if (gone)
        {
            Raise(MachineEvent.DeviceDeleted(id));
            Raise(MachineEvent.CpuResize);
        }

        return gone;
    }

    public void Pause()
    {
        _stays = true;
        if (State == RunState.Running)
        {
            State = RunState.Paused;
            Raise(MachineEvent.Stop);
        }
    }

    public void Resume()
    {
        RefuseWhileHeld();
        if (State is RunState.Paused or RunState.Prelaunch)
        {
            State = RunState.Running;
            Raise(MachineEvent.Resume);
        }
    }

    public void PowerDown() => Raise(MachineEvent.PowerDown);

    public void Reset()
    {
        RefuseWhileHeld();
        Raise(MachineEvent.Reset(false, "host-qmp-system-reset"));
    }

    public void Quit(string reason)
    {
        QuitReason = reason;
        Raise(MachineEvent.Shutdown(false, reason));
    }

    public void Raise(MachineEvent raised) => EventRaised?.Invoke(raised);

    public void Dispose()
    {
        _dump?.Dispose();
        _board?.Dispose();
        _ram?.Dispose();
    }

    private void RefuseWhileHeld()
    {
        if (_holder is { } holder)
        {
            throw new UserErrorException("SnapshotActive", $"{holder} is being saved");
        }
    }

    private SlotBoard MakeBoard()
    {
        SlotBoard board = new();
        board.Ports.Deleted = id => Raise(MachineEvent.DeviceDeleted(id));
        board.HotPlug.Deleted = id => Raise(MachineEvent.DeviceDeleted(id));
        return board;
    }
}
