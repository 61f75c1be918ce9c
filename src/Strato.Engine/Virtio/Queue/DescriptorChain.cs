using Strato.Engine.Memory;

namespace Strato.Engine.Virtio.Queue;

/// <summary>One request of the driver: the buffers the device reads, and those it writes. Made once, filled for each request by <see cref="VirtQueue.Pop"/>.</summary>
internal sealed class DescriptorChain
{
    /// <summary>Index of the chain's first descriptor: its name when it is given back.</summary>
    public ushort Head { get; internal set; }

    /// <summary>What the driver wrote for the device, as far as it wasn't consumed.</summary>
    public BufferList Readable { get; } = new();

    /// <summary>Where the device may write, as far as it wasn't consumed.</summary>
    public BufferList Writable { get; } = new();

    internal void Clear()
    {
        Readable.Clear();
        Writable.Clear();
    }
}
