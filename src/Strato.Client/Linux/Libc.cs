using System.Runtime.InteropServices;

namespace Strato.Client.Linux;

/// <summary><c>unistd.h</c>.</summary>
internal static unsafe partial class Libc
{
    [LibraryImport("libc")]
    internal static partial uint geteuid();
}
