using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Net;

/// <summary>Connects to the unix socket of a program that serves frames, or takes a connection that was passed.</summary>
internal static class StreamOpener
{
    /// <param name="path">The socket's.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option that named it, for errors.</param>
    /// <exception cref="UserErrorException">StreamFailed.</exception>
    public static StreamBackend Open(string path, string id, string where)
    {
        FileSets.CheckPaths(path, "pass a connection by getfd, and give 'fd' its name");
        if (!Libc.IsUnixSocketPath(path))
        {
            throw Error(id, where, $"'{path}' can't be a unix socket's path; one has 1 to {Libc.UNIX_PATH_MAX - 1} bytes");
        }

        FileDescriptor socket = Libc.CreateUnixSocket();
        if (Libc.Connect(socket.Value, path) == 0)
        {
            return new StreamBackend(socket, path);
        }

        int errno = Errno.Last;
        socket.Dispose();
        throw Error(id, where, errno switch
        {
            Errno.ENOENT => $"there is no socket '{path}'; the program that serves it has to run first",
            Errno.ECONNREFUSED => $"nobody listens on '{path}'",
            Errno.EAGAIN => $"the program that listens on '{path}' takes no more connections",
            _ => $"'{path}' can't be connected to: {Errno.Text(errno)}",
        });
    }

    /// <param name="fd">A connected stream socket that was passed to the engine, which owns it from now on.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option that named it, for errors.</param>
    /// <exception cref="UserErrorException">StreamFailed.</exception>
    public static StreamBackend Take(int fd, string id, string where)
    {
        if (Libc.fcntl(fd, Libc.F_SETFD, Libc.FD_CLOEXEC) < 0)
        {
            throw Error(id, where, $"descriptor {fd} isn't open: {Errno.Text(Errno.Last)}");
        }

        FileDescriptor socket = new(fd);
        if (!Libc.IsConnectedStream(fd))
        {
            socket.Dispose();
            throw Error(id, where, $"descriptor {fd} isn't a connected stream socket");
        }

        Libc.SetNonBlocking(fd);
        return new StreamBackend(socket, $"descriptor {fd}");
    }

    private static UserErrorException Error(string id, string where, string problem) => new("StreamFailed", $"net '{id}': {problem}", where);
}
