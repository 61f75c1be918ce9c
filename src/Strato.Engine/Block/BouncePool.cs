using System;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Memory;

namespace Strato.Engine.Block;

/// <summary>Aligned buffers of one size, as many as were ever needed at once. From any thread.</summary>
internal sealed class BouncePool : IDisposable
{
    /// <summary>Of one buffer.</summary>
    public const int Bytes = 128 << 10;

    private readonly Lock _lock = new();
    private readonly Stack<HostBuffer> _free = new();

    public HostBuffer Rent()
    {
        lock (_lock)
        {
            if (_free.TryPop(out HostBuffer? buffer))
            {
                return buffer;
            }
        }

        return new HostBuffer(Bytes);
    }

    public void Return(HostBuffer buffer)
    {
        lock (_lock)
        {
            _free.Push(buffer);
        }
    }

    /// <summary>When all are returned.</summary>
    public void Dispose()
    {
        foreach (HostBuffer buffer in _free)
        {
            buffer.Dispose();
        }

        _free.Clear();
    }
}
