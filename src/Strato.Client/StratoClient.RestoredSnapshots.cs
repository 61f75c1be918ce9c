using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Runtime;
using Strato.Client.Snapshots;
using Strato.Protocol.Snapshots;

namespace Strato.Client;

/// <remarks>Snapshots of VMs: restored and tested.</remarks>
public sealed partial class StratoClient
{
    /// <summary>
    /// Turns a VM back to a snapshot: it goes on in that moment, with its definition and captured disks of then. One that runs is turned off first.
    /// Errors: <c>SnapshotNotFound</c>, <c>SnapshotDamaged</c>, <c>SnapshotVersion</c>, <c>SnapshotMismatch</c>, <c>DriveFileNotFound</c>, <c>DriveInUse</c>, those of copying disks, and those of <see cref="Start"/>.
    /// </summary>
    /// <remarks>All that can be checked is, and disks are copied, before anything is lost. A start that fails gives the VM its definition and disks of now back.</remarks>
    public SnapshotRestoreResult RestoreSnapshot(string id, string snapshotId, SnapshotRestoreOptions? options = null, CancellationToken token = default)
    {
        options ??= new SnapshotRestoreOptions();
        List<string> warnings = [];
        using (Store.Lock(id, token, options.Timeout))
        {
            VmDefinition before = GetById(id);
            SnapshotStore snapshots = SnapshotsOf(before);
            VmSnapshot snapshot = snapshots.Get(snapshotId);
            CheckWhole(snapshot, options, token);
            VmDefinition after = Restored(before, snapshot);
            SnapshotDisks.CheckThere(snapshot, after);
            AddWarnings(warnings, before, after, snapshot);
            using ReturningDisks disks = ReturningDisks.Prepare(snapshot, after, options.Progress, token);
            bool force = options.Force;
            using (EngineProcess? process = Registry.TryOpen(id))
            {
                if (process is not null)
                {
                    force |= process.Run.Force;
                    CheckBeside(snapshot, after, options with { Force = force }, token);
                    TurnOff(before, process, token);
                }
            }

            Writing(snapshots.Folder, disks.Keep);
            try
            {
                Store.Put(after);
                StartLocked(id, StartOf(snapshot, options with { Force = force }), token);
            }
            catch
            {
                Store.Put(before);
                throw;
            }

            disks.Settle();
            Writing(snapshots.Folder, () => snapshots.WriteCurrent(snapshotId));
        }

        VmInfo vm = Snapshot(id, token);
        return new SnapshotRestoreResult(vm with { MemoryCopied = IsMemoryCopied(vm.Definition) }, warnings);
    }

    /// <summary>What a restore would lose, one part of a sentence each: for who is asked. Empty where that is nothing.</summary>
    public IReadOnlyList<string> WhatRestoreLoses(string id, VmSnapshot snapshot)
    {
        List<string> lost = [];
        using (EngineProcess? process = Registry.TryOpen(id))
        {
            if (process is not null)
            {
                lost.Add("what runs in it now");
            }
        }

        if (snapshot.Disks.Any(disk => disk.File is not null))
        {
            lost.Add("what its captured disks have now");
        }

        if (ChangesBack(id, snapshot).Count > 0)
        {
            lost.Add("its definition of now");
        }

        foreach (string path in SnapshotDisks.Changed(snapshot, snapshot.Definition))
        {
            lost.Add($"perhaps the file system on '{path}', which wasn't captured and was written to since");
        }

        return lost;
    }

    /// <summary>Verifies a snapshot: the state, the checksums of all its memory, its disks.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="snapshotId">Its snapshot.</param>
    /// <param name="progress">Told of bytes of memory that are done, and all.</param>
    /// <param name="token">Ends it.</param>
    public SnapshotCheck TestSnapshot(string id, string snapshotId, Action<long, long>? progress = null, CancellationToken token = default)
    {
        VmSnapshot snapshot;
        List<string> faults = [];
        long size = 0;
        try
        {
            snapshot = GetSnapshot(id, snapshotId);
            faults.AddRange(SnapshotDisks.Faults(snapshot));
            StateFile state = SnapshotFiles.ReadState(snapshot.Folder);
            size = SnapshotFiles.Describe(state, snapshot.Folder).Memory;
            faults.AddRange(SnapshotFiles.VerifyMemory(state, snapshot.Folder, progress, token));
        }
        catch (StratoException e) when (e.Id.StartsWith(SnapshotKind, StringComparison.Ordinal) && Directory.Exists(Path.Combine(Paths.SnapshotsDirectory(id), snapshotId)))
        {
            faults.Add(e.Message);
            size = 0;
        }

        return new SnapshotCheck(faults, size);
    }

    private static VmDefinition Restored(VmDefinition before, VmSnapshot snapshot) =>
        snapshot.Definition with { Id = before.Id, Name = before.Name, Notes = before.Notes, Created = before.Created };

    private IReadOnlyList<VmDifference> ChangesBack(string id, VmSnapshot snapshot)
    {
        VmDefinition now = GetById(id);
        return Compare(now, Restored(now, snapshot));
    }

    private static void AddWarnings(List<string> warnings, VmDefinition before, VmDefinition after, VmSnapshot snapshot)
    {
        IReadOnlyList<VmDifference> changes = Compare(before, after);
        if (changes.Count > 0)
        {
            warnings.Add($"The VM '{before.Name}' has its definition of the snapshot '{snapshot.Name}' again: {string.Join("; ", changes.Select(change => change.Change))}.");
        }

        foreach (string path in SnapshotDisks.Changed(snapshot, after))
        {
            warnings.Add($"The disk '{path}' was written to since the snapshot '{snapshot.Name}' was saved, which has not captured it: what the guest remembers of its file system may be wrong.");
        }
    }

    private static void CheckWhole(VmSnapshot snapshot, SnapshotRestoreOptions options, CancellationToken token)
    {
        StateFile state = SnapshotFiles.ReadState(snapshot.Folder);
        List<string> faults = SnapshotDisks.Faults(snapshot);
        if (options.Verify)
        {
            faults.AddRange(SnapshotFiles.VerifyMemory(state, snapshot.Folder, options.Progress is { } progress ? (done, all) => progress(null, done, all) : null, token));
        }
        else
        {
            SnapshotFiles.CheckMemoryFile(state, snapshot.Folder);
        }

        if (faults.Count > 0)
        {
            throw new StratoException(StratoErrorKind.InvalidData, "SnapshotDamaged", $"The snapshot '{snapshot.Name}' of VM '{snapshot.VmName}' is damaged: {string.Join(" ", faults)}")
            {
                Where = snapshot.Folder,
                VmName = snapshot.VmName,
                RecommendedAction = "Restore another snapshot, or an export of this one by Import-StratoSnapshot.",
            };
        }
    }

    /// <summary>
    /// Has the engine build the machine while another of the VM still runs, with empty disks of the right sizes: what it refuses then is refused before that one ends. What one alone can have (a tap, an address
    /// of vsock, huge pages, a socket of the user's) stands in the way of that; such a machine is refused when it is started.
    /// </summary>
    private void CheckBeside(VmSnapshot snapshot, VmDefinition vm, SnapshotRestoreOptions options, CancellationToken token)
    {
        if (vm is { HugePage: null, Vsock: null, NetworkAdapters.Count: 0 } && vm.ConsolePorts.All(port => port.Path is null)
            && DryRun.Restore(vm, snapshot, FindEngine(), StartOf(snapshot, options), token) is { } refused)
        {
            throw refused;
        }
    }

    /// <summary>Huge pages are filled from a snapshot's file before the guest goes on; others are those of the file.</summary>
    private static bool IsMemoryCopied(VmDefinition vm) => vm.HugePage is not null;

    private static StartOptions StartOf(VmSnapshot snapshot, SnapshotRestoreOptions options) => new()
    {
        Force = options.Force || snapshot.Forced,
        Paused = options.Paused,
        Timeout = options.Timeout,
        Incoming = new IncomingFiles(Path.Combine(snapshot.Folder, StateFile.FileName), Path.Combine(snapshot.Folder, MemoryMap.FileName), options.KeepTime),
    };
}
