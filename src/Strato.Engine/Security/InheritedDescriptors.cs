using System.Collections.Generic;
using System.Globalization;
using Strato.Engine.Linux;

namespace Strato.Engine.Security;

/// <summary>Descriptors that whoever starts the engine has left open, and that no option names.</summary>
internal static class InheritedDescriptors
{
    private const int FirstOther = 3;

    /// <summary>Closes them. What the engine opened itself has the close-on-exec flag, and stays.</summary>
    /// <param name="named">Those that options name.</param>
    public static void CloseOthers(IReadOnlySet<int> named)
    {
        int folder = Libc.Open("/proc/self/fd", Libc.O_RDONLY | Libc.O_DIRECTORY);
        if (folder < 0)
        {
            return;
        }

        using FileDescriptor open = new(folder);
        foreach (string name in Libc.ListFolder(folder))
        {
            int fd = int.Parse(name, NumberStyles.None, CultureInfo.InvariantCulture);
            int flags = Libc.fcntl(fd, Libc.F_GETFD, 0);
            if (fd >= FirstOther && !named.Contains(fd) && flags >= 0 && (flags & Libc.FD_CLOEXEC) == 0)
            {
                _ = Libc.close(fd);
            }
        }
    }
}
