using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using Strato.Client.Images;
using Strato.Client.Linux;
using Strato.Client.Store;
using Strato.Protocol.Snapshots;

namespace Strato.Client.Snapshots;

/// <summary>The snapshots of one VM on disk.</summary>
/// <remarks>
/// A snapshot appears and disappears with the rename of a folder, so a reader needs no lock. Writers hold the VM's lock.
/// </remarks>
/// <param name="paths">Where the store is.</param>
/// <param name="vm">The VM.</param>
internal sealed class SnapshotStore(StratoPaths paths, VmDefinition vm)
{
    internal const string DisksName = "disks";

    private const string IdLetters = "abcdefghijkmnpqrstuvwxyz23456789";
    private const string CurrentName = "current";

    internal string Folder => paths.SnapshotsDirectory(vm.Id);

    private string CurrentFile => Path.Combine(Folder, CurrentName);

    internal SnapshotListing List()
    {
        List<VmSnapshot> found = [];
        List<DamagedSnapshot> damaged = [];
        foreach (string id in Ids())
        {
            try
            {
                if (TryRead(id) is { } snapshot)
                {
                    found.Add(snapshot);
                }
            }
            catch (StratoException e) when (e.Id == "SnapshotDamaged")
            {
                damaged.Add(new DamagedSnapshot(vm.Id, id, e));
            }
        }

        return new SnapshotListing(SnapshotTree.Order(found, ReadCurrent()), damaged);
    }

    /// <summary>The snapshot of an id. Errors <c>SnapshotNotFound</c>, <c>SnapshotDamaged</c>.</summary>
    internal VmSnapshot Get(string id)
    {
        SnapshotListing all = List();
        foreach (VmSnapshot snapshot in all.Snapshots)
        {
            if (snapshot.Id == id)
            {
                return snapshot;
            }
        }

        foreach (DamagedSnapshot damaged in all.Damaged)
        {
            if (damaged.Id == id)
            {
                throw damaged.Error;
            }
        }

        throw Missing(id);
    }

    /// <summary>An id that no snapshot of the VM has.</summary>
    internal string NewId()
    {
        string id;
        do
        {
            id = RandomNumberGenerator.GetString(IdLetters, 8);
        }
        while (Directory.Exists(PathOf(id)));
        return id;
    }

    internal string PathOf(string id) => Path.Combine(Folder, id);

    /// <summary>Error <c>SnapshotExists</c>.</summary>
    internal void RefuseTaken(string name, string? except = null)
    {
        foreach (VmSnapshot snapshot in List().Snapshots)
        {
            if (snapshot.Id != except && VmStore.SameName(snapshot.Name, name))
            {
                throw new StratoException(StratoErrorKind.AlreadyExists, "SnapshotExists", $"The VM '{vm.Name}' has a snapshot '{snapshot.Name}' already.")
                {
                    VmName = vm.Name,
                    RecommendedAction = "Choose another name, or remove that one first by Remove-StratoSnapshot.",
                };
            }
        }
    }

    /// <summary>A folder for what is being made; those of makers that died go. Under the VM's lock.</summary>
    internal WorkFolder BeginWork(CancellationToken token)
    {
        Directory.CreateDirectory(Folder, WorkFolder.OwnerOnly);
        return WorkFolder.Make(Folder, token);
    }

    /// <summary>Gives a whole snapshot its place. Under the VM's lock.</summary>
    /// <param name="made">Its folder in that of the work.</param>
    /// <param name="snapshot">What its <c>snapshot.json</c> says.</param>
    /// <param name="isCurrent">Whether the VM is at it now.</param>
    internal VmSnapshot Add(string made, VmSnapshot snapshot, bool isCurrent)
    {
        AtomicFile.Write(Path.Combine(made, SnapshotJson.FileName), SnapshotJson.Write(snapshot));
        if (Directory.Exists(Path.Combine(made, DisksName)))
        {
            AtomicFile.SyncDirectory(Path.Combine(made, DisksName));
        }

        AtomicFile.SyncDirectory(made);
        Directory.Move(made, PathOf(snapshot.Id));
        AtomicFile.SyncDirectory(Folder);
        if (isCurrent)
        {
            WriteCurrent(snapshot.Id);
        }

        return Get(snapshot.Id);
    }

    /// <summary>Writes what a snapshot says of itself anew. Under the VM's lock.</summary>
    internal void Rewrite(VmSnapshot snapshot)
    {
        string file = Path.Combine(PathOf(snapshot.Id), SnapshotJson.FileName);
        AtomicFile.RemoveLeftovers(file);
        AtomicFile.Write(file, SnapshotJson.Write(snapshot));
    }

    /// <summary>Removes one, also a damaged one; its children are its parent's then. Under the VM's lock.</summary>
    internal void Remove(string id, CancellationToken token)
    {
        if (!Directory.Exists(PathOf(id)))
        {
            throw Missing(id);
        }

        SnapshotListing all = List();
        string? parent = null;
        foreach (VmSnapshot snapshot in all.Snapshots)
        {
            parent = snapshot.Id == id ? snapshot.ParentId : parent;
        }

        // First: what is removed can't be asked any more whose child it was.
        foreach (VmSnapshot child in all.Snapshots)
        {
            if (child.ParentId == id)
            {
                Rewrite(child with { ParentId = parent });
            }
        }

        if (ReadCurrent() == id)
        {
            WriteCurrent(parent ?? "");
        }

        using WorkFolder grave = BeginWork(token);
        Directory.Move(PathOf(id), grave.PathOf(id));
        AtomicFile.SyncDirectory(Folder);
    }

    /// <summary>Id of the snapshot that the VM was saved to or restored from last; null for none.</summary>
    internal string? ReadCurrent()
    {
        try
        {
            return File.ReadAllText(CurrentFile).Trim() is { Length: > 0 } id ? id : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Under the VM's lock.</summary>
    internal void WriteCurrent(string id)
    {
        AtomicFile.RemoveLeftovers(CurrentFile);
        AtomicFile.Write(CurrentFile, Encoding.ASCII.GetBytes(id + "\n"));
    }

    /// <summary>Whether a text is an id as <see cref="NewId"/> makes them.</summary>
    internal static bool IsId(string text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c))
            {
                return false;
            }
        }

        return text.Length == 8;
    }

    private StratoException Missing(string id) => new(StratoErrorKind.NotFound, "SnapshotNotFound", $"The VM '{vm.Name}' has no snapshot with the id '{id}'; it may have been removed.") { VmName = vm.Name };

    private List<string> Ids()
    {
        List<string> ids = [];
        try
        {
            foreach (string folder in Directory.EnumerateDirectories(Folder))
            {
                string id = Path.GetFileName(folder);
                if (IsId(id))
                {
                    ids.Add(id);
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            // None was saved yet.
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StratoException(StratoErrorKind.Permission, "StoreNotReadable", $"The folder '{Folder}' can't be read: {e.Message}", e);
        }

        return ids;
    }

    /// <summary>Null if it has gone.</summary>
    private VmSnapshot? TryRead(string id)
    {
        string folder = PathOf(id);
        string path = Path.Combine(folder, SnapshotJson.FileName);
        try
        {
            VmSnapshot read = SnapshotJson.Read(File.ReadAllBytes(path));
            return read.Id != id
                ? throw new FormatException($"id is '{read.Id}', but the folder is '{id}'")
                : read with { VmId = vm.Id, VmName = vm.Name, Folder = folder, Size = SizeOf(folder, read) };
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            if (!Directory.Exists(folder))
            {
                return null;
            }

            string fault = e is FormatException ? e.Message : $"it can't be read ({e.Message})";
            throw new StratoException(StratoErrorKind.InvalidData, "SnapshotDamaged", $"The snapshot with the id '{id}' of VM '{vm.Name}' is damaged: in '{path}', {fault}.", e)
            {
                Where = path,
                VmName = vm.Name,
                RecommendedAction = $"Mend the file, or remove the snapshot by Remove-StratoSnapshot '{vm.Name}' {id}.",
            };
        }
    }

    private static long SizeOf(string folder, VmSnapshot snapshot)
    {
        long size = 0;
        Add(StateFile.FileName);
        Add(MemoryMap.FileName);
        foreach (SnapshotDisk disk in snapshot.Disks)
        {
            if (disk.File is not null)
            {
                Add(Path.Combine(DisksName, disk.File));
            }
        }

        return size;

        void Add(string name) => size += Libc.TryStat(Path.Combine(folder, name), out Libc.statx_t stat) ? (long)stat.stx_blocks * 512 : 0;
    }
}
