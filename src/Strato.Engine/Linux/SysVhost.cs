using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>linux/vhost.h</c> and <c>linux/vhost_types.h</c>: virtqueues that the kernel serves.</summary>
internal static unsafe partial class Libc
{
    internal const uint VHOST_GET_FEATURES = 0x8008af00;
    internal const uint VHOST_SET_FEATURES = 0x4008af00;
    internal const uint VHOST_SET_OWNER = 0x0000af01;
    internal const uint VHOST_SET_MEM_TABLE = 0x4008af03;
    internal const uint VHOST_SET_VRING_NUM = 0x4008af10;
    internal const uint VHOST_SET_VRING_ADDR = 0x4028af11;
    internal const uint VHOST_SET_VRING_BASE = 0x4008af12;
    internal const uint VHOST_GET_VRING_BASE = 0xc008af12;
    internal const uint VHOST_SET_VRING_KICK = 0x4008af20;
    internal const uint VHOST_SET_VRING_CALL = 0x4008af21;
    internal const uint VHOST_SET_VRING_ERR = 0x4008af22;
    internal const uint VHOST_NET_SET_BACKEND = 0x4008af30;
    internal const uint VHOST_VSOCK_SET_GUEST_CID = 0x4008af60;
    internal const uint VHOST_VSOCK_SET_RUNNING = 0x4004af61;

    /// <summary>Regions of a memory table that we make: more than any machine of ours has.</summary>
    internal const int VHOST_MAX_REGIONS = 8;

    [StructLayout(LayoutKind.Sequential)]
    internal struct vhost_vring_state
    {
        public uint index;
        public uint num;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct vhost_vring_file
    {
        public uint index;
        public int fd;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct vhost_vring_addr
    {
        public uint index;
        public uint flags;
        public ulong desc_user_addr;
        public ulong used_user_addr;
        public ulong avail_user_addr;
        public ulong log_guest_addr;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct vhost_memory_region
    {
        public ulong guest_phys_addr;
        public ulong memory_size;
        public ulong userspace_addr;
        public ulong flags_padding;
    }

    /// <summary>struct vhost_memory, whose regions follow it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct vhost_memory
    {
        public uint nregions;
        public uint padding;
    }

    /// <summary>VHOST_SET_MEM_TABLE: all memory that queues and their buffers may lie in.</summary>
    internal static int SetVhostMemory(int fd, ReadOnlySpan<VhostRegion> regions)
    {
        byte* table = stackalloc byte[sizeof(vhost_memory) + (VHOST_MAX_REGIONS * sizeof(vhost_memory_region))];
        *(vhost_memory*)table = new vhost_memory { nregions = (uint)regions.Length };
        Span<vhost_memory_region> entries = new(table + sizeof(vhost_memory), VHOST_MAX_REGIONS);
        for (int i = 0; i < regions.Length; i++)
        {
            entries[i] = new vhost_memory_region
            {
                guest_phys_addr = regions[i].GuestAddress,
                memory_size = regions[i].Length,
                userspace_addr = (ulong)regions[i].HostAddress,
            };
        }

        return ioctl(fd, VHOST_SET_MEM_TABLE, table);
    }

    /// <summary>An ioctl that reads or writes one value.</summary>
    internal static int VhostControl<T>(int fd, uint request, ref T value)
        where T : unmanaged
    {
        fixed (T* pointer = &value)
        {
            return ioctl(fd, request, pointer);
        }
    }
}
