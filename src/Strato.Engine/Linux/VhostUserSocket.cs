using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary>A connection to a process that serves virtqueues: the front-end's side of vhost-user, for devices of a fixed number of queues.</summary>
/// <remarks>A queue is served from <see cref="SetRing"/> until <see cref="GetRingBase"/> returns, when no memory of the guest is touched for it any more.</remarks>
internal sealed class VhostUserSocket : IVhostUser
{
    /// <summary>VHOST_USER_F_PROTOCOL_FEATURES: a feature bit that virtio reserves for this.</summary>
    internal const ulong FeatureProtocol = 1UL << 30;

    /// <summary>VHOST_USER_PROTOCOL_F_REPLY_ACK.</summary>
    internal const ulong ProtocolReplyAck = 1UL << 3;

    private readonly VhostUserWire _wire;
    private readonly IDisposable? _server;
    private readonly ulong _protocol;

    /// <param name="socket">Connected and non-blocking; owned from here on.</param>
    /// <param name="needed">Features that it must be able to work with.</param>
    /// <param name="patience">How long a reply may take.</param>
    /// <param name="server">The process at the other end, where it is ours: it is let go behind the connection. Disposing it again is harmless.</param>
    /// <exception cref="LinuxException">The other end doesn't speak the protocol, or lacks features (EOPNOTSUPP); <paramref name="server"/> stays the caller's.</exception>
    public VhostUserSocket(FileDescriptor socket, ulong needed, TimeSpan patience, IDisposable? server = null)
    {
        _wire = new VhostUserWire(socket, patience);
        try
        {
            _wire.Ask(VhostUserRequest.GetFeatures, default, out ulong features);
            _protocol = features & FeatureProtocol;
            Features = features & ~FeatureProtocol;
            if ((needed & ~features) is var missing and not 0)
            {
                throw new LinuxException($"features 0x{missing:x}", Errno.EOPNOTSUPP);
            }

            if (_protocol != 0)
            {
                _wire.Ask(VhostUserRequest.GetProtocolFeatures, default, out ulong offered);
                ulong wanted = offered & ProtocolReplyAck;
                _wire.Tell(VhostUserRequest.SetProtocolFeatures, wanted);
                _wire.Acknowledges = wanted != 0;
            }

            _wire.Tell(VhostUserRequest.SetOwner, default);
        }
        catch
        {
            _wire.Dispose();
            throw;
        }

        _server = server;
    }

    public ulong Features { get; }

    /// <summary>How long a reply may take from here on.</summary>
    public TimeSpan Patience
    {
        set => _wire.Patience = value;
    }

    public int Descriptor => _wire.Descriptor;

    public void SetUp(ulong features, ReadOnlySpan<VhostRegion> memory)
    {
        _wire.Tell(VhostUserRequest.SetFeatures, (features & Features) | _protocol);

        // As the kernel's table, but for the last field of a region, which is its offset in the file.
        Span<ulong> table = stackalloc ulong[1 + (4 * memory.Length)];
        Span<int> files = stackalloc int[memory.Length];
        table[0] = (uint)memory.Length;
        for (int i = 0; i < memory.Length; i++)
        {
            Span<ulong> region = table.Slice(1 + (4 * i), 4);
            region[0] = memory[i].GuestAddress;
            region[1] = memory[i].Length;
            region[2] = (ulong)memory[i].HostAddress;
            region[3] = memory[i].FileOffset;
            files[i] = memory[i].File;
        }

        _wire.Tell(VhostUserRequest.SetMemoryTable, MemoryMarshal.AsBytes(table), files);
    }

    public void SetRing(in VhostRing ring)
    {
        uint index = (uint)ring.Index;
        _wire.Tell(VhostUserRequest.SetRingSize, new Libc.vhost_vring_state { index = index, num = (uint)ring.Size });
        _wire.Tell(VhostUserRequest.SetRingBase, new Libc.vhost_vring_state { index = index, num = ring.Base });
        Libc.vhost_vring_addr address = new()
        {
            index = index,
            desc_user_addr = (ulong)ring.Descriptors,
            avail_user_addr = (ulong)ring.Available,
            used_user_addr = (ulong)ring.Used,
        };
        _wire.Tell(VhostUserRequest.SetRingAddress, address);
        _wire.Tell(VhostUserRequest.SetRingError, (ulong)index, [ring.Error]);
        _wire.Tell(VhostUserRequest.SetRingCall, (ulong)index, [ring.Call]);
        _wire.Tell(VhostUserRequest.SetRingKick, (ulong)index, [ring.Kick]);
        if (_protocol != 0)
        {
            _wire.Tell(VhostUserRequest.SetRingEnable, new Libc.vhost_vring_state { index = index, num = 1 });
        }
    }

    public ushort GetRingBase(int index)
    {
        Libc.vhost_vring_state asked = new() { index = (uint)index };
        _wire.Ask(VhostUserRequest.GetRingBase, MemoryMarshal.AsBytes(new ReadOnlySpan<Libc.vhost_vring_state>(in asked)), out Libc.vhost_vring_state state);
        return state.index == asked.index && state.num <= ushort.MaxValue
            ? (ushort)state.num
            : throw _wire.Break(VhostUserRequest.GetRingBase, Errno.EPROTO);
    }

    public void Abandon()
    {
        _wire.End();
        _server?.Dispose();
    }

    public void Dispose()
    {
        _wire.Dispose();
        _server?.Dispose();
    }
}
