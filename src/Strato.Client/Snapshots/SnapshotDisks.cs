using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Client.Store;

namespace Strato.Client.Snapshots;

/// <summary>The disks of a snapshot: captured while their VM stands still, and put back.</summary>
internal static class SnapshotDisks
{
    /// <summary>Whether a guest can change a drive's image.</summary>
    internal static bool IsWritten(DriveDefinition drive) => !drive.ReadOnly && drive.Io.Snapshot != true;

    /// <summary>Refuses drives that can't be captured, before anything is done. Errors <c>DriveFileNotFound</c>, <c>DriveNotFile</c>, <c>DiskCopyFailed</c>.</summary>
    internal static void Check(VmDefinition vm)
    {
        foreach (DriveDefinition drive in vm.Drives)
        {
            if (IsWritten(drive))
            {
                DiskCopy.Open(drive.Path, out _, locked: false).Dispose();
            }
        }
    }

    /// <summary>Copies the images that the guest can write to; the VM stands still. Errors as of <see cref="DiskCopy.Copy"/>.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="folder">Where the copies go; it is made.</param>
    /// <param name="progress">Told of a drive's id, bytes done, and all.</param>
    /// <param name="token">Ends it.</param>
    internal static List<SnapshotDisk> Capture(VmDefinition vm, string folder, Action<string?, long, long>? progress, CancellationToken token)
    {
        List<SnapshotDisk> disks = [];
        foreach (DriveDefinition drive in vm.Drives)
        {
            if (!IsWritten(drive))
            {
                continue;
            }

            Directory.CreateDirectory(folder, Images.WorkFolder.OwnerOnly);
            string file = string.Create(CultureInfo.InvariantCulture, $"{disks.Count}-{drive.Id.Replace('/', '_')}");
            string path = Path.Combine(folder, file);
            using NewFile copy = DiskCopy.Prepare(drive.Path, path, (done, all) => progress?.Invoke(drive.Id, done, all), token, locked: false);
            copy.Keep(replace: false);
            disks.Add(new SnapshotDisk(drive.Id, new FileInfo(path).Length, file, new DateTimeOffset(new FileInfo(drive.Path).LastWriteTimeUtc)));
        }

        return disks;
    }

    /// <summary>What is remembered of images that aren't captured.</summary>
    internal static List<SnapshotDisk> Remember(VmDefinition vm)
    {
        List<SnapshotDisk> disks = [];
        foreach (DriveDefinition drive in vm.Drives)
        {
            if (IsWritten(drive))
            {
                FileInfo file = new(drive.Path);
                bool isFile = IsRegular(drive.Path);
                disks.Add(new SnapshotDisk(drive.Id, isFile ? file.Length : 0, File: null, isFile ? new DateTimeOffset(file.LastWriteTimeUtc) : null));
            }
        }

        return disks;
    }

    /// <summary>Refuses disks that a snapshot hasn't captured and that its machine can't have any more. Errors <c>DriveFileNotFound</c>, <c>SnapshotMismatch</c>.</summary>
    internal static void CheckThere(VmSnapshot snapshot, VmDefinition vm)
    {
        foreach (DriveDefinition drive in vm.Drives)
        {
            SnapshotDisk? saved = Saved(snapshot, drive.Id);
            if (saved?.File is not null)
            {
                continue;
            }

            if (!Libc.TryStatTarget(drive.Path, out _))
            {
                throw new StratoException(StratoErrorKind.NotFound, "DriveFileNotFound", $"The drive '{drive.Path}' does not exist, and the snapshot '{snapshot.Name}' has not captured it.") { Where = drive.Path, VmName = vm.Name };
            }

            if (saved is { Size: > 0 } && IsRegular(drive.Path) && new FileInfo(ResolveLink(drive.Path)).Length is var length && length != saved.Size)
            {
                throw new StratoException(
                    StratoErrorKind.InvalidState,
                    "SnapshotMismatch",
                    string.Create(CultureInfo.InvariantCulture, $"The drive '{drive.Path}' has {length} bytes, and had {saved.Size} when the snapshot '{snapshot.Name}' was saved, which has not captured it."))
                {
                    Where = drive.Path,
                    VmName = vm.Name,
                    RecommendedAction = "Save-StratoSnapshot -IncludeDisk captures the disks, too.",
                };
            }
        }
    }

    /// <summary>Bytes of a drive when its VM is restored; null for a block device.</summary>
    internal static long? SizeOf(VmSnapshot snapshot, DriveDefinition drive) => Saved(snapshot, drive.Id) is { File: not null, Size: var size } ? size
        : IsRegular(drive.Path) ? new FileInfo(ResolveLink(drive.Path)).Length : null;

    private static SnapshotDisk? Saved(VmSnapshot snapshot, string drive)
    {
        foreach (SnapshotDisk disk in snapshot.Disks)
        {
            if (StratoClient.SameId(disk.DriveId, drive))
            {
                return disk;
            }
        }

        return null;
    }

    /// <summary>Paths of disks that a snapshot hasn't captured and that were written to since.</summary>
    internal static List<string> Changed(VmSnapshot snapshot, VmDefinition vm)
    {
        List<string> changed = [];
        foreach (SnapshotDisk disk in snapshot.Disks)
        {
            if (disk is { File: null, Written: { } written } && Find(vm, disk.DriveId) is { } drive && IsRegular(drive.Path)
                && new FileInfo(drive.Path) is var file && (file.LastWriteTimeUtc != written.UtcDateTime || file.Length != disk.Size))
            {
                changed.Add(drive.Path);
            }
        }

        return changed;
    }

    /// <summary>What is wrong with the captured disks, one sentence each.</summary>
    internal static List<string> Faults(VmSnapshot snapshot)
    {
        List<string> faults = [];
        foreach (SnapshotDisk disk in snapshot.Disks)
        {
            if (disk.File is null)
            {
                continue;
            }

            string path = Path.Combine(snapshot.Folder, SnapshotStore.DisksName, disk.File);
            if (!IsRegular(path))
            {
                faults.Add($"The captured disk '{disk.DriveId}' is missing: there is no file '{path}'.");
            }
            else if (new FileInfo(path).Length is var length && length != disk.Size)
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"The captured disk '{disk.DriveId}' has {length} bytes, and {disk.Size} were saved: '{path}'."));
            }
        }

        return faults;
    }

    /// <summary>A drive by its id; null for none.</summary>
    internal static DriveDefinition? Find(VmDefinition vm, string id)
    {
        foreach (DriveDefinition drive in vm.Drives)
        {
            if (StratoClient.SameId(drive.Id, id))
            {
                return drive;
            }
        }

        return null;
    }

    private static bool IsRegular(string path) => File.Exists(path) && Libc.TryStat(ResolveLink(path), out Libc.statx_t stat) && (stat.stx_mode & Libc.S_IFMT) == Libc.S_IFREG;

    /// <summary>A hidden file beside a disk, which whoever comes after a kill knows.</summary>
    internal static string Beside(string path, string what) => Path.Combine(Path.GetDirectoryName(path)!, $"{AtomicFile.TemporaryPrefix}{what}-{Path.GetFileName(path)}");

    /// <summary>What a path leads to, so that a link stays one.</summary>
    internal static string ResolveLink(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            return path;
        }
    }
}

/// <summary>Copies of captured disks that are ready to take their places.</summary>
internal sealed class ReturningDisks : IDisposable
{
    private readonly List<(NewFile Copy, string Path, DateTimeOffset? Written)> _copies = [];

    // What the copies have taken the place of; null where nothing was.
    private readonly List<(string Path, string? Before)> _kept = [];

    /// <summary>Makes the copies; the disks of now stay as they are. Errors as of <see cref="DiskCopy.Copy"/>.</summary>
    internal static ReturningDisks Prepare(VmSnapshot snapshot, VmDefinition vm, Action<string?, long, long>? progress, CancellationToken token)
    {
        ReturningDisks disks = new();
        try
        {
            foreach (SnapshotDisk disk in snapshot.Disks)
            {
                if (disk.File is not null && SnapshotDisks.Find(vm, disk.DriveId) is { } drive)
                {
                    string path = SnapshotDisks.ResolveLink(drive.Path);
                    string source = System.IO.Path.Combine(snapshot.Folder, SnapshotStore.DisksName, disk.File);
                    disks._copies.Add((DiskCopy.Prepare(source, path, (done, all) => progress?.Invoke(disk.DriveId, done, all), token), path, disk.Written));
                }
            }

            return disks;
        }
        catch
        {
            disks.Dispose();
            throw;
        }
    }

    /// <summary>Puts all in their places, when no engine of the VM runs; the disks of now stay beside them until <see cref="Settle"/>. Error <c>DriveInUse</c>: another has one of the disks; all stay as they are then.</summary>
    internal void Keep()
    {
        List<FileDescriptor> held = [];
        try
        {
            foreach ((_, string path, _) in _copies)
            {
                FileDescriptor now = new(Libc.Open(path, Libc.O_RDWR | Libc.O_NONBLOCK));
                held.Add(now);
                if (!now.IsInvalid && !DiskCopy.TryLock(now.Value, Libc.F_WRLCK))
                {
                    throw new StratoException(StratoErrorKind.Busy, "DriveInUse", $"The drive '{path}' is in use elsewhere, in another VM perhaps, and can't be put back.") { Where = path };
                }
            }

            foreach ((NewFile copy, string path, DateTimeOffset? written) in _copies)
            {
                _kept.Add((path, SetAside(path)));
                string after = SnapshotDisks.Beside(path, "after");
                AtomicFile.Remove(after);
                copy.Keep(replace: true, after);

                // It has not been written to since then: another snapshot of that moment fits it, too.
                if (written is { } time)
                {
                    File.SetLastWriteTimeUtc(path, time.UtcDateTime);
                }
            }
        }
        finally
        {
            held.ForEach(file => file.Dispose());
        }
    }

    /// <summary>The disks that were there before go.</summary>
    internal void Settle()
    {
        foreach ((_, string? before) in _kept)
        {
            if (before is not null)
            {
                AtomicFile.Remove(before);
            }
        }

        _kept.Clear();
    }

    /// <summary>Unless that is settled, the disks that were there before are there again.</summary>
    public void Dispose()
    {
        foreach ((string path, string? before) in _kept)
        {
            if (before is null)
            {
                AtomicFile.Remove(path);
            }
            else
            {
                File.Move(before, path, overwrite: true);
            }
        }

        _copies.ForEach(copy => copy.Copy.Dispose());
    }

    /// <summary>Another name for a disk, of which only that name is left when a copy takes its place. What a killed shell left so goes.</summary>
    private static string? SetAside(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        string before = SnapshotDisks.Beside(path, "before");
        AtomicFile.Remove(before);
        if (!Libc.TryLink(path, before))
        {
            // A file system without links (FAT, some of FUSE).
            File.Move(path, before);
        }

        return before;
    }
}
