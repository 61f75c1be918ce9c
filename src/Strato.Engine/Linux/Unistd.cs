using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary><c>unistd.h</c>: descriptors, and the identity of process and thread.</summary>
internal static unsafe partial class Libc
{
    internal const int X_OK = 1;
    internal const int W_OK = 2;

    private const int _SC_PAGESIZE = 30;
    private const int _SC_PHYS_PAGES = 85;

    [LibraryImport("libc")]
    internal static partial int close(int fd);

    [LibraryImport("libc")]
    internal static partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc")]
    internal static partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc")]
    internal static partial int fdatasync(int fd);

    [LibraryImport("libc")]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport("libc")]
    internal static partial int unlink(byte* path);

    [LibraryImport("libc")]
    internal static partial int access(byte* path, int mode);

    [LibraryImport("libc")]
    internal static partial int pipe2(int* fds, int flags);

    [LibraryImport("libc")]
    internal static partial int dup(int fd);

    [LibraryImport("libc")]
    internal static partial int dup2(int fd, int target);

    [LibraryImport("libc")]
    internal static partial int dup3(int fd, int target, int flags);

    [LibraryImport("libc")]
    internal static partial int isatty(int fd);

    [LibraryImport("libc")]
    internal static partial int getpid();

    [LibraryImport("libc")]
    internal static partial int gettid();

    [LibraryImport("libc")]
    internal static partial long sysconf(int name);

    [LibraryImport("libc")]
    internal static partial void _exit(int status);

    /// <summary>read(2) into a span, repeated when a signal interrupts it; -1 with errno on failure.</summary>
    internal static nint Read(int fd, Span<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                count = read(fd, pointer, (nuint)buffer.Length);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>write(2) of a span, repeated when a signal interrupts it; may write less; -1 with errno on failure.</summary>
    internal static nint Write(int fd, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                count = write(fd, pointer, (nuint)buffer.Length);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>pread(2) into a span, repeated when a signal interrupts it; may read less; -1 with errno on failure.</summary>
    internal static nint PRead(int fd, Span<byte> buffer, long offset)
    {
        fixed (byte* pointer = buffer)
        {
            nint count;
            do
            {
                iovec one = new() { iov_base = (nint)pointer, iov_len = (nuint)buffer.Length };
                count = preadv2(fd, &one, 1, offset, 0);
            }
            while (count < 0 && Errno.Last == Errno.EINTR);
            return count;
        }
    }

    /// <summary>Whether there is a program at a path that this process may run.</summary>
    internal static bool IsProgram(string path)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(path) + 1];
        Encoding.UTF8.GetBytes(path, bytes);
        fixed (byte* pointer = bytes)
        {
            return access(pointer, X_OK) == 0 && Stat(path, out statx_t status) == 0 && (status.stx_mode & S_IFMT) == S_IFREG;
        }
    }

    /// <summary>Whether this process may make files in a folder; <see cref="Errno.Last"/> says why not.</summary>
    internal static bool MayMakeFiles(string folder)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(folder) + 1];
        Encoding.UTF8.GetBytes(folder, bytes);
        fixed (byte* pointer = bytes)
        {
            return access(pointer, W_OK | X_OK) == 0;
        }
    }

    /// <summary>The path of a program; null when no folder has it.</summary>
    /// <param name="name">The program.</param>
    /// <param name="folders">Divided by colons, as in PATH.</param>
    internal static string? FindProgram(string name, string? folders)
    {
        foreach (string folder in (folders ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = Path.Combine(folder, name);
            if (IsProgram(path))
            {
                return path;
            }
        }

        return null;
    }

    /// <summary>A pipe, closed on exec.</summary>
    /// <param name="read">Its read end.</param>
    /// <param name="write">Its write end.</param>
    /// <param name="flags">O_NONBLOCK or 0.</param>
    internal static void CreatePipe(out FileDescriptor read, out FileDescriptor write, int flags = 0)
    {
        int* ends = stackalloc int[2];
        if (pipe2(ends, O_CLOEXEC | flags) < 0)
        {
            throw LinuxException.Last("pipe2");
        }

        read = new FileDescriptor(ends[0]);
        write = new FileDescriptor(ends[1]);
    }

    /// <summary>Bytes of memory of the host.</summary>
    internal static long PhysicalMemory() => sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}
