using System;
using Strato.Engine.Diagnostics;
using Strato.Protocol;

namespace Strato.Engine.Linux;

/// <summary>A listening unix socket, its owner's alone (mode 0600), that accepts on an <see cref="EventLoop"/>.</summary>
/// <remarks>
/// The path must be free: a socket that is left over can't be told from one in use without connecting to it, and to take
/// away another process's socket is worse than to ask. Disposal removes the path only while it is still this socket's.
/// </remarks>
internal sealed class UnixListener : IDisposable
{
    private const int Backlog = 64;

    private readonly EventLoop _loop;
    private readonly FileDescriptor _socket;
    private readonly Action<FileDescriptor> _accepted;
    private readonly Libc.statx_t _own;
    private readonly RateLimit _refusals = new();
    private FileDescriptor? _reserve;
    private bool _disposed;

    private UnixListener(EventLoop loop, FileDescriptor socket, string path, Action<FileDescriptor> accepted)
    {
        _loop = loop;
        _socket = socket;
        _accepted = accepted;
        Path = path;
        _ = Libc.LinkStat(path, out _own);
        _reserve = OpenReserve();
        loop.Add(socket.Value, EpollEvents.In, OnReady);
    }

    public string Path { get; }

    /// <summary>Binds and listens, and hands every connection (non-blocking, owned by the taker) to <paramref name="accepted"/>.</summary>
    /// <param name="loop">The loop whose thread accepts.</param>
    /// <param name="path">At most 107 bytes; nothing may stand there.</param>
    /// <param name="where">The option or field that gave the path, for errors.</param>
    /// <param name="accepted">Called on the loop's thread.</param>
    /// <exception cref="UserErrorException">SocketPathTooLong, SocketExists, SocketFailed.</exception>
    public static UnixListener Create(EventLoop loop, string path, string where, Action<FileDescriptor> accepted)
    {
        if (!Libc.IsUnixSocketPath(path))
        {
            throw new UserErrorException(
                "SocketPathTooLong",
                $"The socket path '{path}' has {System.Text.Encoding.UTF8.GetByteCount(path)} bytes; a unix socket's path has 1 to {Libc.UNIX_PATH_MAX - 1}.",
                where);
        }

        FileSets.CheckPaths(path, "a socket has to be there from the start");
        FileDescriptor socket = Libc.CreateUnixSocket();
        try
        {
            // The mode of the descriptor's inode becomes the path's, less the umask (unix(7), unix_bind): at no moment is the path open to others.
            // Of a socket that comes late the umask alone sees to that.
            _ = Libc.fchmod(socket.Value, 0x180);
            if (Libc.Bind(socket.Value, path) < 0)
            {
                int errno = Errno.Last;
                throw errno == Errno.EADDRINUSE
                    ? new UserErrorException("SocketExists", $"The socket path '{path}' exists; remove it if no running process uses it.", where)
                    : new UserErrorException("SocketFailed", $"The socket '{path}' can't be made: {Errno.Text(errno)}.", where);
            }

            if (Libc.listen(socket.Value, Backlog) < 0)
            {
                int errno = Errno.Last;
                _ = Libc.Unlink(path);
                throw new UserErrorException("SocketFailed", $"The socket '{path}' can't be listened on: {Errno.Text(errno)}.", where);
            }

            return new UnixListener(loop, socket, path, accepted);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Stops listening and removes the path. Connections that were handed out live on.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _loop.Remove(_socket.Value);
        if (Libc.LinkStat(Path, out Libc.statx_t now) == 0
            && now.stx_ino == _own.stx_ino
            && now.stx_dev_major == _own.stx_dev_major
            && now.stx_dev_minor == _own.stx_dev_minor)
        {
            _ = Libc.Unlink(Path);
        }

        _socket.Dispose();
        _reserve?.Dispose();
    }

    private void OnReady(EpollEvents events)
    {
        // One connection a call: level triggering brings the next, and a handler may dispose of this listener.
        int fd = Libc.Accept(_socket.Value);
        if (fd >= 0)
        {
            _accepted(new FileDescriptor(fd));
            return;
        }

        if (Errno.Last is Errno.EMFILE or Errno.ENFILE)
        {
            RefuseOne();
        }
    }

    /// <summary>Out of descriptors, a waiting connection would wake the loop for ever: the descriptor kept for this takes it and closes it.</summary>
    private void RefuseOne()
    {
        _refusals.Warn("socket", () => $"a connection to {Path} is refused: too many open files");
        _reserve?.Dispose();
        int fd = Libc.Accept(_socket.Value);
        if (fd >= 0)
        {
            _ = Libc.close(fd);
        }

        _reserve = OpenReserve();
    }

    // Not of a path: a sandbox has none.
    private static FileDescriptor? OpenReserve()
    {
        int fd = Libc.eventfd(0, Libc.EFD_CLOEXEC);
        return fd >= 0 ? new FileDescriptor(fd) : null;
    }
}
