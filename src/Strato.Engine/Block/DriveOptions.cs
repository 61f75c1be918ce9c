using Strato.Protocol.Configuration;

namespace Strato.Engine.Block;

/// <summary>Which file a drive stands on, and how it is opened.</summary>
/// <param name="Id">The user's name of the drive.</param>
/// <param name="Path">Path of an image or block device; for a passed descriptor what to call it in messages.</param>
/// <param name="ReadOnly">Whether the guest only reads.</param>
/// <param name="Descriptor">An open descriptor to use instead of the path; it stays the giver's. -1 for none.</param>
/// <param name="Where">The option, JSON path or QMP argument that named the file, for errors; empty for <c>-drive id=ID</c>.</param>
internal readonly record struct DriveOptions(string Id, string Path, bool ReadOnly = false, int Descriptor = -1, string Where = "")
{
    /// <summary>Whether the page cache is passed by (O_DIRECT).</summary>
    public bool Direct { get; init; }

    /// <summary>How requests reach the kernel; null for native with <see cref="Direct"/> where the host allows it, else threads.</summary>
    public DriveAio? Aio { get; init; }

    /// <summary>The option that gave <see cref="Aio"/>, for errors.</summary>
    public string? AioWhere { get; init; }

    /// <summary>Whether what the guest writes is thrown away at the end.</summary>
    public bool Snapshot { get; init; }

    /// <summary>Path of the empty file for what is thrown away; null for one in <see cref="Linux.NamelessFile.TemporaryFolder"/>.</summary>
    public string? ChangesPath { get; init; }

    /// <summary>What errors point to.</summary>
    public string Place => Where.Length > 0 ? Where : $"-drive id={Id}";
}
