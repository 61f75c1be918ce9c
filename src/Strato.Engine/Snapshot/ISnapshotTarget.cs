using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Snapshot;

/// <summary>Two files that a snapshot is written into. Disposed without <see cref="Commit"/>, what was there before is there still.</summary>
internal interface ISnapshotTarget : IDisposable
{
    FileDescriptor Memory { get; }

    FileDescriptor State { get; }

    /// <summary>Both files are whole and on the disk: they become the snapshot.</summary>
    /// <exception cref="LinuxException">The host refuses; what was there before is there still.</exception>
    void Commit();
}
