using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Images;
using Strato.Client.Snapshots;
using Strato.Client.Store;
using Strato.Protocol.Snapshots;

namespace Strato.Client;

/// <remarks>Snapshots as folders of their own: exported and imported.</remarks>
public sealed partial class StratoClient
{
    /// <summary>Copies a snapshot into a folder that isn't there yet: by reflinks where the file system can, else without its holes. One that fails or is cancelled leaves nothing.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="snapshotId">Its snapshot.</param>
    /// <param name="path">Absolute; its parent is there.</param>
    /// <param name="progress">Told of a file's name, bytes done, and all.</param>
    /// <param name="token">Ends it.</param>
    /// <remarks>Errors <c>SnapshotNotFound</c>, <c>SnapshotDamaged</c>, <c>FileExists</c>, <c>DirectoryNotFound</c>, <c>SnapshotNotWritable</c>.</remarks>
    public void ExportSnapshot(string id, string snapshotId, string path, Action<string, long, long>? progress = null, CancellationToken token = default)
    {
        VmSnapshot snapshot = GetSnapshot(id, snapshotId);
        string parent = Path.GetDirectoryName(path) ?? "/";
        CheckExport(path);
        SnapshotFiles.CheckMemoryFile(SnapshotFiles.ReadState(snapshot.Folder), snapshot.Folder);
        Writing(parent, () =>
        {
            using WorkFolder work = WorkFolder.Make(parent, token);
            string made = work.MakeFolder(SnapshotKind);
            CopySnapshot(snapshot.Folder, made, snapshot.Disks, progress, token);
            AtomicFile.Write(Path.Combine(made, SnapshotJson.FileName), SnapshotJson.Write(snapshot));
            AtomicFile.SyncDirectory(made);
            token.ThrowIfCancellationRequested();
            Directory.Move(made, path);
            AtomicFile.SyncDirectory(parent);
        });
    }

    /// <summary>Refuses what <see cref="ExportSnapshot"/> would refuse of a folder (for -WhatIf).</summary>
    public static void CheckExport(string path)
    {
        NewFile.RefuseExisting(path, SnapshotKind);
        if (Path.GetDirectoryName(path) is { } parent && !Directory.Exists(parent))
        {
            throw new StratoException(StratoErrorKind.NotFound, "DirectoryNotFound", $"The folder '{parent}' does not exist.") { Where = "-Path" };
        }
    }

    /// <summary>Takes a snapshot from a folder: one that was exported, or one that an engine saved by QMP's migrate to file:FOLDER.</summary>
    /// <param name="id">The VM that gets it.</param>
    /// <param name="path">Absolute path of the folder.</param>
    /// <param name="name">Null for the name that it has, of an engine's folder the folder's.</param>
    /// <param name="progress">Told of a file's name, bytes done, and all.</param>
    /// <param name="token">Ends it.</param>
    /// <remarks>
    /// A snapshot of another VM gets the disks and network adapters of this one, which has to have the same by id. Errors <c>SnapshotNotFound</c>, <c>SnapshotNotReadable</c>, <c>SnapshotDamaged</c>,
    /// <c>SnapshotVersion</c>, <c>SnapshotMismatch</c>, <c>SnapshotExists</c>, <c>InvalidName</c>, <c>SnapshotNotWritable</c>. One that fails or is cancelled leaves nothing.
    /// </remarks>
    public VmSnapshot ImportSnapshot(string id, string path, string? name = null, Action<string, long, long>? progress = null, CancellationToken token = default)
    {
        StateFile state = SnapshotFiles.ReadState(path);
        SnapshotDescription saved = SnapshotFiles.Describe(state, path);
        SnapshotFiles.CheckMemoryFile(state, path);
        VmSnapshot? given = ReadExported(path);
        using FileLock mine = Store.Lock(id, token);
        VmDefinition vm = GetById(id);
        SnapshotStore snapshots = SnapshotsOf(vm);
        VmSnapshot snapshot = new()
        {
            Id = given is not null && SnapshotStore.IsId(given.Id) && !Directory.Exists(snapshots.PathOf(given.Id)) ? given.Id : snapshots.NewId(),
            Name = name ?? given?.Name ?? Path.GetFileName(path),
            ParentId = given?.ParentId is { } parent && Directory.Exists(snapshots.PathOf(parent)) ? parent : null,
            Created = given?.Created ?? saved.Saved,
            Definition = given?.Definition.Id == id ? given.Definition : Fitted(vm, saved, path),
            WasRunning = saved.Running,
            Forced = given?.Forced == true,
            EngineVersion = saved.Engine,
            Disks = given?.Disks ?? [],
        };
        VmRules.CheckName(snapshot.Name);
        snapshots.RefuseTaken(snapshot.Name);
        if (given is not null && SnapshotDisks.Faults(given with { Folder = path }) is { Count: > 0 } faults)
        {
            throw new StratoException(StratoErrorKind.InvalidData, "SnapshotDamaged", string.Join(" ", faults)) { Where = path };
        }

        try
        {
            using WorkFolder work = snapshots.BeginWork(token);
            string made = work.MakeFolder(SnapshotKind);
            CopySnapshot(path, made, snapshot.Disks, progress, token);
            token.ThrowIfCancellationRequested();
            return snapshots.Add(made, snapshot, isCurrent: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable(snapshots.Folder, e);
        }
    }

    private static VmSnapshot? ReadExported(string path)
    {
        string file = Path.Combine(path, SnapshotJson.FileName);
        try
        {
            return SnapshotJson.Read(File.ReadAllBytes(file));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (FormatException e)
        {
            throw new StratoException(StratoErrorKind.InvalidData, "SnapshotDamaged", $"The snapshot in '{path}' is damaged: in '{file}', {e.Message}.", e) { Where = file };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StratoException(StratoErrorKind.Permission, "SnapshotNotReadable", $"'{file}' can't be read: {e.Message}", e) { Where = file };
        }
    }

    private static void CopySnapshot(string from, string to, IReadOnlyList<SnapshotDisk> disks, Action<string, long, long>? progress, CancellationToken token)
    {
        Copy(StateFile.FileName);
        Copy(MemoryMap.FileName);
        if (disks.Any(disk => disk.File is not null))
        {
            string folder = Path.Combine(to, SnapshotStore.DisksName);
            Directory.CreateDirectory(folder, WorkFolder.OwnerOnly);
            foreach (SnapshotDisk disk in disks)
            {
                if (disk.File is not null)
                {
                    Copy(Path.Combine(SnapshotStore.DisksName, disk.File));
                }
            }
        }

        void Copy(string name)
        {
            using NewFile copy = DiskCopy.Prepare(Path.Combine(from, name), Path.Combine(to, name), (done, all) => progress?.Invoke(name, done, all), token, locked: false, kind: SnapshotKind);
            copy.Keep(replace: false);
        }
    }

    /// <summary>A VM's definition, where the machine of a snapshot is the same by what counts for it. Error <c>SnapshotMismatch</c>.</summary>
    private static VmDefinition Fitted(VmDefinition vm, SnapshotDescription saved, string path)
    {
        if (vm.Memory != saved.Memory)
        {
            throw Mismatch($"{saved.Memory >> 20} MiB of memory, and the VM has {vm.Memory >> 20}");
        }

        if (vm.Cpu != saved.Cpus)
        {
            throw Mismatch($"{saved.Cpus} virtual CPUs, and the VM has {vm.Cpu}");
        }

        Compare("drives", [.. saved.Drives.Select(drive => drive.Id)], [.. vm.Drives.Select(drive => drive.Id)]);
        Compare("network adapters", [.. saved.Nets.Select(net => net.Id)], [.. vm.NetworkAdapters.Select(adapter => adapter.Id)]);
        return vm;

        void Compare(string what, string[] theirs, string[] ours)
        {
            if (!theirs.ToHashSet(StringComparer.Ordinal).SetEquals(ours))
            {
                throw Mismatch($"the {what} {Names(theirs)}, and the VM has {Names(ours)}");
            }
        }

        static string Names(string[] ids) => ids.Length == 0 ? "none" : string.Join(", ", ids.Select(id => $"'{id}'"));

        StratoException Mismatch(string what) => new(StratoErrorKind.InvalidState, "SnapshotMismatch", $"The snapshot in '{path}' doesn't fit the VM '{vm.Name}': its machine has {what}.")
        {
            VmName = vm.Name,
            Where = path,
            RecommendedAction = "Give it to a VM with the same memory, CPUs, and devices by their ids.",
        };
    }
}
