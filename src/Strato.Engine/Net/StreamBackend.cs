using System;
using System.Buffers.Binary;
using Strato.Engine.Linux;

namespace Strato.Engine.Net;

/// <summary>Frames on a stream socket as QEMU sends them: each behind its length, 32 bits big endian.</summary>
/// <remarks>
/// <code>
/// | length 32 | Ethernet frame of that length | length 32 | …
/// </code>
/// There is no virtio header on the wire, so nothing is unfinished. A frame that was sent in part is kept, and its rest goes
/// first when the socket has room again. A peer that tells a length no frame has can't be followed any more: EPROTO.
/// </remarks>
/// <param name="socket">Connected and non-blocking; owned from here on.</param>
/// <param name="name">What is at the other end, for messages.</param>
internal sealed class StreamBackend(FileDescriptor socket, string name) : INetBackend
{
    /// <summary>An Ethernet header, and the most that IP has.</summary>
    internal const int LongestFrame = VirtioNetHeader.LargestFrame - VirtioNetHeader.Bytes;

    internal const int LengthBytes = sizeof(uint);

    /// <summary>Two addresses and a type; what is shorter is no frame.</summary>
    private const int ShortestFrame = 14;

    private readonly byte[] _in = new byte[2 * (LengthBytes + LongestFrame)];
    private readonly byte[] _out = new byte[LengthBytes + LongestFrame];
    private int _inStart;
    private int _inEnd;
    private int _outStart;
    private int _outEnd;

    public string Name => name;

    public int Descriptor => socket.Value;

    public bool Offloads => false;

    public bool HasLongFrames => true;

    public bool HasFrames => _inEnd - _inStart >= LengthBytes && NextLength <= Math.Min(LongestFrame, _inEnd - _inStart - LengthBytes);

    private uint NextLength => BinaryPrimitives.ReadUInt32BigEndian(_in.AsSpan(_inStart));

    public void SetOffload(uint offload)
    {
    }

    public bool TryUse(bool used) => true;

    public nint Receive(ReadOnlySpan<Libc.iovec> room)
    {
        // One system call at most: a peer that sends what is no frame gets no more of the loop's time than others.
        nint count = 1;
        for (bool read = false; count > 0; read = true)
        {
            if (TryTakeFrame(out ReadOnlySpan<byte> frame))
            {
                ReadOnlySpan<byte> header = stackalloc byte[VirtioNetHeader.Bytes];
                return Libc.Scatter(header, room, 0) + Libc.Scatter(frame, room, VirtioNetHeader.Bytes);
            }

            if (_inEnd - _inStart >= LengthBytes && NextLength > LongestFrame)
            {
                return Errno.Fail(Errno.EPROTO);
            }

            if (read)
            {
                return Errno.Fail(Errno.EAGAIN);
            }

            _in.AsSpan(_inStart.._inEnd).CopyTo(_in);
            (_inStart, _inEnd) = (0, _inEnd - _inStart);
            count = Libc.Receive(socket.Value, _in.AsSpan(_inEnd));
            _inEnd += (int)Math.Max(count, 0);
        }

        return count;
    }

    public nint Send(ReadOnlySpan<Libc.iovec> frame)
    {
        if (!TryFlush())
        {
            return Errno.Fail(Errno.EAGAIN);
        }

        ulong length = 0;
        foreach (ref readonly Libc.iovec part in frame)
        {
            length += part.iov_len;
        }

        if (length is < VirtioNetHeader.Bytes + ShortestFrame or > VirtioNetHeader.LargestFrame)
        {
            return Errno.Fail(Errno.EMSGSIZE);
        }

        int bytes = Libc.Gather(frame, VirtioNetHeader.Bytes, _out.AsSpan(LengthBytes));
        BinaryPrimitives.WriteUInt32BigEndian(_out, (uint)bytes);
        (_outStart, _outEnd) = (0, LengthBytes + bytes);
        nint sent = SendRest();
        return sent < 0 && Errno.Last != Errno.EAGAIN ? sent : (nint)length;
    }

    public bool TryFlush() => _outStart == _outEnd || SendRest() >= 0 ? _outStart == _outEnd : Errno.Last != Errno.EAGAIN;

    public void Dispose() => socket.Dispose();

    /// <summary>Sends what is left of the frame, as far as there is room; -1 with errno on failure.</summary>
    private nint SendRest()
    {
        nint sent = Libc.Send(socket.Value, _out.AsSpan(_outStart.._outEnd));
        _outStart += (int)Math.Max(sent, 0);
        return sent;
    }

    /// <summary>Takes the first frame that is here as a whole, and drops what is too short to be one.</summary>
    private bool TryTakeFrame(out ReadOnlySpan<byte> frame)
    {
        while (HasFrames)
        {
            frame = _in.AsSpan(_inStart + LengthBytes, (int)NextLength);
            _inStart += LengthBytes + frame.Length;
            if (frame.Length >= ShortestFrame)
            {
                return true;
            }
        }

        frame = default;
        return false;
    }
}
