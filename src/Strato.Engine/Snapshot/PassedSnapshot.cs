using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Snapshot;

/// <summary>Files that whoever asks has opened, and gives their names himself.</summary>
/// <param name="state">Owned from now on.</param>
/// <param name="memory">As well.</param>
/// <param name="stateName">What it was passed as.</param>
/// <param name="memoryName">What it was passed as.</param>
internal sealed class PassedSnapshot(FileDescriptor state, FileDescriptor memory, string stateName, string memoryName) : ISnapshotTarget
{
    public FileDescriptor State => state;

    public FileDescriptor Memory => memory;

    public string StateName => $"the file passed as '{ConfigurationLimits.Printable(stateName)}'";

    public string MemoryName => $"the file passed as '{ConfigurationLimits.Printable(memoryName)}'";

    public void Commit()
    {
    }

    public List<FileDescriptor> End() => [state, memory];

    public void Dispose()
    {
        state.Dispose();
        memory.Dispose();
    }
}
