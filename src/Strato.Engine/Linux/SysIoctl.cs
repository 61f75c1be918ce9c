using System.Runtime.InteropServices;

namespace Strato.Engine.Linux;

/// <summary><c>sys/ioctl.h</c>. The C prototype is variadic; on Linux pointers and integers pass the same way.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc")]
    internal static partial int ioctl(int fd, nuint request, nint argument);

    [LibraryImport("libc")]
    internal static partial int ioctl(int fd, nuint request, void* argument);
}
