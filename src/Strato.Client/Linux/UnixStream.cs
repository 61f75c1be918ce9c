using System;
using System.IO;
using System.Text;

namespace Strato.Client.Linux;

/// <summary>How a connection attempt went.</summary>
internal enum ConnectOutcome
{
    Connected,

    /// <summary>No socket, or nobody behind it.</summary>
    Nobody,

    /// <summary>Somebody is behind it but doesn't take connections.</summary>
    Busy,
}

/// <summary>A connected unix stream socket that never blocks by itself: waiting is the <see cref="Waiter"/>'s part.</summary>
internal sealed unsafe class UnixStream : IDisposable
{
    private readonly FileDescriptor _socket;

    private UnixStream(FileDescriptor socket)
    {
        _socket = socket;
    }

    internal int Fd => _socket.Value;

    /// <summary>Process that listens on the other side (that is, the one that called listen), or 0.</summary>
    internal int PeerPid
    {
        get
        {
            Libc.ucred credentials;
            uint length = (uint)sizeof(Libc.ucred);
            return Libc.getsockopt(Fd, Libc.SOL_SOCKET, Libc.SO_PEERCRED, &credentials, &length) == 0 ? credentials.pid : 0;
        }
    }

    /// <summary>Refuses a path that the kernel's 108-byte address can't hold.</summary>
    internal static void CheckPath(string path)
    {
        int bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes >= Libc.UnixPathSize)
        {
            throw new StratoException(
                StratoErrorKind.InvalidArgument,
                "SocketPathTooLong",
                $"The socket path '{path}' has {bytes} bytes; Linux allows {Libc.UnixPathSize - 1}.")
            {
                Where = "STRATO_RUNTIME",
                RecommendedAction = "Set STRATO_RUNTIME to a shorter folder.",
            };
        }
    }

    /// <summary>Connects without waiting. Throws for a path too long or no permission.</summary>
    internal static ConnectOutcome TryConnect(string path, out UnixStream? stream)
    {
        CheckPath(path);
        stream = null;
        FileDescriptor socket = new(Libc.socket(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC | Libc.SOCK_NONBLOCK, 0));
        if (socket.IsInvalid)
        {
            throw new StratoException(StratoErrorKind.Failed, "SocketFailed", $"socket: {Errno.Text(Errno.Last)}.");
        }

        Libc.sockaddr_un address = new() { sun_family = Libc.AF_UNIX };
        int length = Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, Libc.UnixPathSize - 1));
        if (Libc.connect(socket.Value, &address, (uint)(sizeof(ushort) + length + 1)) == 0)
        {
            stream = new UnixStream(socket);
            return ConnectOutcome.Connected;
        }

        int errno = Errno.Last;
        socket.Dispose();
        return errno switch
        {
            Errno.ENOENT or Errno.ECONNREFUSED => ConnectOutcome.Nobody,

            // The listener's backlog is full: it has not accepted for a while.
            Errno.EAGAIN => ConnectOutcome.Busy,
            Errno.EACCES => throw new StratoException(
                StratoErrorKind.Permission, "SocketPermission", $"The socket '{path}' may not be opened by this user: {Errno.Text(errno)}."),
            _ => throw new StratoException(StratoErrorKind.Connection, "SocketFailed", $"connect to '{path}': {Errno.Text(errno)}."),
        };
    }

    /// <summary>Removes a socket on which nobody listens any more: an engine that was killed, or that sees no paths, leaves its sockets.</summary>
    internal static void RemoveDead(string path)
    {
        if (!Libc.TryStat(path, out Libc.statx_t status) || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFSOCK)
        {
            return;
        }

        try
        {
            ConnectOutcome outcome = TryConnect(path, out UnixStream? stream);
            stream?.Dispose();
            if (outcome == ConnectOutcome.Nobody)
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is StratoException or IOException or UnauthorizedAccessException)
        {
            // Another's, perhaps: the engine says that the path is taken.
        }
    }

    /// <summary>Takes what is there: 0 at the end (or when the connection broke), -1 when there is nothing yet.</summary>
    internal int Receive(Span<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            while (true)
            {
                nint count = Libc.recv(Fd, pointer, (nuint)buffer.Length, 0);
                if (count >= 0)
                {
                    return (int)count;
                }

                switch (Errno.Last)
                {
                    case Errno.EINTR:
                        continue;
                    case Errno.EAGAIN:
                        return -1;
                    default:
                        return 0;
                }
            }
        }
    }

    /// <summary>Gives what the socket takes now: 0 when it takes nothing, -1 when the connection is broken.</summary>
    /// <param name="buffer">Bytes.</param>
    /// <param name="file">A descriptor that goes with the first of them; null for none.</param>
    internal int Send(ReadOnlySpan<byte> buffer, FileDescriptor? file = null)
    {
        fixed (byte* pointer = buffer)
        {
            Libc.iovec part = new() { iov_base = pointer, iov_len = (nuint)buffer.Length };
            Libc.msghdr message = new() { msg_iov = &part, msg_iovlen = 1 };
            Libc.PassedFile passed = new() { cmsg_len = (nuint)(sizeof(Libc.PassedFile) - sizeof(int)), cmsg_level = Libc.SOL_SOCKET, cmsg_type = Libc.SCM_RIGHTS };
            if (file is not null)
            {
                passed.File = file.Value;
                message.msg_control = &passed;
                message.msg_controllen = (nuint)sizeof(Libc.PassedFile);
            }

            while (true)
            {
                nint count = Libc.sendmsg(Fd, &message, Libc.MSG_NOSIGNAL);
                if (count >= 0)
                {
                    return (int)count;
                }

                switch (Errno.Last)
                {
                    case Errno.EINTR:
                        continue;
                    case Errno.EAGAIN:
                        return 0;
                    default:
                        return -1;
                }
            }
        }
    }

    /// <summary>Sends everything; false when the connection broke, <see cref="TimeoutException"/> when the time limit passed.</summary>
    /// <param name="buffer">Bytes.</param>
    /// <param name="waiter">Ends the wait.</param>
    /// <param name="deadline">When it has to be done.</param>
    /// <param name="file">A descriptor that goes with the first byte; null for none.</param>
    internal bool SendAll(ReadOnlySpan<byte> buffer, Waiter waiter, Deadline deadline, FileDescriptor? file = null)
    {
        while (!buffer.IsEmpty)
        {
            int sent = Send(buffer, file);
            if (sent < 0)
            {
                return false;
            }

            file = sent > 0 ? null : file;

            buffer = buffer[sent..];
            if (!buffer.IsEmpty && waiter.Wait(deadline, writable: 0, Fd) < 0)
            {
                throw new TimeoutException();
            }
        }

        return true;
    }

    /// <summary>Bytes (as the kernel accounts for them) that the other side has not read yet.</summary>
    internal int UnreadByPeer
    {
        get
        {
            int count = 0;
            return Libc.ioctl(Fd, Libc.SIOCOUTQ, &count) == 0 ? count : 0;
        }
    }

    internal void EndWriting() => Libc.shutdown(Fd, Libc.SHUT_WR);

    public void Dispose() => _socket.Dispose();
}
