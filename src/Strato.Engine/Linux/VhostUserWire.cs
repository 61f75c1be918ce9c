using System;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary>Requests of the vhost-user protocol that the engine makes, by their numbers.</summary>
internal enum VhostUserRequest : uint
{
    GetFeatures = 1,
    SetFeatures = 2,
    SetOwner = 3,
    SetMemoryTable = 5,
    SetRingSize = 8,
    SetRingAddress = 9,
    SetRingBase = 10,
    GetRingBase = 11,
    SetRingKick = 12,
    SetRingCall = 13,
    SetRingError = 14,
    GetProtocolFeatures = 15,
    SetProtocolFeatures = 16,
    SetRingEnable = 18,
}

/// <summary>Messages of a vhost-user connection (QEMU's docs/interop/vhost-user.rst): one request at a time, answered within a time.</summary>
/// <remarks>
/// <code>
/// | request 32 | flags 32: version 1 in bits 0–1, 4 for a reply, 8 where one is wanted | bytes of payload 32 | payload |
/// </code>
/// What isn't answered as it should be, or too late, can't be followed any more: the connection is shut down, and all later
/// requests fail. Descriptors that come with a reply are dropped by the kernel.
/// </remarks>
/// <param name="socket">Connected and non-blocking; owned from here on.</param>
/// <param name="patience">How long a reply may take.</param>
internal sealed class VhostUserWire(FileDescriptor socket, TimeSpan patience) : IDisposable
{
    internal const int HeaderBytes = 12;
    internal const uint Version = 1;
    internal const uint ReplyFlag = 4;
    internal const uint NeedReplyFlag = 8;

    private const uint VersionMask = 3;

    /// <summary>The memory table with all regions that there may be.</summary>
    private const int MaxPayload = 8 + (32 * Libc.VHOST_MAX_REGIONS);

    public int Descriptor => socket.Value;

    /// <summary>How long a reply may take.</summary>
    public TimeSpan Patience { get; set; } = patience;

    /// <summary>Whether the other end agreed to answer requests that have no reply of their own.</summary>
    public bool Acknowledges { get; set; }

    /// <summary>Makes a request that has no reply of its own.</summary>
    /// <exception cref="LinuxException">The other end refuses, or has gone.</exception>
    public void Tell<T>(VhostUserRequest request, in T payload, ReadOnlySpan<int> files = default)
        where T : unmanaged => Tell(request, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in payload)), files);

    /// <inheritdoc cref="Tell{T}(VhostUserRequest, in T, ReadOnlySpan{int})"/>
    public void Tell(VhostUserRequest request, ReadOnlySpan<byte> payload, ReadOnlySpan<int> files = default)
    {
        Send(request, Acknowledges ? NeedReplyFlag : 0, payload, files);
        if (Acknowledges)
        {
            Receive(request, out ulong failure);
            if (failure != 0)
            {
                throw Break(request, Errno.EIO);
            }
        }
    }

    /// <summary>Makes a request that is answered by a value.</summary>
    /// <exception cref="LinuxException">The other end doesn't answer, or has gone.</exception>
    public void Ask<TReply>(VhostUserRequest request, ReadOnlySpan<byte> payload, out TReply reply)
        where TReply : unmanaged
    {
        Send(request, 0, payload, default);
        Receive(request, out reply);
    }

    /// <summary>Ends the connection, since the request can't be followed any more.</summary>
    public LinuxException Break(VhostUserRequest request, int errno)
    {
        End();
        return new LinuxException($"vhost-user {request}", errno);
    }

    /// <summary>All later requests fail, and the other end reads that nothing comes any more.</summary>
    public void End() => _ = Libc.shutdown(socket.Value, Libc.SHUT_RDWR);

    public void Dispose() => socket.Dispose();

    private void Send(VhostUserRequest request, uint flags, ReadOnlySpan<byte> payload, ReadOnlySpan<int> files)
    {
        Span<byte> message = stackalloc byte[HeaderBytes + MaxPayload];
        message = message[..(HeaderBytes + payload.Length)];
        Span<uint> header = MemoryMarshal.Cast<byte, uint>(message[..HeaderBytes]);
        header[0] = (uint)request;
        header[1] = Version | flags;
        header[2] = (uint)payload.Length;
        payload.CopyTo(message[HeaderBytes..]);
        nint sent = files.Length > 0 ? Libc.SendFiles(socket.Value, message, files) : Libc.Send(socket.Value, message);
        if (sent != message.Length)
        {
            // The socket has room for hundreds: where there is none, nobody reads.
            throw Break(request, sent < 0 ? Errno.Last : Errno.EAGAIN);
        }
    }

    private void Receive<T>(VhostUserRequest request, out T value)
        where T : unmanaged
    {
        long start = Stopwatch.GetTimestamp();
        Span<byte> bytes = stackalloc byte[HeaderBytes];
        Fill(request, bytes, start);
        value = default;
        Span<byte> payload = MemoryMarshal.AsBytes(new Span<T>(ref value));
        Span<uint> header = MemoryMarshal.Cast<byte, uint>(bytes);
        if (header[0] != (uint)request || (header[1] & (VersionMask | ReplyFlag)) != (Version | ReplyFlag) || header[2] != payload.Length)
        {
            throw Break(request, Errno.EPROTO);
        }

        Fill(request, payload, start);
    }

    private void Fill(VhostUserRequest request, Span<byte> buffer, long start)
    {
        while (buffer.Length > 0)
        {
            nint count = Libc.Receive(socket.Value, buffer);
            if (count > 0)
            {
                buffer = buffer[(int)count..];
                continue;
            }

            int errno = count == 0 ? Errno.ECONNRESET : Errno.Last;
            TimeSpan left = Patience - Stopwatch.GetElapsedTime(start);
            if (errno != Errno.EAGAIN || left <= TimeSpan.Zero)
            {
                throw Break(request, errno == Errno.EAGAIN ? Errno.ETIMEDOUT : errno);
            }

            _ = Libc.Poll(socket.Value, PollEvents.In, (int)Math.Ceiling(left.TotalMilliseconds));
        }
    }
}
