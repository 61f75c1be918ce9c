using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>sys/prctl.h</c>: the calling thread's name.</summary>
internal static unsafe partial class Libc
{
    internal const int PR_SET_NAME = 15;

    /// <summary>Bytes of a thread's name that Linux keeps (TASK_COMM_LEN without its final zero).</summary>
    internal const int ThreadNameLength = 15;

    [LibraryImport("libc")]
    internal static partial int prctl(int option, nint a2, nint a3, nint a4, nint a5);

    /// <summary>Names the calling thread, cut to the 15 bytes Linux keeps. Thread.Name does not reach the kernel everywhere.</summary>
    internal static void SetThreadName(string name)
    {
        Span<byte> bytes = stackalloc byte[ThreadNameLength + 1];
        bytes.Clear();
        Encoding.UTF8.GetEncoder().Convert(name, bytes[..ThreadNameLength], flush: true, out _, out _, out _);
        fixed (byte* pointer = bytes)
        {
            _ = prctl(PR_SET_NAME, (nint)pointer, 0, 0, 0);
        }
    }
}
