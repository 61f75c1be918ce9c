using Strato.Engine.Linux;

namespace Strato.Engine.Snapshot;

/// <summary>Files that whoever asks has opened, and gives their names himself.</summary>
internal sealed class PassedSnapshot(FileDescriptor state, FileDescriptor memory) : ISnapshotTarget
{
    public FileDescriptor State => state;

    public FileDescriptor Memory => memory;

    public void Commit()
    {
    }

    public void Dispose()
    {
        state.Dispose();
        memory.Dispose();
    }
}
