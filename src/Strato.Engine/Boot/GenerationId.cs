using System;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>The machine's generation id (VMGENID): 16 random bytes in guest memory, others after each boot and each restore.</summary>
/// <remarks>
/// Clones of one snapshot would give out the same random numbers; Linux mixes this id into its own when it is told that it has
/// changed. Two that restore one snapshot have different ids, and so different numbers.
/// </remarks>
internal static class GenerationId
{
    /// <summary>Writes a new one. With the guest standing still.</summary>
    public static void Write(GuestMemory memory)
    {
        Span<byte> id = stackalloc byte[16];
        _ = Guid.NewGuid().TryWriteBytes(id);
        if (!memory.TryWrite(Layout.GenerationId, id))
        {
            throw new InvalidOperationException("no RAM at the generation id's address");
        }
    }
}
