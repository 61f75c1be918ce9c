using System;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Strato.Client.Linux;

/// <summary><c>unistd.h</c>: descriptors and who we are.</summary>
internal static unsafe partial class Libc
{
    internal const int _SC_CLK_TCK = 2;

    [LibraryImport("libc")]
    internal static partial uint geteuid();

    [LibraryImport("libc")]
    internal static partial uint getegid();

    [LibraryImport("libc")]
    internal static partial int close(int fd);

    [LibraryImport("libc")]
    internal static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc")]
    internal static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc")]
    internal static partial int fsync(int fd);

    [LibraryImport("libc")]
    internal static partial int pipe2(int* fds, int flags);

    [LibraryImport("libc")]
    private static partial int memfd_create(byte* name, uint flags);

    [LibraryImport("libc")]
    internal static partial int isatty(int fd);

    [LibraryImport("libc")]
    internal static partial nint sysconf(int name);

    /// <summary>A file that is nowhere but in memory, empty; close-on-exec. Invalid, with errno, on failure.</summary>
    /// <param name="name">For /proc, with a zero byte at its end.</param>
    internal static FileDescriptor CreateMemoryFile(ReadOnlySpan<byte> name)
    {
        const uint MFD_CLOEXEC = 1;
        fixed (byte* pointer = name)
        {
            return new FileDescriptor(memfd_create(pointer, MFD_CLOEXEC));
        }
    }

    /// <summary>read(2), repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static int Read(int fd, Span<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                count = read(fd, pointer, (nuint)buffer.Length);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return (int)count;
        }
    }

    /// <summary>write(2), repeated when a signal interrupts it; may write less; -1 with errno on failure.</summary>
    internal static int Write(int fd, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                count = write(fd, pointer, (nuint)buffer.Length);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return (int)count;
        }
    }
}

/// <summary>Owns one file descriptor.</summary>
internal sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    public FileDescriptor(int value)
        : base(ownsHandle: true)
    {
        SetHandle(value);
    }

    public int Value => (int)handle;

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
