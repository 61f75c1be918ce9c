using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary>Error numbers of <c>asm-generic/errno-base.h</c> and <c>errno.h</c> that the engine looks at.</summary>
internal static class Errno
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int ENXIO = 6;
    public const int E2BIG = 7;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EFAULT = 14;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int ENOTTY = 25;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int ESPIPE = 29;
    public const int EROFS = 30;
    public const int EPIPE = 32;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int EPROTO = 71;
    public const int EBADFD = 77;
    public const int EMSGSIZE = 90;
    public const int EOPNOTSUPP = 95;
    public const int EADDRINUSE = 98;
    public const int ECONNRESET = 104;
    public const int ENOTCONN = 107;
    public const int ETIMEDOUT = 110;
    public const int ECONNREFUSED = 111;
    public const int EDQUOT = 122;

    /// <summary>errno of the last call on this thread; look at it only after a call returned -1.</summary>
    public static int Last => Marshal.GetLastSystemError();

    /// <summary>Has <see cref="Last"/> tell <paramref name="errno"/>, for what fails as a system call does; -1.</summary>
    public static int Fail(int errno)
    {
        Marshal.SetLastSystemError(errno);
        return -1;
    }

    /// <summary>The C library's text for <paramref name="errno"/>, such as "No such file or directory".</summary>
    public static string Text(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
