using System;
using System.IO;
using System.Linq;
using Strato.Engine.Boot;
using Strato.Engine.Machine;
using Strato.Engine.Snapshot;
using Strato.Protocol.Snapshots;
using MemoryMap = Strato.Protocol.Snapshots.MemoryMap;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>A folder with small snapshots' files, written by hand; gone when the test ends.</summary>
internal sealed class SavedFolder : IDisposable
{
    public const int MemoryBytes = 3 << 20;

    public string Path { get; } = Directory.CreateTempSubdirectory("strato-snapshot-").FullName;

    /// <summary>Names of what is in it, in order.</summary>
    public string[] Names => [.. Directory.GetFileSystemEntries(Path).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    public IncomingSnapshot Incoming => IncomingSnapshot.Parse($"file:{Path}", keepsTime: false);

    /// <summary>The state of a snapshot, which can be restored as far as its files go.</summary>
    public static byte[] State(Guid id) => new StateFile(
        id,
        [
            new BoardState(new CpuTopology(1, 1, 1), Announcement.Acpi, HasSerial: true, []).ToSection(),
            new MemoryMap([(0, MemoryBytes)], new uint[MemoryMap.ChunksOf(MemoryBytes)]).ToSection(),
        ]).ToBytes();

    /// <summary>The memory of a snapshot: zeros.</summary>
    public static byte[] Memory(Guid id) => [.. new byte[MemoryBytes], .. MemoryMap.Trailer(id)];

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public void WriteState(Guid id, string name = "state") => System.IO.File.WriteAllBytes(File(name), State(id));

    public void WriteMemory(Guid id, string name = "memory") => System.IO.File.WriteAllBytes(File(name), Memory(id));

    /// <summary>Which snapshot is restored from the folder.</summary>
    public Guid Restored()
    {
        RestoredMachine restored = SnapshotFiles.Open(Incoming);
        restored.MemoryFile.Dispose();
        return restored.State.Id;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
