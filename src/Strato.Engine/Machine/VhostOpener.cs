using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>Opens the kernel's vhost devices, and says what a user can do where it can't.</summary>
internal static class VhostOpener
{
    /// <exception cref="UserErrorException">VhostUnavailable, or CidTaken.</exception>
    public static VhostVsockFile OpenVsock(VsockConfiguration vsock)
    {
        string where = vsock.WhereIs("guest-cid", "guest_cid");
        try
        {
            return new VhostVsockFile(Open(VhostVsockFile.Path, "vhost_vsock", $"vsock '{vsock.Name}'", vsock.Where), (ulong)vsock.GuestCid);
        }
        catch (LinuxException e) when (e.Errno == Errno.EADDRINUSE)
        {
            throw new UserErrorException(
                "CidTaken",
                $"vsock '{vsock.Name}': the guest CID {vsock.GuestCid} is taken by another machine; each has its own, {VsockConfiguration.MinCid} to {VsockConfiguration.MaxCid}",
                where,
                e);
        }
    }

    /// <summary>What serves each queue pair of a network interface: opened, or taken where it was passed, and then closed on failure.</summary>
    /// <exception cref="UserErrorException">VhostUnavailable.</exception>
    public static VhostNetFile[] OpenNet(NetdevConfiguration netdev, string id, int pairs)
    {
        List<VhostNetFile> files = [];
        int taken = 0;
        string where = netdev.VhostDescriptors.Count > 0 ? "-netdev vhostfd" : "-netdev vhost";
        try
        {
            for (int i = 0; i < pairs; i++)
            {
                taken++;
                FileDescriptor file = i < netdev.VhostDescriptors.Count
                    ? new FileDescriptor((int)netdev.VhostDescriptors[i])
                    : Open(VhostNetFile.Path, "vhost_net", $"net '{id}'", where);
                files.Add(new VhostNetFile(file));
            }

            return [.. files];
        }
        catch (LinuxException e)
        {
            files.ForEach(file => file.Dispose());
            CloseFrom(netdev, taken);
            throw new UserErrorException("VhostUnavailable", $"net '{id}': {VhostNetFile.Path} can't be used: {e.Message}", where, e);
        }
        catch (UserErrorException)
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>Closes the descriptors that were passed, from one on.</summary>
    public static void CloseFrom(NetdevConfiguration netdev, int index)
    {
        for (; index < netdev.VhostDescriptors.Count; index++)
        {
            _ = Libc.close((int)netdev.VhostDescriptors[index]);
        }
    }

    /// <param name="path">Such as /dev/vhost-net.</param>
    /// <param name="module">The kernel's module that has the device.</param>
    /// <param name="what">What needs it, for errors.</param>
    /// <param name="where">The option or field that asks for it, for errors.</param>
    /// <exception cref="UserErrorException">VhostUnavailable, or SandboxedEngine.</exception>
    public static FileDescriptor Open(string path, string module, string what, string where)
    {
        FileSets.CheckPaths(path, "pass a descriptor of it by getfd, and give 'vhostfd' its name");
        int fd = Libc.Open(path, Libc.O_RDWR);
        if (fd >= 0)
        {
            return new FileDescriptor(fd);
        }

        string problem = Errno.Last switch
        {
            Errno.ENOENT or Errno.ENODEV or Errno.ENXIO => $"isn't there; 'modprobe {module}' loads the kernel's part of it",
            Errno.EACCES or Errno.EPERM => "can't be opened: permission denied; reading and writing it must be allowed",
            int errno => $"can't be opened: {Errno.Text(errno)}",
        };
        throw new UserErrorException("VhostUnavailable", $"{what}: {path} {problem}", where);
    }
}
