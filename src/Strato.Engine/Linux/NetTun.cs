using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>net/if.h</c> and <c>linux/if_tun.h</c>: network interfaces of the host, and taps.</summary>
internal static unsafe partial class Libc
{
    /// <summary>Bytes of an interface's name with the zero byte at its end.</summary>
    internal const int IFNAMSIZ = 16;

    internal const ushort IFF_TAP = 0x2;
    internal const ushort IFF_MULTI_QUEUE = 0x100;
    internal const ushort IFF_ATTACH_QUEUE = 0x200;
    internal const ushort IFF_DETACH_QUEUE = 0x400;
    internal const ushort IFF_NO_PI = 0x1000;
    internal const ushort IFF_VNET_HDR = 0x4000;

    internal const uint TUN_F_CSUM = 0x1;
    internal const uint TUN_F_TSO4 = 0x2;
    internal const uint TUN_F_TSO6 = 0x4;

    internal const uint SIOCGIFINDEX = 0x8933;

    internal const uint TUNSETIFF = 0x400454ca;
    internal const uint TUNSETOFFLOAD = 0x400454d0;
    internal const uint TUNGETIFF = 0x800454d2;
    internal const uint TUNSETSNDBUF = 0x400454d4;
    internal const uint TUNSETVNETHDRSZ = 0x400454d8;
    internal const uint TUNSETQUEUE = 0x400454d9;

    /// <summary>struct ifreq as far as taps use it: the interface's name, and flags.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    internal struct ifreq
    {
        public fixed byte ifr_name[IFNAMSIZ];
        public ushort ifr_flags;
    }

    [LibraryImport("libc")]
    internal static partial uint if_nametoindex(byte* name);

    /// <summary>Whether the host has an interface of this name, which is one for which <see cref="IsInterfaceName"/> holds.</summary>
    internal static bool HasInterface(string name)
    {
        ifreq request = NamedRequest(name);
        return if_nametoindex(request.ifr_name) != 0;
    }

    /// <summary>Whether the kernel takes a text as an interface's name: 1 to 15 bytes without slash, colon or white space, and neither "." nor "..".</summary>
    internal static bool IsInterfaceName(string name)
    {
        foreach (char c in name)
        {
            if (c is '/' or ':' or '\0' || char.IsWhiteSpace(c))
            {
                return false;
            }
        }

        return name is not ("" or "." or "..") && Encoding.UTF8.GetByteCount(name) < IFNAMSIZ;
    }

    /// <summary>Binds an open /dev/net/tun to the tap of a name; -1 with errno on failure.</summary>
    internal static int SetTapInterface(int fd, string name, ushort flags)
    {
        ifreq request = NamedRequest(name);
        request.ifr_flags = flags;
        return ioctl(fd, TUNSETIFF, &request);
    }

    /// <summary>Name and flags of the tap that a descriptor is bound to; false when it is bound to none.</summary>
    internal static bool TryGetTapInterface(int fd, out string name, out ushort flags)
    {
        ifreq request = default;
        bool bound = ioctl(fd, TUNGETIFF, &request) == 0;
        name = bound ? Marshal.PtrToStringUTF8((nint)request.ifr_name)! : "";
        flags = request.ifr_flags;
        return bound;
    }

    /// <summary>Sets bytes of the virtio header that stands before each frame; -1 with errno on failure.</summary>
    internal static int SetTapHeaderSize(int fd, int bytes) => ioctl(fd, TUNSETVNETHDRSZ, &bytes);

    /// <summary>Tells the kernel which unfinished frames (TUN_F_…) the tap's reader takes; -1 with errno on failure.</summary>
    internal static int SetTapOffload(int fd, uint offload) => ioctl(fd, TUNSETOFFLOAD, (nint)offload);

    /// <summary>Limits the bytes that are under way from a tap to the host; -1 with errno on failure.</summary>
    internal static int SetTapSendBuffer(int fd, int bytes) => ioctl(fd, TUNSETSNDBUF, &bytes);

    /// <summary>IFF_ATTACH_QUEUE or IFF_DETACH_QUEUE of a tap with several queues; -1 with errno on failure.</summary>
    internal static int SetTapQueue(int fd, ushort flags)
    {
        ifreq request = default;
        request.ifr_flags = flags;
        return ioctl(fd, TUNSETQUEUE, &request);
    }

    private static ifreq NamedRequest(string name)
    {
        ifreq request = default;
        Encoding.UTF8.GetBytes(name, new Span<byte>(request.ifr_name, IFNAMSIZ - 1));
        return request;
    }
}
