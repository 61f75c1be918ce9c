namespace Strato.Engine.Block;

/// <summary>Which file a drive stands on, and how it is opened.</summary>
/// <param name="Id">The user's name of the drive.</param>
/// <param name="Path">Path of an image or block device; for a passed descriptor what to call it in messages.</param>
/// <param name="ReadOnly">Whether the guest only reads.</param>
/// <param name="Descriptor">An open descriptor to use instead of the path; it stays the giver's. -1 for none.</param>
/// <param name="Where">The option, JSON path or QMP argument that named the file, for errors; empty for <c>-drive id=ID</c>.</param>
internal readonly record struct DriveOptions(string Id, string Path, bool ReadOnly = false, int Descriptor = -1, string Where = "")
{
    /// <summary>What errors point to.</summary>
    public string Place => Where.Length > 0 ? Where : $"-drive id={Id}";
}
