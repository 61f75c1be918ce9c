using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Net;

namespace Strato.Tests.Unit.Net;

/// <summary>The other end of a <see cref="StreamBackend"/>, in a test's hands.</summary>
internal sealed class StreamWire : IDisposable
{
    private readonly FileDescriptor _far;
    private readonly List<byte> _received = [];

    public StreamWire()
    {
        Libc.CreateSocketPair(out FileDescriptor near, out _far);
        Libc.SetNonBlocking(_far.Value);
        Backend = new StreamBackend(near, "peer");
    }

    /// <summary>For the device, which owns it.</summary>
    public StreamBackend Backend { get; }

    /// <summary>A frame as it is on the wire.</summary>
    public static byte[] Wrap(ReadOnlySpan<byte> frame)
    {
        byte[] wrapped = new byte[StreamBackend.LengthBytes + frame.Length];
        BinaryPrimitives.WriteInt32BigEndian(wrapped, frame.Length);
        frame.CopyTo(wrapped.AsSpan(StreamBackend.LengthBytes));
        return wrapped;
    }

    /// <summary>Writes bytes as far as there is room; how many.</summary>
    public int Write(ReadOnlySpan<byte> bytes) => (int)Libc.Write(_far.Value, bytes);

    /// <summary>Takes what is there; whether there was anything.</summary>
    public bool Read()
    {
        Span<byte> buffer = stackalloc byte[4096];
        nint count = Libc.Read(_far.Value, buffer);
        _received.AddRange(buffer[..(int)Math.Max(count, 0)]);
        return count > 0;
    }

    /// <summary>The next frame of what was read; null when none is whole.</summary>
    public byte[]? TakeFrame()
    {
        int length = _received.Count < StreamBackend.LengthBytes
            ? int.MaxValue
            : BinaryPrimitives.ReadInt32BigEndian([.. _received[..StreamBackend.LengthBytes]]);
        if (length > _received.Count - StreamBackend.LengthBytes)
        {
            return null;
        }

        byte[] frame = [.. _received.GetRange(StreamBackend.LengthBytes, length)];
        _received.RemoveRange(0, StreamBackend.LengthBytes + length);
        return frame;
    }

    /// <summary>Takes all that is there and throws it away, without allocating; whether there was anything.</summary>
    public bool Discard()
    {
        Span<byte> buffer = stackalloc byte[4096];
        return Libc.Read(_far.Value, buffer) > 0;
    }

    public void HangUp() => _far.Dispose();

    public void Dispose() => _far.Dispose();
}
