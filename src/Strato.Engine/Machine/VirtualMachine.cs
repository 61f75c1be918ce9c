using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Block;
using Strato.Engine.Boot;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>A machine's life: running, paused, reset, powered off. Its parts are the <see cref="MicroVm"/>'s.</summary>
/// <remarks>
/// Lives on the main loop's thread. What a vCPU's thread or a device reports (reset, power-off, triple fault) is posted to
/// that loop, and the vCPU that reported it parks itself, so the guest does nothing more after it asked to end.
/// </remarks>
internal sealed class VirtualMachine : IMachineControl, IVcpuEvents
{
    private const string Room = "machine";

    private readonly EventLoop _loop;
    private readonly MicroVm _board;
    private readonly bool _noReboot;
    private readonly bool _noShutdown;
    private readonly RateLimit _resets = new();

    // Counts resets. Written by the main loop, read by vCPU threads.
    private int _life;

    // What vCPUs told while a dump or a snapshot was under way, which reads what that would change.
    private readonly List<Action> _deferred = [];

    // Whether it ran before, and goes on when that is over.
    private bool _goesOn;

    // What has the machine stand still; null when nothing does. From when it stands still, what vCPUs tell waits.
    private string? _holder;
    private bool _isHeld;

    private bool _ended;

    /// <param name="loop">The main loop.</param>
    /// <param name="name">The user's name of the machine.</param>
    /// <param name="board">Built, with its kernel loaded; its threads not yet started.</param>
    /// <param name="noReboot">A reset ends the engine instead.</param>
    /// <param name="noShutdown">A power-off stops the machine, and the engine stays.</param>
    public VirtualMachine(EventLoop loop, string? name, MicroVm board, bool noReboot, bool noShutdown)
    {
        _loop = loop;
        Name = name;
        _board = board;
        State = board.IsRestored ? RunState.Paused : RunState.Prelaunch;
        _noReboot = noReboot;
        _noShutdown = noShutdown;
        board.PowerOffRequested = () => FromGuest(() => PowerOff("guest-shutdown"));
        board.ResetRequested = () => FromGuest(() => ResetByGuest("guest-reset"));
        loop.Failed = FailByHost;
        board.HostRefused = error => loop.Post(() => FailByHost(error));
        board.DiskFailed = (disk, failure) => PostForThisLife(() => OnDiskFailure(disk, failure));
        board.NetLost = net => loop.Post(() => OnNetLost(net));
        board.CpuPlug.EventRaised = raised => EventRaised(raised);
        board.HotPlug.Deleted = id => EventRaised(MachineEvent.DeviceDeleted(id));
        board.Dump.EventRaised = raised => EventRaised(raised);
        board.Ports.Deleted = id => EventRaised(MachineEvent.DeviceDeleted(id));
        if (board.Balloon is { } balloon)
        {
            balloon.EventRaised = raised => EventRaised(raised);
        }
    }

    /// <summary>As <see cref="IMachineControl.EventRaised"/>.</summary>
    public event Action<MachineEvent> EventRaised = _ => { };

    public string? Name { get; }

    public string MachineType => "microvm";

    public RunState State { get; private set; }

    public CpuTopology Topology => _board.Topology;

    public IReadOnlyList<CpuStatus> Cpus => _board.Cpus;

    public MemoryStatus Memory => _board.Memory;

    public IReadOnlyList<IoThreadStatus> IoThreads => _board.IoThreads;

    public KvmCounters Counters => _board.Counters;

    public IReadOnlyList<ChardevStatus> Chardevs => _board.Ports.Chardevs;

    public PortPlug Ports => _board.Ports;

    public MemoryBalloon? Balloon => _board.Balloon;

    /// <summary>The engine's exit code, once <see cref="EventLoop.Run"/> has returned: 0 after power-off or quit, 3 after a failure.</summary>
    public int ExitCode { get; private set; }

    public HotPlug HotPlug => _board.HotPlug;

    /// <summary>Starts the threads of the machine, its vCPUs parked: before anything else is asked of it.</summary>
    /// <remarks>They inherit what the calling thread has been shut into.</remarks>
    public void StartThreads() => _board.StartThreads(this);

    public MemoryDump Dump => _board.Dump;

    public IReadOnlyList<CpuRegisters> ReadRegisters() => WhileStill(_board.ReadRegisters);

    public int InjectNmi() => WhileStill(_board.InjectNmi);

    public void BeginDump(FileDescriptor file, string? path)
    {
        if (_holder is not null)
        {
            file.Dispose();
            RefuseWhileHeld("a dump");
        }

        bool runs = State == RunState.Running;
        Pause(RunState.Paused);
        _goesOn = runs;
        try
        {
            _board.Dump.Begin(file, path, ReadRegisters(), GoOn);
        }
        catch (UserErrorException)
        {
            file.Dispose();
            GoOn();
            throw;
        }
    }

    public GuestMemory GuestMemory => _board.GuestMemory;

    public string? CannotBeSaved => _board.CannotBeSaved;

    public IReadOnlyList<SnapshotSection> SaveState() => _board.Save();

    public MachineDescription Describe() => _board.Describe();

    public string? UseOf(int fd) => _board.UseOf(fd);

    public void Raise(MachineEvent raised) => EventRaised(raised);

    public void Hold(string what, Action<string?> held)
    {
        RefuseWhileHeld("another");
        Dump.RefuseWhileActive("a snapshot");
        if (State is RunState.Shutdown or RunState.InternalError)
        {
            throw new UserErrorException("MachineShutDown", $"The machine {(State == RunState.Shutdown ? "has powered off" : "stopped with an internal error")}; there is nothing to save.");
        }

        bool runs = State == RunState.Running;
        Pause(RunState.Paused);
        _goesOn = runs;
        _holder = what;

        // Behind what vCPUs have posted by now: a reset that the guest asked for is made, and saved as such.
        _loop.Post(() =>
        {
            if (_ended || State is not (RunState.Paused or RunState.IoError or RunState.Prelaunch))
            {
                held("the machine has ended, or failed, meanwhile");
                return;
            }

            _isHeld = true;
            held(TryStandStill());
        });
    }

    public void Release(bool run)
    {
        (_holder, _isHeld) = (null, false);
        _goesOn &= run;
        GoOn();
    }

    public void AddCpu(string id, long cpu) => _board.CpuPlug.Add(id, cpu, runs: State == RunState.Running);

    public bool RequestCpuRemoval(string id) => _board.CpuPlug.RequestRemoval(id);

    public void Pause()
    {
        // It stands still already, and shall stay so.
        _goesOn = false;
        Pause(RunState.Paused);
    }

    public void Resume()
    {
        Dump.RefuseWhileActive("the guest");
        RefuseWhileHeld("the guest");
        switch (State)
        {
            case RunState.Prelaunch or RunState.Paused or RunState.IoError:
                _board.ResumeDevices();
                State = RunState.Running;
                EventRaised(MachineEvent.Resume);
                _ = Succeeds(_board.UnparkVcpus);
                break;
            case RunState.Shutdown:
                throw new UserErrorException("MachineShutDown", "The guest has powered off; system_reset and cont start it anew.", "cont");
            case RunState.InternalError:
                throw new UserErrorException("MachineFailed", "The machine stopped with an internal error; system_reset and cont start it anew.", "cont");
        }
    }

    public void PowerDown()
    {
        EventRaised(MachineEvent.PowerDown);
        _board.PressPowerButton();
    }

    public void Reset()
    {
        Dump.RefuseWhileActive("a reset");
        RefuseWhileHeld("a reset");
        Reset(guest: false, "host-qmp-system-reset");
    }

    public void Quit(string reason) => End(guest: false, reason, EngineExit.Success);

    public void OnTripleFault(int index) => PostForThisLife(() => ResetByGuest("guest-triple-fault"));

    public void OnFailure(int index, string reason) => PostForThisLife(() => FailOnce(reason));

    /// <summary>Runs <paramref name="action"/> soon on the main loop; the vCPU that calls runs no more of the guest until then.</summary>
    private void FromGuest(Action action)
    {
        _board.ParkCallingVcpu();
        PostForThisLife(action);
    }

    /// <summary>Posts what a vCPU of this boot tells. Once a reset has come first, it was the old machine's and is dropped.</summary>
    private void PostForThisLife(Action action)
    {
        int life = Volatile.Read(ref _life);
        _loop.Post(() =>
        {
            if (life == _life && (Dump.IsActive || _isHeld))
            {
                _deferred.Add(() => RunInLife(life, action));
            }
            else
            {
                RunInLife(life, action);
            }
        });
    }

    private void RunInLife(int life, Action action)
    {
        if (life == _life)
        {
            action();
        }
    }

    /// <summary>Does something to the CPUs while none of them runs; the guest doesn't notice.</summary>
    private T WhileStill<T>(Func<T> work)
    {
        _board.ParkVcpus();
        try
        {
            return work();
        }
        catch (LinuxException e)
        {
            throw new UserErrorException("HostRefused", $"The host refuses: {e.Message}.", "", e);
        }
        finally
        {
            if (State == RunState.Running)
            {
                _board.GoOnVcpus();
            }
        }
    }

    /// <summary>After a dump or snapshot. First what vCPUs told meanwhile: one that asked for an end or a reset runs nothing more of the guest before it.</summary>
    private void GoOn()
    {
        Action[] actions = [.. _deferred];
        _deferred.Clear();
        foreach (Action action in actions)
        {
            action();
        }

        bool resumes = _goesOn && !_ended && State == RunState.Paused;
        _goesOn = false;
        if (resumes)
        {
            Resume();
        }
    }

    /// <summary>A machine that never ran has neither clock nor devices stopped yet. Null, or why it isn't possible.</summary>
    private string? TryStandStill()
    {
        try
        {
            _board.QuiesceDevices();
            _board.StopClock();
            return null;
        }
        catch (LinuxException error)
        {
            return error.Message;
        }
    }

    private void RefuseWhileHeld(string what)
    {
        if (_holder is { } holder)
        {
            throw new UserErrorException("SnapshotActive", $"{holder} is being saved, and {what} would change what it reads; migrate_cancel ends it.");
        }
    }

    private void Pause(RunState state)
    {
        if (State == RunState.Running)
        {
            _board.ParkVcpus();
            _board.QuiesceDevices();
            if (Succeeds(_board.StopClock))
            {
                State = state;
                EventRaised(MachineEvent.Stop);
            }
        }
    }

    private void OnDiskFailure(BlockDevice disk, in BlockFailure failure)
    {
        // One that was taken out since hinders nobody any more.
        if (_ended || !HotPlug.Has(disk))
        {
            return;
        }

        EventRaised(MachineEvent.BlockIoError(failure));
        if (failure.Action == DriveErrorAction.Stop && _goesOn && State == RunState.Paused)
        {
            // It stands still for a dump that is over, and would have gone on.
            _goesOn = false;
            State = RunState.IoError;
        }
        else if (failure.Action == DriveErrorAction.Stop)
        {
            Pause(RunState.IoError);
        }
    }

    /// <remarks>QEMU has an event for streams alone.</remarks>
    private void OnNetLost(NetdevConfiguration netdev)
    {
        if (netdev.Kind != NetdevKind.Tap)
        {
            EventRaised(MachineEvent.NetStreamDisconnected(netdev.Id));
        }
    }

    private void ResetByGuest(string reason)
    {
        if (State is RunState.Running or RunState.Paused or RunState.IoError)
        {
            Reset(guest: true, reason);
        }
    }

    private void Reset(bool guest, string reason)
    {
        if (_noReboot)
        {
            End(guest, reason, EngineExit.Success);
            return;
        }

        bool run = State == RunState.Running;
        _board.ParkVcpus();
        _board.QuiesceDevices();
        Volatile.Write(ref _life, _life + 1);
        EventRaised(MachineEvent.Reset(guest, reason));
        _resets.Info(Room, () => $"reset ({reason})");
        try
        {
            _board.StopClock();
            _board.Reset();
        }
        catch (Exception error) when (error is UserErrorException or LinuxException)
        {
            // The kernel's file is gone or changed, or the host refuses: there's nothing to boot.
            Fail($"the machine can't be reset: {error.Message}");
            return;
        }

        if (State != RunState.Prelaunch)
        {
            State = RunState.Paused;
        }

        if (run)
        {
            State = RunState.Running;
            _board.ResumeDevices();
            _ = Succeeds(_board.UnparkVcpus);
        }
    }

    private void PowerOff(string reason)
    {
        if (State is not (RunState.Running or RunState.Paused or RunState.IoError))
        {
            return;
        }

        if (!_noShutdown)
        {
            End(guest: true, reason, EngineExit.Success);
            return;
        }

        _board.ParkVcpus();
        _board.QuiesceDevices();
        if (Succeeds(_board.StopClock))
        {
            State = RunState.Shutdown;
            EventRaised(MachineEvent.Shutdown(guest: true, reason));
        }
    }

    /// <summary>Whether the host does what is asked; the machine fails when it doesn't.</summary>
    private bool Succeeds(Action request)
    {
        try
        {
            request();
            return true;
        }
        catch (LinuxException error)
        {
            FailByHost(error);
            return false;
        }
    }

    private void FailByHost(LinuxException error) => FailOnce($"the host refuses a request: {error.Message}");

    /// <summary>As <see cref="Fail"/>, of a machine that may have failed already: what follows from the first failure isn't told.</summary>
    private void FailOnce(string reason)
    {
        if (State != RunState.InternalError)
        {
            Fail(reason);
        }
    }

    private void Fail(string reason)
    {
        if (_ended)
        {
            return;
        }

        Log.Error(Room, reason);
        _board.ParkVcpus();
        _board.QuiesceDevices();
        if (_noShutdown)
        {
            State = RunState.InternalError;
            EventRaised(MachineEvent.Stop);
            return;
        }

        End(guest: false, EngineLog.HostError, EngineExit.Failure);
    }

    private void End(bool guest, string reason, int exitCode)
    {
        // A second vCPU's failure or a second quit may have been posted behind the first, whose exit code counts.
        if (_ended)
        {
            return;
        }

        _ended = true;
        if (State == RunState.Running)
        {
            _board.ParkVcpus();
            _board.QuiesceDevices();
        }

        State = RunState.Shutdown;
        ExitCode = exitCode;
        Log.End(Room, reason);
        EventRaised(MachineEvent.Shutdown(guest, reason));
        _loop.Stop();
    }
}
