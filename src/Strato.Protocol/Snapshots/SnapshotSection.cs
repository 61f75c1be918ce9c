using System;

namespace Strato.Protocol.Snapshots;

/// <summary>A part of a snapshot's state: of one device, one CPU, or what they share.</summary>
/// <param name="Name">What it is of, such as <c>cpu 0</c> or <c>device rootfs</c>; unique in a snapshot.</param>
/// <param name="Version">Of its layout, from 1.</param>
/// <param name="Data">As <see cref="StateWriter"/> wrote it.</param>
public sealed record SnapshotSection(string Name, ushort Version, ReadOnlyMemory<byte> Data)
{
    /// <summary>The section's contents from the first on.</summary>
    /// <param name="newest">The newest version that the caller can read.</param>
    /// <exception cref="UserErrorException">SnapshotVersion: it is newer.</exception>
    public StateReader Read(ushort newest = 1) => Version >= 1 && Version <= newest
        ? new StateReader(this)
        : throw new UserErrorException("SnapshotVersion", $"The snapshot's section '{Name}' has version {Version}; this engine reads up to {newest}. It was saved by a newer one.");
}
