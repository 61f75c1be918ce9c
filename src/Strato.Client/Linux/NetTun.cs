using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Client.Linux;

/// <summary><c>net/if.h</c> and <c>linux/if_tun.h</c>: taps.</summary>
internal static unsafe partial class Libc
{
    internal const int IFNAMSIZ = 16;
    internal const ushort IFF_TAP = 0x2;
    internal const ushort IFF_MULTI_QUEUE = 0x100;
    internal const ushort IFF_NO_PI = 0x1000;
    internal const ushort IFF_VNET_HDR = 0x4000;
    internal const nuint TUNSETIFF = 0x400454ca;

    /// <summary>struct ifreq as far as taps use it.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    internal struct ifreq
    {
        public fixed byte ifr_name[IFNAMSIZ];
        public ushort ifr_flags;
    }

    [LibraryImport("libc")]
    private static partial uint if_nametoindex(byte* name);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int ioctl_ifreq(int fd, nuint request, ifreq* argument);

    /// <summary>Whether the host has an interface of this name.</summary>
    internal static bool HasInterface(string name)
    {
        ifreq request = Named(name);
        return if_nametoindex(request.ifr_name) != 0;
    }

    /// <summary>Binds an open /dev/net/tun to a queue of the tap of a name; -1 with errno on failure.</summary>
    internal static int SetTapInterface(int fd, string name, ushort flags)
    {
        ifreq request = Named(name);
        request.ifr_flags = flags;
        return ioctl_ifreq(fd, TUNSETIFF, &request);
    }

    /// <summary>A name longer than the kernel's is cut, and then is no interface's.</summary>
    private static ifreq Named(string name)
    {
        ifreq request = default;
        Encoding.UTF8.GetEncoder().Convert(name, new Span<byte>(request.ifr_name, IFNAMSIZ - 1), flush: true, out _, out _, out _);
        return request;
    }
}
