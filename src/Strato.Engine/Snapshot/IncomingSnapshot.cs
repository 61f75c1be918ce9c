using System.IO;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Snapshot;

/// <summary>Which snapshot a machine is restored from, as <c>-incoming</c> says it.</summary>
/// <param name="State">Path of its state.</param>
/// <param name="Memory">Paths where its memory may be, the usual one first.</param>
/// <param name="KeepsTime">Whether the guest's clock goes on from where it was.</param>
internal sealed record IncomingSnapshot(string State, string[] Memory, bool KeepsTime)
{
    private const string Folder = "file:";
    private const string StateKey = "state=";
    private const string MemoryKey = ",memory=";

    /// <exception cref="UserErrorException">InvalidOption.</exception>
    public static IncomingSnapshot Parse(string uri, bool keepsTime)
    {
        if (uri.StartsWith(Folder, System.StringComparison.Ordinal))
        {
            string folder = uri[Folder.Length..];
            ConfigurationLimits.CheckPath(folder, "snapshot's folder", "-incoming");
            return new IncomingSnapshot(Path.Combine(folder, StateFile.FileName), [Path.Combine(folder, MemoryMap.FileName), SnapshotFolder.OldMemory(folder)], keepsTime);
        }

        int memory = uri.IndexOf(MemoryKey, System.StringComparison.Ordinal);
        if (!uri.StartsWith(StateKey, System.StringComparison.Ordinal) || memory < 0)
        {
            throw new UserErrorException(
                "InvalidOption",
                $"'{ConfigurationLimits.Printable(uri)}' is no snapshot; allowed: file:FOLDER, state=FILE,memory=FILE (where FILE may be /dev/fdset/N).",
                "-incoming");
        }

        (string state, string file) = (uri[StateKey.Length..memory], uri[(memory + MemoryKey.Length)..]);
        ConfigurationLimits.CheckPath(state, "snapshot's state", "-incoming");
        ConfigurationLimits.CheckPath(file, "snapshot's memory", "-incoming");
        return new IncomingSnapshot(state, [file], keepsTime);
    }
}
