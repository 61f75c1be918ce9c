using System;
using System.Collections.Generic;
using Strato.Engine.Boot;
using Strato.Engine.Machine;
using Strato.Tests.Unit.Driver;

namespace Strato.Tests.Unit.Qmp;

/// <summary>A machine without a guest that keeps the promises of <see cref="IMachineControl"/>.</summary>
internal sealed class FakeMachine : IMachineControl, IDisposable
{
    private SlotBoard? _board;

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
        if (State == RunState.Running)
        {
            State = RunState.Paused;
            Raise(MachineEvent.Stop);
        }
    }

    public void Resume()
    {
        if (State is RunState.Paused or RunState.Prelaunch)
        {
            State = RunState.Running;
            Raise(MachineEvent.Resume);
        }
    }

    public void PowerDown() => Raise(MachineEvent.PowerDown);

    public void Reset() => Raise(MachineEvent.Reset(false, "host-qmp-system-reset"));

    public void Quit(string reason)
    {
        QuitReason = reason;
        Raise(MachineEvent.Shutdown(false, reason));
    }

    public void Raise(MachineEvent raised) => EventRaised?.Invoke(raised);

    public void Dispose() => _board?.Dispose();

    private SlotBoard MakeBoard()
    {
        SlotBoard board = new();
        board.Ports.Deleted = id => Raise(MachineEvent.DeviceDeleted(id));
        board.HotPlug.Deleted = id => Raise(MachineEvent.DeviceDeleted(id));
        return board;
    }
}
