using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>sys/socket.h</c> and <c>sys/un.h</c>: stream sockets of the unix family.</summary>
internal static unsafe partial class Libc
{
    internal const int AF_UNIX = 1;
    internal const int SOCK_STREAM = 1;
    internal const int SOCK_NONBLOCK = 0x800;
    internal const int SOCK_CLOEXEC = 0x80000;
    internal const int SOL_SOCKET = 1;
    internal const int SO_TYPE = 3;
    internal const int SO_SNDBUF = 7;
    internal const int SHUT_RD = 0;
    internal const int SHUT_WR = 1;
    internal const int SHUT_RDWR = 2;
    internal const int MSG_PEEK = 0x2;
    internal const int MSG_DONTWAIT = 0x40;
    internal const int MSG_NOSIGNAL = 0x4000;

    /// <summary>Bytes of <c>sun_path</c>; a path needs one of them for its end.</summary>
    internal const int UNIX_PATH_MAX = 108;

    /// <summary>struct sockaddr_un: the family, then the path with a zero byte at its end.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct sockaddr_un
    {
        public ushort sun_family;
        public fixed byte sun_path[UNIX_PATH_MAX];
    }

    [LibraryImport("libc")]
    internal static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    internal static partial int bind(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc")]
    internal static partial int connect(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc")]
    internal static partial int listen(int fd, int backlog);

    [LibraryImport("libc")]
    internal static partial int accept4(int fd, sockaddr_un* address, uint* length, int flags);

    [LibraryImport("libc")]
    internal static partial int socketpair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc")]
    internal static partial int shutdown(int fd, int how);

    [LibraryImport("libc")]
    internal static partial int getsockopt(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc")]
    internal static partial int setsockopt(int fd, int level, int name, void* value, uint length);

    /// <summary>An unbound stream socket of the unix family, close-on-exec and non-blocking.</summary>
    internal static FileDescriptor CreateUnixSocket()
    {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("socket(AF_UNIX)");
    }

    /// <summary>Two connected stream sockets of the unix family, close-on-exec.</summary>
    /// <param name="near">The end that never waits.</param>
    /// <param name="far">The end for another process, which waits.</param>
    internal static void CreateSocketPair(out FileDescriptor near, out FileDescriptor far)
    {
        int* pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        {
            throw LinuxException.Last("socketpair");
        }

        near = new FileDescriptor(pair[0]);
        far = new FileDescriptor(pair[1]);
        SetNonBlocking(near.Value);
    }

    /// <summary>Whether a path fits into a unix socket's address: 1 to 107 bytes of UTF-8, without a zero character.</summary>
    internal static bool IsUnixSocketPath(string path) =>
        path.Length > 0 && Encoding.UTF8.GetByteCount(path) < UNIX_PATH_MAX && !path.Contains('\0');

    /// <summary>bind(2) to a path for which <see cref="IsUnixSocketPath"/> holds; -1 with errno on failure.</summary>
    internal static int Bind(int fd, string path)
    {
        sockaddr_un address = UnixAddress(path);
        return bind(fd, &address, (uint)sizeof(sockaddr_un));
    }

    /// <summary>connect(2) to a path for which <see cref="IsUnixSocketPath"/> holds; -1 with errno on failure.</summary>
    internal static int Connect(int fd, string path)
    {
        sockaddr_un address = UnixAddress(path);
        return connect(fd, &address, (uint)sizeof(sockaddr_un));
    }

    /// <summary>accept4(2), close-on-exec and non-blocking, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static int Accept(int fd)
    {
        int accepted;
        do
        {
            accepted = accept4(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
        }
        while (accepted < 0 && Errno.Last == Errno.EINTR);
        return accepted;
    }

    /// <summary>send(2) that never raises SIGPIPE; may send less; -1 with errno on failure (EAGAIN: no room now).</summary>
    internal static nint Send(int fd, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                iovec part = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
                msghdr message = new() { msg_iov = &part, msg_iovlen = 1 };
                count = sendmsg(fd, &message, MSG_NOSIGNAL);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>recv(2); 0 at the stream's end; -1 with errno on failure (EAGAIN: nothing there now).</summary>
    internal static nint Receive(int fd, Span<byte> buffer) => Receive(fd, buffer, 0);

    /// <summary>recv(2) that leaves the bytes where they are.</summary>
    internal static nint Peek(int fd, Span<byte> buffer) => Receive(fd, buffer, MSG_PEEK);

    private static nint Receive(int fd, Span<byte> buffer, int flags)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                iovec part = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
                msghdr message = new() { msg_iov = &part, msg_iovlen = 1 };
                count = recvmsg(fd, &message, flags);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>Asks for room for bytes that the peer hasn't read yet; the host gives as much as it allows (net.core.wmem_max).</summary>
    internal static void SetSendBuffer(int fd, int bytes) => _ = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(int));

    /// <summary>Whether a descriptor is a stream socket that has a peer.</summary>
    internal static bool IsConnectedStream(int fd)
    {
        int type;
        uint length = sizeof(int);
        Span<byte> one = stackalloc byte[1];

        // One without a peer can't be read; one with a peer has something, or will have.
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM
            && (Receive(fd, one, MSG_PEEK | MSG_DONTWAIT) >= 0 || Errno.Last == Errno.EAGAIN);
    }

    private static sockaddr_un UnixAddress(string path)
    {
        sockaddr_un address = default;
        address.sun_family = AF_UNIX;
        Encoding.UTF8.GetBytes(path, new Span<byte>(address.sun_path, UNIX_PATH_MAX - 1));
        return address;
    }
}
