using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Net;

/// <summary>Opens taps, by the interface's name or as a descriptor that was passed, and says what is wrong with one that can't be had.</summary>
internal static class TapOpener
{
    private const string Control = "/dev/net/tun";
    private const ushort Flags = Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR;

    /// <param name="name">The interface, which is there already.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option or field that named it, for errors.</param>
    /// <exception cref="UserErrorException">TapFailed.</exception>
    public static TapDevice Open(string name, string id, string where)
    {
        if (!Libc.IsInterfaceName(name))
        {
            throw Error(id, where, $"'{name}' can't be an interface's name; one has 1 to 15 bytes without '/', ':' and blanks");
        }

        // The kernel would make a tap of that name, with no address and in no bridge, that vanishes with the engine.
        if (!Libc.HasInterface(name))
        {
            throw Error(id, where, $"the host has no interface '{name}'; 'ip tuntap add {name} mode tap' and 'ip link set {name} up' make one");
        }

        int fd = Libc.Open(Control, Libc.O_RDWR | Libc.O_NONBLOCK);
        if (fd < 0)
        {
            string advice = Errno.Last switch
            {
                Errno.ENOENT or Errno.ENXIO or Errno.ENODEV => "; 'modprobe tun' loads the driver",
                Errno.EACCES or Errno.EPERM => "; it needs the right to read and write it",
                _ => "",
            };
            throw Error(id, where, $"{Control} can't be opened: {Errno.Text(Errno.Last)}{advice}");
        }

        FileDescriptor file = new(fd);
        if (Libc.SetTapInterface(fd, name, Flags) < 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            throw Error(id, where, errno switch
            {
                Errno.EBUSY => $"the tap '{name}' is in use by another process",
                Errno.EPERM or Errno.EACCES => $"no permission for the tap '{name}'; it is its owner's ('ip tuntap add {name} mode tap user USER'), or needs CAP_NET_ADMIN",
                Errno.EINVAL => $"the interface '{name}' isn't a tap with one queue ('ip tuntap add {name} mode tap' makes one)",
                _ => $"the tap '{name}' can't be used: {Errno.Text(errno)}",
            });
        }

        return Prepare(file, name, id, where);
    }

    /// <param name="fd">A descriptor of a tap that was passed to the engine, which owns it from now on.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option or field that named it, for errors.</param>
    /// <exception cref="UserErrorException">TapFailed.</exception>
    public static TapDevice Take(int fd, string id, string where)
    {
        if (Libc.fcntl(fd, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0)
        {
            throw Error(id, where, $"descriptor {fd} isn't open: {Errno.Text(Errno.Last)}");
        }

        FileDescriptor file = new(fd);
        if (!Libc.TryGetTapInterface(fd, out string name, out ushort flags))
        {
            file.Dispose();
            throw Error(id, where, $"descriptor {fd} isn't a tap's");
        }

        if ((flags & Flags) != Flags)
        {
            file.Dispose();
            throw Error(id, where, $"descriptor {fd} of '{name}' was opened with flags 0x{flags:x}; IFF_TAP, IFF_NO_PI and IFF_VNET_HDR (0x{Flags:x}) have to be among them");
        }

        Libc.SetNonBlocking(fd);
        return Prepare(file, name, id, where);
    }

    private static TapDevice Prepare(FileDescriptor file, string name, string id, string where)
    {
        if (Libc.SetTapHeaderSize(file.Value, VirtioNetHeader.Bytes) < 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            throw Error(id, where, $"the tap '{name}' can't have headers of {VirtioNetHeader.Bytes} bytes: {Errno.Text(errno)}");
        }

        // What an earlier user of the tap set stays: nothing is unfinished until the driver says that it can finish it.
        return new TapDevice(file, name, Libc.SetTapOffload(file.Value, 0) == 0);
    }

    private static UserErrorException Error(string id, string where, string problem) => new("TapFailed", $"net '{id}': {problem}", where);
}
