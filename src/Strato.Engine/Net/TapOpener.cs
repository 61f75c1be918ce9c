using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Net;

/// <summary>Opens taps, by the interface's name or as descriptors that were passed, and says what is wrong with one that can't be had.</summary>
internal static class TapOpener
{
    private const string Control = "/dev/net/tun";
    private const ushort Flags = Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR;

    /// <summary>Opens each queue of a tap; of those behind the first none is used yet.</summary>
    /// <param name="netdev">What the user wants. Descriptors that were passed are owned from now on, and closed on failure.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <exception cref="UserErrorException">TapFailed, or TapScriptFailed.</exception>
    public static TapDevice[] Open(NetdevConfiguration netdev, string id)
    {
        List<TapDevice> queues = [];
        int taken = 0;
        try
        {
            if (Seccomp.IsOn && (netdev.Script ?? netdev.DownScript) is { } program)
            {
                throw Error(id, netdev.Where, $"'{program}' can't be run, for seccomp forbids to start programs while the machine runs; set the interface up beforehand, or start the engine with -disable-seccomp");
            }

            if (netdev.Interface is { } name)
            {
                FileSets.CheckPaths(Control, "pass a descriptor of the tap by getfd, and give 'fd' its name");
                CheckName(name, netdev.Script is not null, id, netdev.Where);
                for (int i = 0; i < netdev.Queues; i++)
                {
                    queues.Add(OpenQueue(name, netdev, i, id));
                }
            }

            foreach (long descriptor in netdev.Descriptors)
            {
                taken++;
                queues.Add(Take((int)descriptor, queues.Count, id, netdev.Where));
            }

            if (netdev.SendBuffer is { } bytes)
            {
                queues.ForEach(queue => queue.SetSendBuffer(bytes == 0 ? int.MaxValue : (int)bytes));
            }

            if (netdev.Script is { } script)
            {
                RunScript(script, queues[0].Name, id);
            }

            queues[0].DownScript = netdev.DownScript is { } down ? PrepareDownScript(down, queues[0].Name, id) : null;
            return [.. queues];
        }
        catch
        {
            queues.ForEach(queue => queue.Dispose());
            for (; taken < netdev.Descriptors.Count; taken++)
            {
                _ = Libc.close((int)netdev.Descriptors[taken]);
            }

            throw;
        }
    }

    /// <param name="name">The interface's.</param>
    /// <param name="made">Whether one that isn't there is made: by who has a script that sets it up.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option that named it, for errors.</param>
    private static void CheckName(string name, bool made, string id, string where)
    {
        if (!Libc.IsInterfaceName(name))
        {
            throw Error(id, where, $"'{name}' can't be an interface's name; one has 1 to 15 bytes without '/', ':' and blanks");
        }

        // The kernel would make a tap of that name, with no address and in no bridge, that vanishes with the engine.
        if (!made && !Libc.HasInterface(name))
        {
            throw Error(id, where, $"the host has no interface '{name}'; 'ip tuntap add {name} mode tap' and 'ip link set {name} up' make one");
        }
    }

    private static TapDevice OpenQueue(string name, NetdevConfiguration netdev, int index, string id)
    {
        string where = netdev.Where;
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
        bool many = netdev.Queues > 1;
        if (Libc.SetTapInterface(fd, name, many ? (ushort)(Flags | Libc.IFF_MULTI_QUEUE) : Flags) < 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            (string kind, string mode) = many ? ("with several queues", "tap multi_queue") : ("with one queue", "tap");
            throw Error(id, where, errno switch
            {
                Errno.EBUSY => $"the tap '{name}' is in use by another process",
                Errno.EPERM or Errno.EACCES => $"no permission for the tap '{name}'; it is its owner's ('ip tuntap add {name} mode tap user USER'), or needs CAP_NET_ADMIN",
                Errno.EINVAL => $"the interface '{name}' isn't a tap {kind} ('ip tuntap add {name} mode {mode}' makes one)",
                _ => $"the tap '{name}' can't be used: {Errno.Text(errno)}",
            });
        }

        return Prepare(file, name, index, id, where);
    }

    /// <summary>Takes one queue of a tap that was passed.</summary>
    private static TapDevice Take(int fd, int index, string id, string where)
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

        ushort needed = index > 0 ? (ushort)(Flags | Libc.IFF_MULTI_QUEUE) : Flags;
        if ((flags & needed) != needed)
        {
            file.Dispose();
            string names = index > 0 ? "IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and IFF_MULTI_QUEUE" : "IFF_TAP, IFF_NO_PI and IFF_VNET_HDR";
            throw Error(id, where, $"descriptor {fd} of '{name}' was opened with flags 0x{flags:x}; {names} (0x{needed:x}) have to be among them");
        }

        Libc.SetNonBlocking(fd);
        return Prepare(file, name, index, id, where);
    }

    private static TapDevice Prepare(FileDescriptor file, string name, int index, string id, string where)
    {
        if (Libc.SetTapHeaderSize(file.Value, VirtioNetHeader.Bytes) < 0)
        {
            int errno = Errno.Last;
            file.Dispose();
            throw Error(id, where, $"the tap '{name}' can't have headers of {VirtioNetHeader.Bytes} bytes: {Errno.Text(errno)}");
        }

        // What an earlier user of the tap set stays: nothing is unfinished until the driver says that it can finish it.
        TapDevice tap = new(file, name, Libc.SetTapOffload(file.Value, 0) == 0);
        if (index > 0 && !tap.TryUse(false))
        {
            int errno = Errno.Last;
            tap.Dispose();
            throw Error(id, where, $"queue {index} of the tap '{name}' can't be held back: {Errno.Text(errno)}");
        }

        return tap;
    }

    private static void RunScript(string script, string name, string id)
    {
        if (ChildRun.Run(script, [script, name]) is { } failure)
        {
            throw new UserErrorException("TapScriptFailed", $"net '{id}': '{script} {name}' failed: {failure}", "-netdev script");
        }
    }

    private static DownScript PrepareDownScript(string script, string name, string id)
    {
        try
        {
            return new DownScript(script, name);
        }
        catch (LinuxException e)
        {
            throw new UserErrorException("TapScriptFailed", $"net '{id}': '{script} {name}' can't be prepared: {e.Message}", "-netdev downscript", e);
        }
    }

    private static UserErrorException Error(string id, string where, string problem) => new("TapFailed", $"net '{id}': {problem}", where);
}
