using System;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>Opens what a snapshot was saved as.</summary>
internal static class SnapshotFiles
{
    private const string Where = "-incoming";

    /// <summary>Opens a snapshot and verifies its state; of its memory, that it is the state's and whole.</summary>
    /// <param name="wish">Which.</param>
    /// <exception cref="UserErrorException">SnapshotNotFound, SnapshotNotReadable, SnapshotDamaged, SnapshotVersion.</exception>
    public static RestoredMachine Open(IncomingSnapshot wish)
    {
        RestoredMachine? restored = TryOpen(wish, out UserErrorException? failure);

        // Between the two opens another save may have put both files into the folder.
        return restored ?? TryOpen(wish, out failure) ?? throw failure!;
    }

    /// <summary>Whose state a file is, by its header; null when it is nobody's.</summary>
    public static Guid? IdOfState(string path)
    {
        try
        {
            using FileDescriptor file = OpenFile(path);
            byte[] beginning = new byte[StateFile.HeaderBytes];
            return Libc.PRead(file.Value, beginning, 0) == beginning.Length ? StateFile.IdOf(beginning) : null;
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    /// <summary>Whose memory a file is; null when there is none.</summary>
    public static Guid? IdOfMemory(string path)
    {
        try
        {
            using FileDescriptor file = OpenFile(path);
            return IdOfMemory(file, SizeOf(file) - MemoryMap.TrailerBytes);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static RestoredMachine? TryOpen(IncomingSnapshot wish, out UserErrorException? failure)
    {
        failure = null;
        using FileDescriptor stateFile = OpenFile(wish.State);
        StateFile state = ReadState(stateFile, wish.State);
        MemoryMap map = MemoryMap.Parse(state);
        foreach (string path in wish.Memory)
        {
            if (path != wish.Memory[0] && Libc.LinkStat(path, out _) < 0)
            {
                continue;
            }

            FileDescriptor? memory = null;
            try
            {
                memory = OpenFile(path);
                Check(memory, path, state, map);
                return new RestoredMachine(state, map, memory, wish.KeepsTime);
            }
            catch (UserErrorException error)
            {
                memory?.Dispose();
                failure ??= error;
            }
        }

        return null;
    }

    private static void Check(FileDescriptor memory, string path, StateFile state, MemoryMap map)
    {
        long size = SizeOf(memory);
        if (size != map.Size + MemoryMap.TrailerBytes)
        {
            throw Damaged($"The snapshot's memory '{ConfigurationLimits.Printable(path)}' is damaged: it has {size} bytes, and {map.Size + MemoryMap.TrailerBytes} were saved.");
        }

        if (IdOfMemory(memory, map.Size) is not { } id)
        {
            throw Damaged($"The snapshot's memory '{ConfigurationLimits.Printable(path)}' is damaged: its end doesn't say whose it is.");
        }

        if (id != state.Id)
        {
            throw Damaged($"The memory '{ConfigurationLimits.Printable(path)}' is another snapshot's than the state ({id} and {state.Id}).");
        }
    }

    private static Guid? IdOfMemory(FileDescriptor memory, long at)
    {
        byte[] trailer = new byte[MemoryMap.TrailerBytes];
        return at >= 0 && Libc.PRead(memory.Value, trailer, at) == trailer.Length ? MemoryMap.IdOf(trailer) : null;
    }

    private static StateFile ReadState(FileDescriptor file, string path)
    {
        long size = SizeOf(file);
        if (size > StateFile.MaximumBytes)
        {
            throw Damaged($"The snapshot's state '{ConfigurationLimits.Printable(path)}' is damaged: {size} bytes are more than any has.");
        }

        byte[] bytes = new byte[size];
        int length = 0;
        nint count;
        while (length < size && (count = Libc.PRead(file.Value, bytes.AsSpan(length), length)) > 0)
        {
            length += (int)count;
        }

        return StateFile.Parse(bytes.AsMemory(0, length));
    }

    private static long SizeOf(FileDescriptor file) => Libc.Stat(file.Value, out Libc.statx_t status) == 0 ? (long)status.stx_size : -1;

    /// <remarks>Without waiting: what isn't a file (a pipe) is refused.</remarks>
    private static FileDescriptor OpenFile(string path)
    {
        int fd = FileSets.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK);
        if (fd < 0)
        {
            string id = Errno.Last is Errno.ENOENT or Errno.ENOTDIR ? "SnapshotNotFound" : "SnapshotNotReadable";
            throw new UserErrorException(id, $"The snapshot's file '{ConfigurationLimits.Printable(path)}' can't be opened: {Errno.Text(Errno.Last)}.", Where);
        }

        FileDescriptor file = new(fd);
        if (Libc.Stat(fd, out Libc.statx_t status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            file.Dispose();
            throw new UserErrorException("SnapshotNotReadable", $"'{ConfigurationLimits.Printable(path)}' is no regular file, which a snapshot's are.", Where);
        }

        return file;
    }

    private static UserErrorException Damaged(string what) => new("SnapshotDamaged", what, Where);
}
