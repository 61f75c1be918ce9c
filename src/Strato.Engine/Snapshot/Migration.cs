using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>How the saving of a snapshot goes; QMP's <c>status</c> names them.</summary>
internal enum MigrationState
{
    None,

    /// <summary>The files are there, and the machine comes to a stand.</summary>
    Setup,

    /// <summary>The memory is written.</summary>
    Active,

    /// <summary>The files are whole, and the machine still stands, for whoever began it to do what else needs that.</summary>
    PreSwitchover,
    Completed,
    Failed,
    Cancelled,
}

/// <summary>Saves the machine, which stands still meanwhile; QEMU calls it a migration to a file.</summary>
/// <remarks>
/// On the main loop's thread, which serves others meanwhile; the memory is written by a thread of its own. When all is on the disk
/// the files get their names, and the machine goes on if it ran before.
/// </remarks>
internal sealed class Migration : IDisposable
{
    private const string Room = "snapshot";
    private const int StackBytes = 256 * 1024;
    private const string Busy = "A snapshot";

    // One that writes, and one that has the disk keep up. Made here: a worker may make none.
    private readonly List<Thread> _threads = [];
    private readonly EventLoop _loop;
    private readonly IMachineControl _machine;
    private readonly string? _hostKernel;
    private ISnapshotTarget? _target;
    private MemoryWriter? _memory;
    private bool _staysPaused;
    private bool _holds;
    private bool _ran;

    public Migration(EventLoop loop, IMachineControl machine)
    {
        _loop = loop;
        _machine = machine;

        // While there are paths: a sandbox has neither /proc nor /dev/urandom, which the first random number opens.
        _hostKernel = KernelFile.Read("/proc/sys/kernel/osrelease")?.TrimEnd();
        _ = Guid.NewGuid();
    }

    public MigrationState State { get; private set; }

    public bool IsActive => State is MigrationState.Setup or MigrationState.Active or MigrationState.PreSwitchover;

    /// <summary>Why the last one failed; null when it didn't.</summary>
    public string? Error { get; private set; }

    /// <summary>Bytes of memory in all, those dealt with, and of these those that were written, of the one under way.</summary>
    public (long Total, long Done, long Written) Progress => _memory is null ? default : (_memory.Total, _memory.Done, _memory.Written);

    /// <summary>Who alone can get at the files of the one under way, or holds the machine by it, and goes with the wish for it; null for nobody.</summary>
    public object? Owner { get; private set; }

    /// <summary>QMP's name of a state.</summary>
    public static string NameOf(MigrationState state) => state switch
    {
        MigrationState.None => "none",
        MigrationState.Setup => "setup",
        MigrationState.Active => "active",
        MigrationState.PreSwitchover => "pre-switchover",
        MigrationState.Completed => "completed",
        MigrationState.Cancelled => "cancelled",
        _ => "failed",
    };

    /// <summary>Begins; the machine is paused when this returns.</summary>
    /// <param name="target">Owned from now on.</param>
    /// <param name="staysPaused">Whether a machine that ran doesn't go on afterwards.</param>
    /// <param name="owner">As <see cref="Owner"/>.</param>
    /// <param name="holds">Whether the machine stands, when all is written, until <see cref="Continue"/>.</param>
    /// <exception cref="UserErrorException">SnapshotUnsupported, SnapshotFileInUse, or what the machine is busy with; nothing has changed then.</exception>
    public void Begin(ISnapshotTarget target, bool staysPaused, object? owner, bool holds = false)
    {
        try
        {
            CheckPossible();
            CheckFiles(target);
            _ran = _machine.State == RunState.Running;
            _machine.Hold(Busy, Save);
        }
        catch
        {
            target.Dispose();
            throw;
        }

        (_target, _staysPaused, _holds, Owner, Error) = (target, staysPaused, holds, owner, null);
        _memory = new MemoryWriter(_machine.GuestMemory, target.Memory);
        Enter(MigrationState.Setup);
    }

    /// <summary>What is refused while a snapshot is saved.</summary>
    public void RefuseWhileActive(string what)
    {
        if (IsActive)
        {
            throw new UserErrorException("SnapshotActive", $"{SnapshotFailure.Busy}, and {what} would change what it reads; migrate_cancel ends it.");
        }
    }

    /// <exception cref="UserErrorException">SnapshotUnsupported: the machine can't be saved.</exception>
    public void CheckPossible()
    {
        if (_machine.CannotBeSaved is { } why)
        {
            throw new UserErrorException("SnapshotUnsupported", $"{SnapshotFailure.Unsupported}{why}.");
        }
    }

    /// <summary>Ends the one under way, which has failed then; false when there is none. The state tells when it has.</summary>
    public bool Cancel()
    {
        bool active = IsActive;
        if (State == MigrationState.PreSwitchover)
        {
            End(MigrationState.Cancelled, failure: null);
        }
        else if (active)
        {
            _memory!.Cancel();
        }

        return active;
    }

    /// <summary>Completes one that holds the machine; false when there is none.</summary>
    public bool Continue()
    {
        bool holds = State == MigrationState.PreSwitchover;
        if (holds)
        {
            Complete();
        }

        return holds;
    }

    /// <summary>The machine ends: what isn't done stays undone.</summary>
    public void Dispose()
    {
        EndThreads();
        _target?.Dispose();
        _target = null;
    }

    /// <summary>The machine stands still, or has ended instead.</summary>
    private void Save(string? failure)
    {
        if (failure is not null || _memory!.IsCancelled)
        {
            End(failure is null ? MigrationState.Cancelled : MigrationState.Failed, failure);
            return;
        }

        string? file = _target!.MemoryName;
        try
        {
            Guid id = Guid.NewGuid();
            _memory.Prepare();
            if (Libc.ftruncate(_target.State.Value, 0) < 0)
            {
                throw LinuxException.Last($"ftruncate of {_target.StateName}");
            }

            file = null;
            List<SnapshotSection> sections = [Description.Of(_machine, _hostKernel, _ran), .. _machine.SaveState()];
            Enter(MigrationState.Active);
            Start(() => _memory!.Sync(), $"{Room} sync");
            Start(() => Write(id, sections), Room);
        }
        catch (Exception error) when (error is LinuxException or OutOfMemoryException)
        {
            EndThreads();
            End(MigrationState.Failed, file is null ? error.Message : Describe(error, file));
        }
    }

    private void Start(Action work, string name) => _threads.Add(Run(work, name));

    private static Thread Run(Action work, string name)
    {
        Thread thread = new(
            () =>
            {
                Libc.SetThreadName(name);
                Seccomp.EnterThread(ThreadKinds.Worker);
                work();
            },
            StackBytes)
        {
            IsBackground = true,
        };
        thread.Start();
        return thread;
    }

    private void EndThreads()
    {
        _memory?.Cancel();
        _memory?.EndSync();
        _threads.ForEach(thread => thread.Join());
        _threads.Clear();
    }

    /// <summary>On a thread of its own.</summary>
    private void Write(Guid id, List<SnapshotSection> sections)
    {
        string? failure = null;
        string file = _target!.MemoryName;
        try
        {
            if (_memory!.Run(id) is { } map)
            {
                file = _target.StateName;
                sections.Add(map.ToSection());
                Write(new StateFile(id, sections).ToBytes());
            }
        }
        catch (Exception error) when (error is LinuxException or OutOfMemoryException or InvalidOperationException)
        {
            failure = Describe(error, file);
        }

        _loop.Post(() => Finish(failure));
    }

    private void Write(byte[] state)
    {
        int file = _target!.State.Value;
        for (int at = 0; at < state.Length;)
        {
            nint written = Libc.PWrite(file, state.AsSpan(at), at, 0);
            at += written >= 0 ? (int)written : Errno.Last == Errno.EINTR ? 0 : throw LinuxException.Last("write of the snapshot's state");
        }

        if (Libc.fdatasync(file) < 0)
        {
            throw LinuxException.Last("fdatasync of the snapshot's state");
        }
    }

    /// <summary>Why the files couldn't be written, as <see cref="SnapshotFailure"/> has it.</summary>
    private string Describe(Exception error, string file)
    {
        if (error is not LinuxException { Errno: Errno.ENOSPC or Errno.EDQUOT } full)
        {
            return $"{SnapshotFailure.NotWritten}{file}: {error.Message}";
        }

        (long total, _, long written) = Progress;
        return $"{SnapshotFailure.NoRoom}{file} needs up to {ByteSize.Describe(total)} (pages of zeros take none), and after {ByteSize.Describe(written)} of memory there was no more: {Errno.Text(full.Errno)}.";
    }

    private void CheckFiles(ISnapshotTarget target)
    {
        if (FileIdentity.Of(target.State.Value) == FileIdentity.Of(target.Memory.Value))
        {
            throw new UserErrorException("SnapshotFileInUse", $"{SnapshotFailure.InUse}{target.StateName} and {target.MemoryName} are one file; state and memory are two.");
        }

        foreach ((FileDescriptor file, string name) in ((FileDescriptor, string)[])[(target.State, target.StateName), (target.Memory, target.MemoryName)])
        {
            if (_machine.UseOf(file.Value) is { } use)
            {
                throw new UserErrorException("SnapshotFileInUse", $"{SnapshotFailure.InUse}{name} is {use}.");
            }
        }
    }

    private void Finish(string? failure)
    {
        if (_target is null)
        {
            // The machine has ended meanwhile.
            return;
        }

        bool cancelled = _memory!.IsCancelled;
        EndThreads();
        if (failure is not null || cancelled)
        {
            End(failure is not null ? MigrationState.Failed : MigrationState.Cancelled, failure);
        }
        else if (_holds)
        {
            Enter(MigrationState.PreSwitchover);
        }
        else
        {
            Complete();
        }
    }

    private void Complete()
    {
        string? failure = null;
        try
        {
            _target!.Commit();
        }
        catch (LinuxException error)
        {
            failure = SnapshotFailure.NotWritten + error.Message;
        }

        End(failure is null ? MigrationState.Completed : MigrationState.Failed, failure);
    }

    private void End(MigrationState state, string? failure)
    {
        ISnapshotTarget? target = _target;
        _target = null;
        Owner = null;
        Error = failure;
        if (failure is not null)
        {
            Log.Warning(Room, $"a snapshot failed: {failure}");
        }

        // A machine that wasn't saved goes on in any case, and first of all.
        _machine.Release(_ran && !(_staysPaused && state == MigrationState.Completed));
        Close(target?.End() ?? []);
        Enter(state);
    }

    /// <summary>Closes files on a thread of its own, since that may take the file system long.</summary>
    private static void Close(List<FileDescriptor> files)
    {
        try
        {
            _ = Run(() => files.ForEach(file => file.Dispose()), $"{Room} close");
        }
        catch (OutOfMemoryException)
        {
            // No thread more: it takes what it takes.
            files.ForEach(file => file.Dispose());
        }
    }

    private void Enter(MigrationState state)
    {
        State = state;
        _machine.Raise(MachineEvent.Migration(NameOf(state)));
    }
}
