using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Client.Images;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Snapshots;
using Strato.Client.Store;
using Strato.Protocol.Snapshots;

namespace Strato.Client;

/// <remarks>Snapshots of VMs: saved, listed, renamed and removed.</remarks>
public sealed partial class StratoClient
{
    private const string SnapshotKind = "Snapshot";

    /// <summary>All snapshots of a VM, each behind its parent. Error <c>VmNotFound</c>.</summary>
    public SnapshotListing ListSnapshots(string id) => SnapshotsOf(Store.GetEvenDamaged(id)).List();

    /// <summary>The snapshot of an id. Errors <c>SnapshotNotFound</c>, <c>SnapshotDamaged</c>.</summary>
    public VmSnapshot GetSnapshot(string id, string snapshotId) => SnapshotsOf(Store.GetEvenDamaged(id)).Get(snapshotId);

    /// <summary>
    /// Saves a running or paused VM, which stands still meanwhile and goes on afterwards unless it was paused. One that fails or is cancelled leaves nothing, and the VM goes on.
    /// Errors: <c>VmNotRunning</c>, <c>SnapshotExists</c>, <c>InvalidName</c>, <c>SnapshotUnsupported</c>, <c>SnapshotBusy</c>, <c>SnapshotFailed</c>, <c>SnapshotCancelled</c>, <c>SnapshotNotWritable</c>,
    /// <c>VmEnded</c>, and those of copying disks.
    /// </summary>
    public VmSnapshot SaveSnapshot(string id, SnapshotSaveOptions options, CancellationToken token = default)
    {
        using FileLock mine = Store.Lock(id, token);
        VmDefinition vm = GetById(id);
        SnapshotStore snapshots = SnapshotsOf(vm);
        string name = CheckSave(vm, snapshots, options);
        using QmpConnection qmp = OpenQmp(id, token);
        try
        {
            using WorkFolder work = snapshots.BeginWork(token);
            using SnapshotSaver saver = new(qmp, vm.Name, token);
            string made = work.MakeFolder("snapshot");
            List<SnapshotDisk> disks = SaveInto(made, vm, saver, options, token);
            SnapshotDescription saved = SnapshotFiles.Describe(SnapshotFiles.ReadState(made), made);
            VmSnapshot snapshot = new()
            {
                Id = snapshots.NewId(),
                Name = name,
                ParentId = snapshots.ReadCurrent() is { } parent && Directory.Exists(snapshots.PathOf(parent)) ? parent : null,
                Created = DateTimeOffset.UtcNow,
                Definition = AsSaved(vm, saved),
                WasRunning = saved.Running,
                Forced = Registry.LastRun(id)?.Force == true,
                EngineVersion = saved.Engine,
                Disks = disks,
            };
            token.ThrowIfCancellationRequested();
            VmSnapshot kept = snapshots.Add(made, snapshot, isCurrent: true);
            saver.Complete();
            return kept;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(snapshots.Folder, e);
        }
    }

    /// <summary>Refuses what <see cref="SaveSnapshot"/> would refuse before it saves (for -WhatIf).</summary>
    public void CheckSave(string id, SnapshotSaveOptions options)
    {
        VmDefinition vm = GetById(id);
        _ = CheckSave(vm, SnapshotsOf(vm), options);
    }

    /// <summary>Gives a snapshot another name. Errors <c>SnapshotNotFound</c>, <c>SnapshotExists</c>, <c>InvalidName</c>.</summary>
    public VmSnapshot RenameSnapshot(string id, string snapshotId, string newName, CancellationToken token = default)
    {
        VmRules.CheckName(newName);
        using FileLock mine = Store.Lock(id, token);
        SnapshotStore snapshots = SnapshotsOf(GetById(id));
        VmSnapshot snapshot = snapshots.Get(snapshotId);
        snapshots.RefuseTaken(newName, except: snapshotId);
        Writing(snapshots.Folder, () => snapshots.Rewrite(snapshot with { Name = newName }));
        return snapshots.Get(snapshotId);
    }

    /// <summary>Removes a snapshot, also a damaged one; VMs that run from it keep its memory. Those below it are its parent's then, unless they are removed too. Error <c>SnapshotNotFound</c>.</summary>
    public void RemoveSnapshot(string id, string snapshotId, bool withChildren = false, CancellationToken token = default)
    {
        using FileLock mine = Store.Lock(id, token);
        SnapshotStore snapshots = SnapshotsOf(Store.GetEvenDamaged(id));
        Writing(snapshots.Folder, () =>
        {
            List<VmSnapshot> below = withChildren ? SnapshotTree.Below(snapshots.List().Snapshots, snapshotId) : [];

            // The lowest first, so that a kill leaves a tree.
            for (int i = below.Count - 1; i >= 0; i--)
            {
                snapshots.Remove(below[i].Id, token);
            }

            snapshots.Remove(snapshotId, token);
        });
    }

    private SnapshotStore SnapshotsOf(VmDefinition vm) => new(Paths, vm);

    /// <summary>Writes state, memory and disks into a folder. The machine goes on as soon as that doesn't need it to stand still.</summary>
    private static List<SnapshotDisk> SaveInto(string folder, VmDefinition vm, SnapshotSaver saver, SnapshotSaveOptions options, CancellationToken token)
    {
        // A disk that is written to later doesn't fit the memory any more, so its time is looked at while the machine still stands. One that is to
        // stay paused is held until its snapshot is whole: it goes on when that fails.
        bool disks = vm.Drives is { Count: > 0 };
        using (FileDescriptor state = CreateFile(Path.Combine(folder, StateFile.FileName)))
        using (FileDescriptor memory = CreateFile(Path.Combine(folder, MemoryMap.FileName)))
        {
            saver.Save(state, memory, hold: disks || options.Paused, options.Paused, (done, all) => options.Progress?.Invoke(null, done, all));
        }

        List<SnapshotDisk> captured = options.IncludeDisk
            ? SnapshotDisks.Capture(vm, Path.Combine(folder, SnapshotStore.DisksName), options.Progress, token)
            : SnapshotDisks.Remember(vm);
        if (!options.Paused)
        {
            saver.Complete();
        }

        return captured;
    }

    private string CheckSave(VmDefinition vm, SnapshotStore snapshots, SnapshotSaveOptions options)
    {
        string name = options.Name ?? FreeName(vm, snapshots);
        VmRules.CheckName(name);
        using (EngineProcess? process = Registry.TryOpen(vm.Id))
        {
            if (process is null)
            {
                throw new StratoException(StratoErrorKind.InvalidState, "VmNotRunning", $"The VM '{vm.Name}' is stopped: there is no memory to save.")
                {
                    VmName = vm.Name,
                    RecommendedAction = $"Start-StratoVm '{vm.Name}' first. Of a stopped VM, Copy-StratoVm -CopyDisk keeps the disks.",
                };
            }
        }

        if (vm.Ephemeral)
        {
            throw Unsupported(vm, "it is ephemeral, and its snapshots would go with it when it ends");
        }

        foreach (DriveDefinition drive in vm.Drives)
        {
            if (!drive.ReadOnly && drive.Io.Snapshot == true)
            {
                throw Unsupported(vm, $"what its guest writes to the drive '{drive.Id}' is thrown away (-Snapshot), and isn't there for a restore");
            }
        }

        snapshots.RefuseTaken(name);
        if (options.IncludeDisk)
        {
            SnapshotDisks.Check(vm);
        }

        return name;
    }

    /// <summary>As Hyper-V names them; a second one of the same second gets a number.</summary>
    private static string FreeName(VmDefinition vm, SnapshotStore snapshots)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{vm.Name} - ({DateTime.Now:yyyy-MM-dd - HH:mm:ss})");
        IReadOnlyList<VmSnapshot> all = snapshots.List().Snapshots;
        string free = name;
        for (int number = 2; IsTaken(free); number++)
        {
            free = string.Create(CultureInfo.InvariantCulture, $"{name} ({number})");
        }

        return free;

        bool IsTaken(string wish)
        {
            foreach (VmSnapshot snapshot in all)
            {
                if (VmStore.SameName(snapshot.Name, wish))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>The definition as its machine was: with drives that were added for this run alone, without what was taken away for it.</summary>
    private static VmDefinition AsSaved(VmDefinition vm, SnapshotDescription saved)
    {
        List<DriveDefinition> drives = [];
        foreach (DriveDefinition drive in vm.Drives)
        {
            foreach (SnapshotDrive there in saved.Drives)
            {
                if (there.Id == drive.Id)
                {
                    drives.Add(drive);
                }
            }
        }

        foreach (SnapshotDrive there in saved.Drives)
        {
            if (SnapshotDisks.Find(vm, there.Id) is null)
            {
                drives.Add(new DriveDefinition { Id = there.Id, Path = there.File, ReadOnly = there.ReadOnly });
            }
        }

        List<NetworkAdapterDefinition> adapters = [];
        foreach (SnapshotNet there in saved.Nets)
        {
            adapters.Add(FindAdapter(vm, there.Id) ?? throw Unsupported(vm, $"its network adapter '{there.Id}' was added for this run alone (-Transient), so nobody knows where it leads; add it for good, or remove it"));
        }

        return vm with { Drives = drives, NetworkAdapters = adapters, Cpu = saved.Cpus };
    }

    private static NetworkAdapterDefinition? FindAdapter(VmDefinition vm, string id)
    {
        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            if (SameId(adapter.Id, id))
            {
                return adapter;
            }
        }

        return null;
    }

    private static FileDescriptor CreateFile(string path)
    {
        FileDescriptor file = new(Libc.Open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL, 0x180));
        return file.IsInvalid ? throw Disks.NewFile.Failed(path, Errno.Last, SnapshotKind) : file;
    }

    private static void Writing(string folder, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(folder, e);
        }
    }

    private static StratoException NotWritable(string folder, Exception e) =>
        new(e is UnauthorizedAccessException ? StratoErrorKind.Permission : StratoErrorKind.Failed, "SnapshotNotWritable", $"The folder of snapshots '{folder}' can't be written: {e.Message}", e) { Where = folder };

    private static StratoException Unsupported(VmDefinition vm, string why) =>
        new(StratoErrorKind.InvalidState, "SnapshotUnsupported", $"The VM '{vm.Name}' can't be saved: {why}.") { VmName = vm.Name };
}
