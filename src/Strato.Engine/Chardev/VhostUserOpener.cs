using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>Connects to the unix socket of a program that serves virtqueues.</summary>
internal static class VhostUserOpener
{
    /// <summary>How long a reply may take: one that stops a queue comes when the requests under way are done.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <param name="path">The socket's.</param>
    /// <param name="features">Features that the program must be able to work with.</param>
    /// <param name="patience">How long a reply may take.</param>
    /// <param name="label">The user's name of the device, for errors.</param>
    /// <param name="where">The option that named it, for errors.</param>
    /// <exception cref="UserErrorException">VhostUserFailed.</exception>
    public static VhostUserSocket Open(string path, ulong features, TimeSpan patience, string label, string where)
    {
        FileDescriptor socket = Libc.CreateUnixSocket();
        if (Libc.Connect(socket.Value, path) < 0)
        {
            int errno = Errno.Last;
            socket.Dispose();
            throw Error(label, where, errno switch
            {
                Errno.ENOENT => $"there is no socket '{path}'; the program that serves it has to run first",
                Errno.ECONNREFUSED => $"nobody listens on '{path}'",
                Errno.EAGAIN => $"the program that listens on '{path}' takes no more connections",
                _ => $"'{path}' can't be connected to: {Errno.Text(errno)}",
            });
        }

        try
        {
            return new VhostUserSocket(socket, features, patience);
        }
        catch (LinuxException e)
        {
            throw Error(label, where, e.Errno switch
            {
                Errno.ETIMEDOUT => $"the program that listens on '{path}' doesn't answer; it may serve another machine",
                Errno.EOPNOTSUPP => $"the program that listens on '{path}' lacks features of virtio 1 ({e.Message})",
                _ => $"the program that listens on '{path}' doesn't speak vhost-user: {e.Message}",
            });
        }
    }

    private static UserErrorException Error(string label, string where, string problem) => new("VhostUserFailed", $"fs '{label}': {problem}", where);
}
