using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Threading;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;

namespace Strato.Tests.Unit.Chardev;

/// <summary>How a peer answers one kind of request.</summary>
internal enum PeerFault
{
    None,
    HangUp,
    Silence,
    OtherRequest,
    NoReplyFlag,
    OtherVersion,
    OtherSize,
    CutShort,
    Refusal,
}

/// <summary>The other end of a vhost-user connection, on a thread of its own: it records requests, keeps what it is passed, and answers, or does not.</summary>
internal sealed unsafe class VhostUserPeer : IDisposable
{
    private const int Header = VhostUserWire.HeaderBytes;

    private readonly FileDescriptor _socket;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _ended = new();

    /// <param name="near">The engine's end.</param>
    public VhostUserPeer(out FileDescriptor near)
    {
        Libc.CreateSocketPair(out near, out _socket);
        _thread = new Thread(Serve) { IsBackground = true };
    }

    public ulong Features { get; init; } = VirtioFeature.Common | VhostUserSocket.FeatureProtocol;

    public ulong ProtocolFeatures { get; init; } = ulong.MaxValue;

    /// <summary>The request that is answered otherwise.</summary>
    public VhostUserRequest FaultAt { get; init; }

    public PeerFault Fault { get; init; }

    /// <summary>What GET_VRING_BASE is answered with: the index is xored with the upper half.</summary>
    public ulong Base { get; set; }

    /// <summary>Each request, with the number it is about.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>The payload of each kind's last request.</summary>
    public Dictionary<VhostUserRequest, byte[]> Payloads { get; } = [];

    /// <summary>The last descriptors that came with each kind of request.</summary>
    public Dictionary<VhostUserRequest, int[]> Files { get; } = [];

    public VhostUserPeer Start()
    {
        _thread.Start();
        return this;
    }

    /// <summary>Waits until the engine's end is closed, or this one has given up.</summary>
    public bool WaitForEnd() => _ended.Wait(TimeSpan.FromSeconds(30));

    /// <summary>Hangs up.</summary>
    public void End()
    {
        _ = Libc.shutdown(_socket.Value, Libc.SHUT_RDWR);
        _thread.Join();
        _socket.Dispose();
    }

    public void Dispose()
    {
        if (!_socket.IsClosed)
        {
            End();
        }

        foreach (int[] files in Files.Values)
        {
            Array.ForEach(files, fd => _ = Libc.close(fd));
        }

        _ended.Dispose();
    }

    private void Serve()
    {
        byte[] message = new byte[1024];
        int length;
        while ((length = Receive(message, out int[] files)) > 0)
        {
            Assert(length >= Header && length == Header + BinaryPrimitives.ReadInt32LittleEndian(message.AsSpan(8)));
            VhostUserRequest request = (VhostUserRequest)BinaryPrimitives.ReadUInt32LittleEndian(message);
            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(message.AsSpan(4));
            byte[] payload = message[Header..length];
            Record(request, payload, files);
            byte[]? reply = ReplyTo(request, (flags & VhostUserWire.NeedReplyFlag) != 0);
            if (reply is not null && !Answer(request, reply))
            {
                break;
            }
        }

        _ = Libc.shutdown(_socket.Value, Libc.SHUT_RDWR);
        _ended.Set();
    }

    private void Record(VhostUserRequest request, byte[] payload, int[] files)
    {
        Requests.Add(request is >= VhostUserRequest.SetRingSize and <= VhostUserRequest.SetRingError or VhostUserRequest.SetRingEnable
            ? $"{request} {BinaryPrimitives.ReadUInt32LittleEndian(payload)}"
            : $"{request}");
        Payloads[request] = payload;
        if (Files.Remove(request, out int[]? old))
        {
            Array.ForEach(old, fd => _ = Libc.close(fd));
        }

        Files[request] = files;
    }

    private byte[]? ReplyTo(VhostUserRequest request, bool wanted)
    {
        ulong? value = request switch
        {
            VhostUserRequest.GetFeatures => Features,
            VhostUserRequest.GetProtocolFeatures => ProtocolFeatures,
            VhostUserRequest.GetRingBase => Base ^ BinaryPrimitives.ReadUInt32LittleEndian(Payloads[request]),
            _ => wanted ? (request == FaultAt && Fault == PeerFault.Refusal ? 1UL : 0) : null,
        };
        return value is { } known ? BitConverter.GetBytes(known) : null;
    }

    /// <summary>False to hang up.</summary>
    private bool Answer(VhostUserRequest request, byte[] payload)
    {
        PeerFault fault = request == FaultAt ? Fault : PeerFault.None;
        byte[] reply = new byte[Header + payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(reply, (uint)request + (fault == PeerFault.OtherRequest ? 1u : 0));
        uint flags = fault switch
        {
            PeerFault.NoReplyFlag => VhostUserWire.Version,
            PeerFault.OtherVersion => VhostUserWire.ReplyFlag | 2,
            _ => VhostUserWire.ReplyFlag | VhostUserWire.Version,
        };
        BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), flags);
        BinaryPrimitives.WriteInt32LittleEndian(reply.AsSpan(8), payload.Length + (fault == PeerFault.OtherSize ? 8 : 0));
        payload.CopyTo(reply.AsSpan(Header));
        if (fault == PeerFault.HangUp)
        {
            return false;
        }

        if (fault != PeerFault.Silence)
        {
            _ = Libc.Send(_socket.Value, fault == PeerFault.CutShort ? reply.AsSpan(..^1) : reply);
        }

        return fault != PeerFault.CutShort;
    }

    private int Receive(byte[] buffer, out int[] files)
    {
        byte* control = stackalloc byte[sizeof(Libc.cmsghdr) + (Libc.MaxPassedFiles * sizeof(int))];
        fixed (byte* pointer = buffer)
        {
            // A stream: the header tells how much belongs to the message.
            Libc.iovec part = new() { iov_base = (nint)pointer, iov_len = Header };
            Libc.msghdr message = new()
            {
                msg_iov = &part,
                msg_iovlen = 1,
                msg_control = control,
                msg_controllen = (nuint)(sizeof(Libc.cmsghdr) + (Libc.MaxPassedFiles * sizeof(int))),
            };
            int count = (int)recvmsg(_socket.Value, &message, 0);
            bool passed = count > 0 && message.msg_controllen > (nuint)sizeof(Libc.cmsghdr);
            files = passed
                ? new ReadOnlySpan<int>(control + sizeof(Libc.cmsghdr), ((int)((Libc.cmsghdr*)control)->cmsg_len - sizeof(Libc.cmsghdr)) / sizeof(int)).ToArray()
                : [];
            int size = count == Header ? BinaryPrimitives.ReadInt32LittleEndian(buffer.AsSpan(8)) : 0;
            return size > 0 ? count + (int)Libc.Receive(_socket.Value, buffer.AsSpan(Header, size)) : count;
        }
    }

    private static void Assert(bool holds) => Xunit.Assert.True(holds);

    [System.Runtime.InteropServices.DllImport("libc")]
    private static extern nint recvmsg(int fd, Libc.msghdr* message, int flags);
}
