using System;

namespace Strato.Protocol.Snapshots;

/// <summary>Why a snapshot wasn't saved, by how the engine's messages begin: QMP's query-migrate has but a text for it (error-desc), as QEMU's.</summary>
public static class SnapshotFailure
{
    /// <summary>A device can't.</summary>
    public const string Unsupported = "The machine can't be saved: ";

    /// <summary>Another save is under way.</summary>
    public const string Busy = "A snapshot is being saved";

    /// <summary>The files' file system, or a quota, is full.</summary>
    public const string NoRoom = "No room for the snapshot: ";

    /// <summary>The files can't be written for another reason.</summary>
    public const string NotWritten = "The snapshot can't be written: ";

    /// <summary>A file of the machine's own was given to write into.</summary>
    public const string InUse = "The snapshot can't be written over the machine: ";

    private static readonly (string Beginning, string Id)[] Ids =
        [(Unsupported, "SnapshotUnsupported"), (Busy, "SnapshotBusy"), (NoRoom, "SnapshotNoRoom"), (NotWritten, "SnapshotNotWritable"), (InUse, "SnapshotFileInUse")];

    /// <summary>The id of a message's error; SnapshotFailed for all that have none of their own.</summary>
    public static string IdOf(string message)
    {
        foreach ((string beginning, string id) in Ids)
        {
            if (message.StartsWith(beginning, StringComparison.Ordinal))
            {
                return id;
            }
        }

        return "SnapshotFailed";
    }
}
