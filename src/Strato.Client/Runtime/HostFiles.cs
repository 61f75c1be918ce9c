using System;
using System.Collections.Generic;
using System.IO;
using Strato.Client.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>Opens what an engine in its sandbox can't: files and devices that are passed to it.</summary>
internal static class HostFiles
{
    /// <summary>For an open that waits for nobody, as that of a named pipe would, and takes no terminal; for reading.</summary>
    internal const int Waitless = Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY;

    private const string Tun = "/dev/net/tun";
    private const string VhostNet = "/dev/vhost-net";

    /// <summary>A drive's file, for as much as the drive may do with it. Errors DriveNotFound, DrivePermission, DriveFailed.</summary>
    internal static FileDescriptor OpenDisk(DriveDefinition drive)
    {
        bool readOnly = IsReadOnly(drive);
        bool direct = IsDirect(drive);
        int fd = Libc.Open(drive.Path, DiskFlags(drive));
        int errno = Errno.Last;
        return fd >= 0 ? new FileDescriptor(fd) : throw (errno switch
        {
            Errno.ENOENT => Error(StratoErrorKind.NotFound, "DriveNotFound", "-Path", $"'{drive.Path}' doesn't exist."),
            Errno.EACCES or Errno.EPERM => Error(StratoErrorKind.Permission, "DrivePermission", "-Path", $"'{drive.Path}' can't be opened for {(readOnly ? "reading" : "writing; -ReadOnly opens it for reading")}: permission denied."),
            Errno.EROFS => Error(StratoErrorKind.InvalidArgument, "DriveReadOnly", "-Path", $"'{drive.Path}' can't be opened for writing: it is read-only, or lies on a read-only file system; -ReadOnly opens it for reading."),
            Errno.EISDIR => Error(StratoErrorKind.InvalidArgument, "DriveNotAFile", "-Path", $"'{drive.Path}' is a directory; allowed are regular files and block devices."),
            Errno.EINVAL when direct => Error(StratoErrorKind.InvalidArgument, "DriveDirect", "-Direct", $"'{drive.Path}' can't be opened with -Direct: its file system has no O_DIRECT."),
            _ => Error(StratoErrorKind.Failed, "DriveFailed", "-Path", $"'{drive.Path}' can't be opened: {Errno.Text(errno)}."),
        });
    }

    /// <summary>How a drive's file is opened: for as much as the drive may do with it.</summary>
    internal static int DiskFlags(DriveDefinition drive) =>
        (IsReadOnly(drive) ? Libc.O_RDONLY : Libc.O_RDWR) | (IsDirect(drive) ? Libc.O_DIRECT : 0) | Waitless;

    /// <summary>A file without a name for what a disk's guest writes and is thrown away; null for a disk that has none. Error DriveSnapshot.</summary>
    internal static FileDescriptor? OpenChanges(DriveDefinition drive)
    {
        if (drive.ReadOnly || drive.Io.Snapshot != true)
        {
            return null;
        }

        string path = Path.Combine(Path.GetTempPath(), $"strato-{Guid.NewGuid():N}");
        int fd = Libc.Open(path, Libc.O_CREAT | Libc.O_EXCL | Libc.O_RDWR, 0x180); // 0600
        if (fd < 0)
        {
            throw Error(StratoErrorKind.Failed, "DriveSnapshot", "-Snapshot", $"'{drive.Path}' can't have -Snapshot: the changes need a file in {Path.GetTempPath()}: {Errno.Text(Errno.Last)}.");
        }

        FileDescriptor file = new(fd);
        File.Delete(path);
        return file;
    }

    // A disk whose changes are thrown away is read only.
    private static bool IsReadOnly(DriveDefinition drive) => drive.ReadOnly || drive.Io.Snapshot == true;

    private static bool IsDirect(DriveDefinition drive) => drive.Io.Direct ?? drive.Io.Cache is DriveCache.None or DriveCache.DirectSync;

    /// <summary>Each queue of a tap. Error TapFailed.</summary>
    internal static List<FileDescriptor> OpenTap(string name, int queues) => Libc.HasInterface(name)
        ? MakeTap(name, queues)
        : throw Tap($"The host has no interface '{name}'; 'ip tuntap add {name} mode tap' and 'ip link set {name} up' make one.");

    /// <summary>As <see cref="OpenTap"/>, of a tap that is made where there is none, and goes with its last descriptor then.</summary>
    internal static List<FileDescriptor> MakeTap(string name, int queues)
    {
        ushort flags = Libc.IFF_TAP | Libc.IFF_NO_PI | Libc.IFF_VNET_HDR;
        return OpenEach(queues, () =>
        {
            FileDescriptor file = Open(Tun, errno => Tap($"{Tun} can't be opened: {Errno.Text(errno)}."));
            if (Libc.SetTapInterface(file.Value, name, queues > 1 ? (ushort)(flags | Libc.IFF_MULTI_QUEUE) : flags) < 0)
            {
                int errno = Errno.Last;
                file.Dispose();
                throw Tap(errno switch
                {
                    Errno.EBUSY => $"The tap '{name}' is in use by another process.",
                    Errno.EPERM or Errno.EACCES => $"There is no permission for the tap '{name}'; it is its owner's ('ip tuntap add {name} mode tap user USER'), or needs CAP_NET_ADMIN.",
                    Errno.EINVAL => $"The interface '{name}' isn't a tap with {(queues > 1 ? "several queues" : "one queue")} ('ip tuntap add {name} mode tap{(queues > 1 ? " multi_queue" : "")}' makes one).",
                    _ => $"The tap '{name}' can't be used: {Errno.Text(errno)}.",
                });
            }

            return file;
        });
    }

    /// <summary>What serves each queue pair in the kernel. Error VhostUnavailable.</summary>
    internal static List<FileDescriptor> OpenVhostNet(int pairs) => OpenEach(pairs, () => Open(
        VhostNet,
        errno => Error(StratoErrorKind.Unavailable, "VhostUnavailable", "-Vhost", $"{VhostNet} can't be opened: {Errno.Text(errno)}; 'modprobe vhost_net' loads the kernel's part of it.")));

    private static List<FileDescriptor> OpenEach(int count, Func<FileDescriptor> open)
    {
        List<FileDescriptor> files = [];
        try
        {
            while (files.Count < count)
            {
                files.Add(open());
            }

            return files;
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    private static FileDescriptor Open(string path, Func<int, StratoException> refused)
    {
        int fd = Libc.Open(path, Libc.O_RDWR);
        return fd >= 0 ? new FileDescriptor(fd) : throw refused(Errno.Last);
    }

    private static StratoException Tap(string message) => Error(StratoErrorKind.Failed, "TapFailed", "-TapName", message);

    private static StratoException Error(StratoErrorKind kind, string id, string where, string message) => new(kind, id, message) { Where = where };
}
