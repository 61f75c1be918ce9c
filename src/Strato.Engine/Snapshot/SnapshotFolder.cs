using System.Collections.Generic;
using System.IO;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>A folder that a snapshot is saved into: its two files appear together, and until then an older snapshot there stays whole.</summary>
/// <remarks>
/// Both are written under other names first. What a kill at any moment leaves can be restored, the old one or the new one:
/// <code>
///                        memory   memory.old   state     restored
///   before               old      –            old       old
///   1 memory → .old      –        old          old       old, from memory.old
///   2 memory.new → it    new      old          old       old, from memory.old: the state's id is that one's
///   3 state.new → it     new      old          new       new
///   4 memory.old goes    new      –            new       new
/// </code>
/// A lock on <c>memory.new</c> keeps two engines from writing into one folder.
/// </remarks>
internal sealed class SnapshotFolder : ISnapshotTarget
{
    private const uint OwnerOnly = 0x180; // 0600
    private const uint OwnerFolder = 0x1C0; // 0700
    private const string New = ".new";
    private const string Old = ".old";

    private readonly string _folder;
    private readonly FileDescriptor _directory;

    // What has lost its name: an old memory's space is given back when it is closed.
    private readonly List<FileDescriptor> _nameless = [];
    private bool _committed;

    private SnapshotFolder(string folder, FileDescriptor directory, FileDescriptor memory, FileDescriptor state)
    {
        _folder = folder;
        _directory = directory;
        Memory = memory;
        State = state;
    }

    public FileDescriptor Memory { get; }

    public FileDescriptor State { get; }

    public string MemoryName => $"'{ConfigurationLimits.Printable(Path.Combine(_folder, MemoryMap.FileName + New))}'";

    public string StateName => $"'{ConfigurationLimits.Printable(Path.Combine(_folder, StateFile.FileName + New))}'";

    /// <summary>Path of a snapshot's memory that an interrupted save has put aside.</summary>
    public static string OldMemory(string folder) => Path.Combine(folder, MemoryMap.FileName + Old);

    /// <summary>Makes the folder, if it isn't there (its parent has to be), and the files to be written.</summary>
    /// <exception cref="UserErrorException">SnapshotNotWritable, SnapshotBusy.</exception>
    public static SnapshotFolder Open(string folder)
    {
        if (Libc.MakeDirectory(folder, OwnerFolder) < 0 && Errno.Last != Errno.EEXIST)
        {
            throw NotWritable(folder);
        }

        FileDescriptor? directory = null;
        FileDescriptor? memory = null;
        try
        {
            directory = Take(Libc.Open(folder, Libc.O_RDONLY | Libc.O_DIRECTORY), folder);
            string path = Path.Combine(folder, MemoryMap.FileName + New);
            memory = Take(Libc.Open(path, Libc.O_CREAT | Libc.O_RDWR | Libc.O_NOFOLLOW, OwnerOnly), path);

            // Whoever had the lock may have given the file its name since it was opened here.
            if (Libc.SetFileLock(memory.Value, Libc.F_WRLCK) < 0 || !IsAt(memory, path))
            {
                throw new UserErrorException("SnapshotBusy", $"Another engine saves a snapshot into '{ConfigurationLimits.Printable(folder)}' at this moment.");
            }

            string statePath = Path.Combine(folder, StateFile.FileName + New);
            int state = Libc.Open(statePath, Libc.O_CREAT | Libc.O_RDWR | Libc.O_NOFOLLOW, OwnerOnly);
            if (state < 0)
            {
                UserErrorException error = NotWritable(statePath);
                _ = Libc.Unlink(path);
                throw error;
            }

            return new SnapshotFolder(folder, directory, memory, new FileDescriptor(state));
        }
        catch
        {
            directory?.Dispose();
            memory?.Dispose();
            throw;
        }
    }

    public void Commit()
    {
        (string memory, string state) = (Path.Combine(_folder, MemoryMap.FileName), Path.Combine(_folder, StateFile.FileName));

        // An older save may have been interrupted after 2: then memory.old goes with the state that is there.
        bool putsAside = Libc.LinkStat(memory, out _) == 0
            && !(SnapshotFiles.IdOfState(state) is { } id && SnapshotFiles.IdOfMemory(memory + Old) == id);
        if (putsAside)
        {
            KeepOpen(memory + Old);
            Rename(memory, memory + Old);
        }
        else
        {
            // Of a save that was interrupted: the new one takes its name.
            KeepOpen(memory);
        }

        try
        {
            Rename(memory + New, memory);
            try
            {
                Rename(state + New, state);
            }
            catch (LinuxException)
            {
                _ = Libc.Rename(memory, memory + New);
                throw;
            }
        }
        catch (LinuxException) when (putsAside)
        {
            _ = Libc.Rename(memory + Old, memory);
            throw;
        }

        _committed = true;

        // So that the names are on the disk as well, before the old memory goes; a folder takes this as a file does.
        if (Libc.fdatasync(_directory.Value) < 0 && Errno.Last != Errno.EINVAL)
        {
            throw LinuxException.Last("fdatasync of the folder");
        }

        KeepOpen(memory + Old);
        _ = Libc.Unlink(memory + Old);
    }

    public List<FileDescriptor> End()
    {
        if (!_committed)
        {
            _ = Libc.Unlink(Path.Combine(_folder, MemoryMap.FileName + New));
            _ = Libc.Unlink(Path.Combine(_folder, StateFile.FileName + New));
        }

        return [.. _nameless, Memory, State, _directory];
    }

    public void Dispose() => End().ForEach(file => file.Dispose());

    /// <summary>Opens a file that loses its name now: the file system would give back all its space in that call, many gigabytes of it, while the guest waits.</summary>
    private void KeepOpen(string path)
    {
        int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_NOFOLLOW | Libc.O_NONBLOCK);
        if (fd >= 0)
        {
            _nameless.Add(new FileDescriptor(fd));
        }
    }

    private static void Rename(string path, string newPath)
    {
        if (Libc.Rename(path, newPath) < 0)
        {
            throw LinuxException.Last($"rename to '{newPath}'");
        }
    }

    private static bool IsAt(FileDescriptor file, string path) =>
        Libc.Stat(file.Value, out Libc.statx_t open) == 0 && Libc.LinkStat(path, out Libc.statx_t named) == 0 && open.stx_ino == named.stx_ino;

    private static FileDescriptor Take(int fd, string path) => fd >= 0 ? new FileDescriptor(fd) : throw NotWritable(path);

    private static UserErrorException NotWritable(string path) =>
        new("SnapshotNotWritable", $"'{ConfigurationLimits.Printable(path)}' can't be written: {Errno.Text(Errno.Last)}.");
}
