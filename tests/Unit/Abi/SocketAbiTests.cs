using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Abi;

public class SocketAbiTests
{
    [Fact]
    public void SocketsAreAsTheHeadersHaveThem()
    {
        new AbiProof("sys/socket.h", "linux/un.h")
            .Equal("AF_UNIX", Libc.AF_UNIX)
            .Equal("SOCK_STREAM", Libc.SOCK_STREAM)
            .Equal("SOCK_NONBLOCK", Libc.SOCK_NONBLOCK)
            .Equal("SOCK_CLOEXEC", Libc.SOCK_CLOEXEC)
            .Equal("SOL_SOCKET", Libc.SOL_SOCKET)
            .Equal("SO_TYPE", Libc.SO_TYPE)
            .Equal("SO_SNDBUF", Libc.SO_SNDBUF)
            .Equal("SHUT_RD", Libc.SHUT_RD)
            .Equal("SHUT_WR", Libc.SHUT_WR)
            .Equal("SHUT_RDWR", Libc.SHUT_RDWR)
            .Equal("MSG_DONTWAIT", Libc.MSG_DONTWAIT)
            .Equal("MSG_NOSIGNAL", Libc.MSG_NOSIGNAL)
            .Equal("UNIX_PATH_MAX", Libc.UNIX_PATH_MAX)
            .Size<Libc.sockaddr_un>("struct sockaddr_un")
            .Field("struct sockaddr_un", "sun_family", (ref Libc.sockaddr_un v) => ref v.sun_family)
            .Offset("struct sockaddr_un", "sun_path", 2)
            .Check();
        new AbiProof("sys/socket.h")
            .Before("#define _GNU_SOURCE")
            .Equal("SCM_RIGHTS", Libc.SCM_RIGHTS)
            .Size<Libc.msghdr>("struct msghdr")
            .Field("struct msghdr", "msg_namelen", (ref Libc.msghdr v) => ref v.msg_namelen)
            .Field("struct msghdr", "msg_iovlen", (ref Libc.msghdr v) => ref v.msg_iovlen)
            .Field("struct msghdr", "msg_controllen", (ref Libc.msghdr v) => ref v.msg_controllen)
            .Field("struct msghdr", "msg_flags", (ref Libc.msghdr v) => ref v.msg_flags)
            .Size<Libc.cmsghdr>("struct cmsghdr")
            .Field("struct cmsghdr", "cmsg_len", (ref Libc.cmsghdr v) => ref v.cmsg_len)
            .Field("struct cmsghdr", "cmsg_level", (ref Libc.cmsghdr v) => ref v.cmsg_level)
            .Field("struct cmsghdr", "cmsg_type", (ref Libc.cmsghdr v) => ref v.cmsg_type)
            .Check();
    }

    [Fact]
    public void FileStatusIsAsTheHeadersHaveIt()
    {
        new AbiProof("linux/stat.h", "linux/fcntl.h")
            .Equal("AT_FDCWD", Libc.AT_FDCWD)
            .Equal("AT_SYMLINK_NOFOLLOW", Libc.AT_SYMLINK_NOFOLLOW)
            .Equal("AT_EMPTY_PATH", Libc.AT_EMPTY_PATH)
            .Equal("STATX_BASIC_STATS", Libc.STATX_BASIC_STATS)
            .Equal("S_IFMT", Libc.S_IFMT)
            .Equal("S_IFSOCK", Libc.S_IFSOCK)
            .Equal("S_IFREG", Libc.S_IFREG)
            .Equal("S_IFBLK", Libc.S_IFBLK)
            .Equal("S_IFDIR", Libc.S_IFDIR)
            .Equal("S_IFCHR", Libc.S_IFCHR)
            .Size<Libc.statx_t>("struct statx")
            .Size<Libc.statx_timestamp>("struct statx_timestamp")
            .Field("struct statx", "stx_mask", (ref Libc.statx_t v) => ref v.stx_mask)
            .Field("struct statx", "stx_nlink", (ref Libc.statx_t v) => ref v.stx_nlink)
            .Field("struct statx", "stx_mode", (ref Libc.statx_t v) => ref v.stx_mode)
            .Field("struct statx", "stx_ino", (ref Libc.statx_t v) => ref v.stx_ino)
            .Field("struct statx", "stx_size", (ref Libc.statx_t v) => ref v.stx_size)
            .Field("struct statx", "stx_attributes_mask", (ref Libc.statx_t v) => ref v.stx_attributes_mask)
            .Field("struct statx", "stx_atime", (ref Libc.statx_t v) => ref v.stx_atime)
            .Field("struct statx", "stx_mtime", (ref Libc.statx_t v) => ref v.stx_mtime)
            .Field("struct statx", "stx_rdev_major", (ref Libc.statx_t v) => ref v.stx_rdev_major)
            .Field("struct statx", "stx_dev_major", (ref Libc.statx_t v) => ref v.stx_dev_major)
            .Field("struct statx", "stx_dev_minor", (ref Libc.statx_t v) => ref v.stx_dev_minor)
            .Check();
    }
}
