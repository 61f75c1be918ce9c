using System;

namespace Strato.Engine.Qmp;

/// <summary>Bytes that wait for a client to read, at most a given number of them.</summary>
internal sealed class OutputQueue(int limit)
{
    private const int InitialCapacity = 4096;
    private const int IdleCapacity = 64 << 10;

    private byte[] _buffer = new byte[InitialCapacity];
    private int _start;
    private int _end;

    public int Length => _end - _start;

    /// <summary>Bytes of memory held.</summary>
    public int Capacity => _buffer.Length;

    public ReadOnlySpan<byte> Pending => _buffer.AsSpan(_start, Length);

    /// <summary>Adds bytes; false, with nothing added, when the queue would pass its limit.</summary>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > limit - Length)
        {
            return false;
        }

        if (bytes.Length > _buffer.Length - _end)
        {
            int length = Length;
            int needed = length + bytes.Length;
            byte[] target = _buffer.Length >= needed ? _buffer : new byte[Math.Max(needed, Math.Min(_buffer.Length * 2, limit))];
            Buffer.BlockCopy(_buffer, _start, target, 0, length);
            (_buffer, _start, _end) = (target, 0, length);
        }

        bytes.CopyTo(_buffer.AsSpan(_end));
        _end += bytes.Length;
        return true;
    }

    /// <summary>Takes the first bytes away, which were sent.</summary>
    public void Consume(int count)
    {
        _start += count;
        if (_start == _end)
        {
            (_start, _end) = (0, 0);
            if (_buffer.Length > IdleCapacity)
            {
                _buffer = new byte[InitialCapacity];
            }
        }
    }
}
