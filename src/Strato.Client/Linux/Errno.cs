using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>errno.h</c>: the numbers the client tells apart.</summary>
internal static class Errno
{
    internal const int EPERM = 1;
    internal const int ENOENT = 2;
    internal const int ESRCH = 3;
    internal const int EINTR = 4;
    internal const int ENXIO = 6;
    internal const int ECHILD = 10;
    internal const int EAGAIN = 11;
    internal const int EACCES = 13;
    internal const int EBUSY = 16;
    internal const int EEXIST = 17;
    internal const int EXDEV = 18;
    internal const int ENODEV = 19;
    internal const int EISDIR = 21;
    internal const int EINVAL = 22;
    internal const int EROFS = 30;
    internal const int ENAMETOOLONG = 36;
    internal const int ENOSYS = 38;
    internal const int EOPNOTSUPP = 95;
    internal const int ECONNREFUSED = 111;

    /// <summary>errno of the call that just returned -1 on this thread.</summary>
    internal static int Last => Marshal.GetLastSystemError();

    /// <summary>The C library's words for it.</summary>
    internal static string Text(int errno) => Marshal.GetPInvokeErrorMessage(errno);
}
