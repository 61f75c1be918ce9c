using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Client.Linux;

/// <summary>A request of <c>linux/netlink.h</c>, built up in its order.</summary>
internal sealed class NetlinkRequest
{
    internal const int HeaderSize = 16;
    private readonly List<byte> _bytes = [];

    /// <param name="type">Such as RTM_NEWLINK.</param>
    /// <param name="flags">Beside NLM_F_REQUEST.</param>
    /// <param name="body">The family's own header, such as struct ifinfomsg.</param>
    internal NetlinkRequest(ushort type, ushort flags, ReadOnlySpan<byte> body)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        header.Clear();
        MemoryMarshal.Write(header[4..], type);
        MemoryMarshal.Write(header[6..], (ushort)(flags | RouteSocket.NLM_F_REQUEST));
        Append(header);
        Append(body);
    }

    internal NetlinkRequest Add(ushort type, ReadOnlySpan<byte> value)
    {
        Append(AttributeHeader(type, 4 + value.Length));
        Append(value);
        return this;
    }

    internal NetlinkRequest Add(ushort type, string value) => Add(type, [.. Encoding.UTF8.GetBytes(value), 0]);

    internal NetlinkRequest Add(ushort type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        MemoryMarshal.Write(bytes, value);
        return Add(type, bytes);
    }

    /// <summary>An attribute of attributes.</summary>
    internal NetlinkRequest Nest(ushort type, Action<NetlinkRequest> content)
    {
        int start = _bytes.Count;
        Append(AttributeHeader(type, 4));
        content(this);
        MemoryMarshal.Write(CollectionsMarshal.AsSpan(_bytes)[start..], (ushort)(_bytes.Count - start));
        return this;
    }

    /// <summary>The message as it is sent.</summary>
    internal byte[] ToMessage(uint sequence)
    {
        byte[] message = [.. _bytes];
        MemoryMarshal.Write(message.AsSpan(0), message.Length);
        MemoryMarshal.Write(message.AsSpan(8), sequence);
        return message;
    }

    private static byte[] AttributeHeader(ushort type, int length)
    {
        byte[] header = new byte[4];
        MemoryMarshal.Write(header.AsSpan(0), (ushort)length);
        MemoryMarshal.Write(header.AsSpan(2), type);
        return header;
    }

    // Headers and values begin at multiples of four.
    private void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            _bytes.Add(value);
        }

        while (_bytes.Count % 4 != 0)
        {
            _bytes.Add(0);
        }
    }
}

/// <summary>Attributes of an answer.</summary>
internal static class NetlinkAttributes
{
    private const ushort TypeMask = 0x3fff;

    /// <summary>The value of the first attribute of a type; false where there is none.</summary>
    internal static bool TryGet(ReadOnlySpan<byte> attributes, ushort type, out ReadOnlySpan<byte> value)
    {
        while (attributes.Length >= 4)
        {
            int length = MemoryMarshal.Read<ushort>(attributes);
            if (length < 4 || length > attributes.Length)
            {
                break;
            }

            if ((MemoryMarshal.Read<ushort>(attributes[2..]) & TypeMask) == type)
            {
                value = attributes[4..length];
                return true;
            }

            attributes = attributes[Math.Min(attributes.Length, (length + 3) & ~3)..];
        }

        value = default;
        return false;
    }

    internal static uint? Number(ReadOnlySpan<byte> attributes, ushort type) =>
        TryGet(attributes, type, out ReadOnlySpan<byte> value) && value.Length >= 4 ? MemoryMarshal.Read<uint>(value) : null;

    internal static string? Text(ReadOnlySpan<byte> attributes, ushort type) =>
        TryGet(attributes, type, out ReadOnlySpan<byte> value) ? Encoding.UTF8.GetString(value.TrimEnd((byte)0)) : null;
}

/// <summary>A conversation with the kernel about interfaces, addresses and routes (<c>linux/rtnetlink.h</c>), in the network namespace of the thread that opened it.</summary>
internal sealed unsafe class RouteSocket : IDisposable
{
    internal const ushort NLM_F_REQUEST = 1;
    internal const ushort NLM_F_ACK = 4;
    internal const ushort NLM_F_DUMP = 0x300;
    internal const ushort NLM_F_EXCL = 0x200;
    internal const ushort NLM_F_CREATE = 0x400;

    private const int AF_NETLINK = 16;
    private const int SOCK_RAW = 3;
    private const int NETLINK_ROUTE = 0;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLMSG_DONE = 3;

    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[65536];
    private uint _sequence;

    internal RouteSocket()
    {
        _socket = new FileDescriptor(Libc.socket(AF_NETLINK, SOCK_RAW | Libc.SOCK_CLOEXEC, NETLINK_ROUTE));
        if (_socket.IsInvalid)
        {
            throw new StratoException(StratoErrorKind.Unavailable, "NetlinkFailed", $"The kernel can't be asked about network interfaces: {Errno.Text(Errno.Last)}.");
        }
    }

    /// <summary>Asks for something to be done.</summary>
    /// <returns>0, or an errno.</returns>
    internal int Do(NetlinkRequest request) => Ask(request, answer: null);

    /// <summary>Asks for something to be told. The answers are the family's header and its attributes.</summary>
    /// <returns>0, or an errno.</returns>
    internal int Ask(NetlinkRequest request, Action<byte[]>? answer)
    {
        byte[] message = request.ToMessage(++_sequence);
        if (Libc.Write(_socket.Value, message) != message.Length)
        {
            return Errno.Last;
        }

        while (true)
        {
            int count;
            fixed (byte* pointer = _buffer)
            {
                count = (int)Libc.recv(_socket.Value, pointer, (nuint)_buffer.Length, 0);
            }

            if (count < 0)
            {
                int errno = Errno.Last;
                if (errno == Errno.EINTR)
                {
                    continue;
                }

                return errno;
            }

            if (Take(_buffer.AsSpan(0, count), answer) is { } end)
            {
                return end;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>The outcome where the messages have one; null where more come.</summary>
    private int? Take(ReadOnlySpan<byte> messages, Action<byte[]>? answer)
    {
        while (messages.Length >= NetlinkRequest.HeaderSize)
        {
            int length = MemoryMarshal.Read<int>(messages);
            ushort type = MemoryMarshal.Read<ushort>(messages[4..]);
            if (length < NetlinkRequest.HeaderSize || length > messages.Length)
            {
                break;
            }

            // What an earlier request left is passed over.
            if (MemoryMarshal.Read<uint>(messages[8..]) == _sequence)
            {
                ReadOnlySpan<byte> body = messages[NetlinkRequest.HeaderSize..length];
                switch (type)
                {
                    case NLMSG_DONE:
                        return 0;
                    case NLMSG_ERROR:
                        return body.Length >= 4 ? -MemoryMarshal.Read<int>(body) : Errno.EINVAL;
                    default:
                        answer?.Invoke(body.ToArray());
                        break;
                }
            }

            messages = messages[Math.Min(messages.Length, (length + 3) & ~3)..];
        }

        return null;
    }
}
