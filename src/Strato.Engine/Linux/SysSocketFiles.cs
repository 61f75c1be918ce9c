using System;
using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/socket.h</c>: descriptors that go over a socket, and sockets for a child.</summary>
internal static unsafe partial class Libc
{
    internal const int SCM_RIGHTS = 1;
    internal const int MSG_CMSG_CLOEXEC = 0x40000000;

    /// <summary>Most descriptors that one of our messages carries.</summary>
    internal const int MaxPassedFiles = VHOST_MAX_REGIONS;

    [StructLayout(LayoutKind.Sequential)]
    internal struct msghdr
    {
        public void* msg_name;
        public uint msg_namelen;
        public iovec* msg_iov;
        public nuint msg_iovlen;
        public void* msg_control;
        public nuint msg_controllen;
        public int msg_flags;
    }

    /// <summary>struct cmsghdr, whose data follow it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct cmsghdr
    {
        public nuint cmsg_len;
        public int cmsg_level;
        public int cmsg_type;
    }

    [LibraryImport("libc")]
    internal static partial nint sendmsg(int fd, msghdr* message, int flags);

    [LibraryImport("libc")]
    internal static partial nint recvmsg(int fd, msghdr* message, int flags);

    [LibraryImport("libc")]
    internal static partial int getsockname(int fd, sockaddr_un* address, uint* length);

    /// <summary>sendmsg(2) with descriptors for the other end; may send less; -1 with errno on failure (EAGAIN: no room now).</summary>
    internal static nint SendFiles(int fd, ReadOnlySpan<byte> buffer, ReadOnlySpan<int> files)
    {
        byte* control = stackalloc byte[sizeof(cmsghdr) + (MaxPassedFiles * sizeof(int))];
        nuint controlLength = (nuint)(sizeof(cmsghdr) + (files.Length * sizeof(int)));
        *(cmsghdr*)control = new cmsghdr { cmsg_len = controlLength, cmsg_level = SOL_SOCKET, cmsg_type = SCM_RIGHTS };
        files.CopyTo(new Span<int>(control + sizeof(cmsghdr), MaxPassedFiles));
        fixed (byte* pointer = buffer)
        {
            iovec part = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
            msghdr message = new() { msg_iov = &part, msg_iovlen = 1, msg_control = control, msg_controllen = controlLength };
            nint count;
            do
            {
                count = sendmsg(fd, &message, MSG_NOSIGNAL);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>recvmsg(2) with the descriptors that came, close-on-exec; 0 at the stream's end; -1 with errno on failure (EAGAIN: nothing there now).</summary>
    /// <param name="fd">The socket.</param>
    /// <param name="buffer">Takes the bytes.</param>
    /// <param name="files">Takes the descriptors, which are the caller's; those that have no room the kernel closes. At most <see cref="MaxPassedFiles"/>.</param>
    /// <param name="fileCount">How many descriptors came.</param>
    internal static nint ReceiveFiles(int fd, Span<byte> buffer, Span<int> files, out int fileCount)
    {
        byte* control = stackalloc byte[sizeof(cmsghdr) + (MaxPassedFiles * sizeof(int))];
        fixed (byte* pointer = buffer)
        {
            iovec part = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
            msghdr message = new()
            {
                msg_iov = &part,
                msg_iovlen = 1,
                msg_control = control,
                msg_controllen = (nuint)(sizeof(cmsghdr) + (files.Length * sizeof(int))),
            };
            nint count;
            do
            {
                count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);

            cmsghdr* header = (cmsghdr*)control;
            bool has = count >= 0 && message.msg_controllen >= (nuint)sizeof(cmsghdr)
                && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS;
            fileCount = has ? (int)((header->cmsg_len - (nuint)sizeof(cmsghdr)) / sizeof(int)) : 0;
            new ReadOnlySpan<int>(control + sizeof(cmsghdr), fileCount).CopyTo(files);
            return count;
        }
    }

    /// <summary>A connection whose other end a child takes from a listening socket, for programs that want one; both close-on-exec.</summary>
    /// <remarks>
    /// The socket has a name that the kernel chooses (unix(7), autobind), so nothing is in the file system. Its queue has one place:
    /// with our connection there nobody else's can come before it, and where another took the place first ours is refused.
    /// </remarks>
    /// <param name="near">The connection, which never waits.</param>
    /// <param name="listener">The listening socket, for the child.</param>
    /// <exception cref="LinuxException">The host refuses.</exception>
    internal static void CreateListenedPair(out FileDescriptor near, out FileDescriptor listener)
    {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        listener = fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last("socket(AF_UNIX)");
        near = CreateUnixSocket();
        sockaddr_un address = default;
        address.sun_family = AF_UNIX;
        uint length = sizeof(ushort);
        bool made = bind(fd, &address, length) == 0;
        length = (uint)sizeof(sockaddr_un);
        made = made && getsockname(fd, &address, &length) == 0 && listen(fd, 0) == 0 && connect(near.Value, &address, length) == 0;
        if (!made)
        {
            LinuxException error = LinuxException.Last("a socket for a child");
            near.Dispose();
            listener.Dispose();
            throw error;
        }
    }
}
