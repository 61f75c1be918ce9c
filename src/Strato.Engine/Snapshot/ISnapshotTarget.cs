using System;
using System.Collections.Generic;
using Strato.Engine.Linux;

namespace Strato.Engine.Snapshot;

/// <summary>Two files that a snapshot is written into. Ended without <see cref="Commit"/>, what was there before is there still.</summary>
internal interface ISnapshotTarget : IDisposable
{
    FileDescriptor Memory { get; }

    FileDescriptor State { get; }

    /// <summary>What the memory's file is called in messages.</summary>
    string MemoryName { get; }

    /// <summary>What the state's file is called in messages.</summary>
    string StateName { get; }

    /// <summary>Both files are whole and on the disk: they become the snapshot.</summary>
    /// <exception cref="LinuxException">The host refuses; what was there before is there still.</exception>
    void Commit();

    /// <summary>Takes away the names of what isn't wanted any more, which takes no time.</summary>
    /// <returns>All files, which the caller closes. That may take long: the space of what has no name any more is given back then.</returns>
    List<FileDescriptor> End();
}
