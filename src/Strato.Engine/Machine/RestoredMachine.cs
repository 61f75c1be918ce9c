using Strato.Engine.Linux;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>What a machine is restored from.</summary>
/// <param name="State">All but its memory, verified.</param>
/// <param name="Memory">What the file of its memory holds.</param>
/// <param name="MemoryFile">That file, of the right size and the state's own; owned by whoever opened it.</param>
/// <param name="KeepsTime">Whether the guest's clock goes on from where it was, instead of the time that it is.</param>
internal sealed record RestoredMachine(StateFile State, MemoryMap Memory, FileDescriptor MemoryFile, bool KeepsTime)
{
    public BoardState Board { get; } = BoardState.Parse(State);
}
