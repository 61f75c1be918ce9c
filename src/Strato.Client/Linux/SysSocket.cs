using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>sys/socket.h</c> and <c>sys/un.h</c>.</summary>
internal static unsafe partial class Libc
{
    internal const int AF_UNIX = 1;
    internal const int SOCK_STREAM = 1;
    internal const int SOCK_NONBLOCK = 0x800;
    internal const int SOCK_CLOEXEC = 0x80000;
    internal const int SOL_SOCKET = 1;
    internal const int SO_PEERCRED = 17;
    internal const int SO_SNDBUF = 7;
    internal const int SCM_RIGHTS = 1;
    internal const int MSG_NOSIGNAL = 0x4000;
    internal const int SHUT_WR = 1;

    /// <summary>sun_path with its terminating zero.</summary>
    internal const int UnixPathSize = 108;

    /// <summary><c>linux/sockios.h</c>, the same number as TIOCOUTQ.</summary>
    internal const nuint SIOCOUTQ = 0x5411;

    [StructLayout(LayoutKind.Sequential)]
    internal struct sockaddr_un
    {
        public ushort sun_family;
        public fixed byte sun_path[UnixPathSize];
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct iovec
    {
        public void* iov_base;
        public nuint iov_len;
    }

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

    /// <summary>struct cmsghdr with one descriptor behind it, filled up to a multiple of 8 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PassedFile
    {
        public nuint cmsg_len;
        public int cmsg_level;
        public int cmsg_type;
        public int File;
        public int Padding;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct ucred
    {
        public int pid;
        public uint uid;
        public uint gid;
    }

    [LibraryImport("libc")]
    internal static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc")]
    internal static partial int socketpair(int domain, int type, int protocol, int* pair);

    [LibraryImport("libc")]
    internal static partial int setsockopt(int fd, int level, int name, void* value, uint length);

    [LibraryImport("libc")]
    internal static partial nint sendmsg(int fd, msghdr* message, int flags);

    [LibraryImport("libc")]
    internal static partial int connect(int fd, sockaddr_un* address, uint length);

    [LibraryImport("libc")]
    internal static partial int getsockopt(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc")]
    internal static partial nint recv(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc")]
    internal static partial int shutdown(int fd, int how);

    /// <summary>Asks for a send buffer; the kernel gives what it allows.</summary>
    internal static void SetSendBuffer(int fd, int bytes) => _ = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(int));

    /// <summary>Two connected stream sockets, closed on exec. Throws SocketFailed.</summary>
    internal static void CreateSocketPair(out FileDescriptor one, out FileDescriptor other)
    {
        int* pair = stackalloc int[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        {
            throw new StratoException(StratoErrorKind.Failed, "SocketFailed", $"socketpair: {Errno.Text(Errno.Last)}.");
        }

        one = new FileDescriptor(pair[0]);
        other = new FileDescriptor(pair[1]);
    }

    // Variadic in C; see fcntl.
    [LibraryImport("libc")]
    internal static partial int ioctl(int fd, nuint request, int* argument);
}
