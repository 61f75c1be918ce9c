using System;

namespace Strato.Engine.Linux;

/// <summary>An open vhost device of the kernel: /dev/vhost-net, /dev/vhost-vsock.</summary>
internal class VhostFile : IVhost
{
    private readonly FileDescriptor _file;

    /// <param name="file">Freshly opened; owned from here on. Its worker is bound to this process.</param>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    public VhostFile(FileDescriptor file)
    {
        _file = file;
        try
        {
            Check(Libc.ioctl(file.Value, Libc.VHOST_SET_OWNER, 0), "VHOST_SET_OWNER");
            ulong features = 0;
            Control(Libc.VHOST_GET_FEATURES, ref features, "VHOST_GET_FEATURES");
            Features = features;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public ulong Features { get; }

    protected int Fd => _file.Value;

    public void SetUp(ulong features, ReadOnlySpan<VhostRegion> memory)
    {
        features &= Features;
        Control(Libc.VHOST_SET_FEATURES, ref features, "VHOST_SET_FEATURES");
        Check(Libc.SetVhostMemory(Fd, memory), "VHOST_SET_MEM_TABLE");
    }

    public void SetRing(in VhostRing ring)
    {
        uint index = (uint)ring.Index;
        Libc.vhost_vring_state size = new() { index = index, num = (uint)ring.Size };
        Control(Libc.VHOST_SET_VRING_NUM, ref size, "VHOST_SET_VRING_NUM");
        Libc.vhost_vring_state start = new() { index = index, num = ring.Base };
        Control(Libc.VHOST_SET_VRING_BASE, ref start, "VHOST_SET_VRING_BASE");
        Libc.vhost_vring_addr address = new()
        {
            index = index,
            desc_user_addr = (ulong)ring.Descriptors,
            avail_user_addr = (ulong)ring.Available,
            used_user_addr = (ulong)ring.Used,
        };
        Control(Libc.VHOST_SET_VRING_ADDR, ref address, "VHOST_SET_VRING_ADDR");
        SetFile(Libc.VHOST_SET_VRING_ERR, index, ring.Error, "VHOST_SET_VRING_ERR");
        SetFile(Libc.VHOST_SET_VRING_CALL, index, ring.Call, "VHOST_SET_VRING_CALL");
        SetFile(Libc.VHOST_SET_VRING_KICK, index, ring.Kick, "VHOST_SET_VRING_KICK");
    }

    public ushort GetRingBase(int index)
    {
        Libc.vhost_vring_state state = new() { index = (uint)index };
        Control(Libc.VHOST_GET_VRING_BASE, ref state, "VHOST_GET_VRING_BASE");
        return (ushort)state.num;
    }

    public void Dispose()
    {
        _file.Dispose();
        GC.SuppressFinalize(this);
    }

    protected static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw LinuxException.Last(call);
        }
    }

    protected void Control<T>(uint request, ref T value, string call)
        where T : unmanaged => Check(Libc.VhostControl(Fd, request, ref value), call);

    protected void SetFile(uint request, uint index, int fd, string call)
    {
        Libc.vhost_vring_file file = new() { index = index, fd = fd };
        Control(request, ref file, call);
    }
}

/// <summary>/dev/vhost-net.</summary>
/// <param name="file">Freshly opened, or passed so; owned from here on.</param>
/// <exception cref="LinuxException">The kernel refuses.</exception>
internal sealed class VhostNetFile(FileDescriptor file) : VhostFile(file), IVhostNet
{
    public const string Path = "/dev/vhost-net";

    private const int Queues = 2;

    public void SetBackend(int tap)
    {
        for (uint index = 0; index < Queues; index++)
        {
            SetFile(Libc.VHOST_NET_SET_BACKEND, index, tap, "VHOST_NET_SET_BACKEND");
        }
    }
}

/// <summary>/dev/vhost-vsock.</summary>
internal sealed class VhostVsockFile : VhostFile, IVhostVsock
{
    public const string Path = "/dev/vhost-vsock";

    /// <param name="file">Freshly opened; owned from here on.</param>
    /// <param name="guestCid">The guest's address, which is its own from here to the end.</param>
    /// <exception cref="LinuxException">EADDRINUSE: another machine has the address.</exception>
    public VhostVsockFile(FileDescriptor file, ulong guestCid)
        : base(file)
    {
        try
        {
            Control(Libc.VHOST_VSOCK_SET_GUEST_CID, ref guestCid, "VHOST_VSOCK_SET_GUEST_CID");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void SetRunning(bool running)
    {
        int value = running ? 1 : 0;
        Control(Libc.VHOST_VSOCK_SET_RUNNING, ref value, "VHOST_VSOCK_SET_RUNNING");
    }
}
