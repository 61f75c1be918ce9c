using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Memory;

/// <summary>Memory of the engine's own, aligned to pages, outside the collected heap: for transfers that need alignment.</summary>
internal sealed unsafe class HostBuffer : IDisposable
{
    private readonly int _length;
    private byte* _memory;

    /// <summary>Maps zeroed memory; pages appear as they are touched.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public HostBuffer(int length)
    {
        _length = length;
        void* map = Libc.mmap(null, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        _memory = map == Libc.MAP_FAILED ? throw LinuxException.Last($"mmap of {length} bytes") : (byte*)map;
    }

    public Span<byte> Span => new(_memory, _memory is null ? 0 : _length);

    public void Dispose()
    {
        if (_memory is not null)
        {
            _ = Libc.munmap(_memory, (nuint)_length);
            _memory = null;
        }
    }
}
