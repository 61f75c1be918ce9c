using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>Standard input or output in a form that never blocks the loop.</summary>
/// <remarks>
/// O_NONBLOCK belongs to the open file, which the shell and the other processes of a pipeline share, and would fail
/// theirs. So a terminal or pipe is opened anew by /proc; a socket, or what can't be opened, gets the flag until
/// disposal. A regular file stays as it is, for its offset is shared on purpose, and it never blocks.
/// </remarks>
internal sealed class StandardStream : IDisposable
{
    private readonly FileDescriptor? _reopened;
    private readonly int _flagsFound = -1;

    private StandardStream(int number, FileDescriptor? reopened, int flagsFound, bool isSocket)
    {
        Number = number;
        _reopened = reopened;
        _flagsFound = flagsFound;
        IsSocket = isSocket;
    }

    /// <summary>The descriptor as the process was given it.</summary>
    public int Number { get; }

    /// <summary>The descriptor to use.</summary>
    public int Fd => _reopened?.Value ?? Number;

    public bool IsSocket { get; }

    /// <summary>Opens descriptor <paramref name="number"/>; null when it is closed.</summary>
    public static StandardStream? TryOpen(int number, bool output)
    {
        if (Libc.Stat(number, out Libc.statx_t status) < 0)
        {
            return null;
        }

        int kind = status.stx_mode & Libc.S_IFMT;
        if (kind is Libc.S_IFREG or Libc.S_IFBLK or Libc.S_IFDIR)
        {
            return new StandardStream(number, null, -1, isSocket: false);
        }

        int fd = kind == Libc.S_IFSOCK
            ? -1
            : Libc.Open($"/proc/self/fd/{number}", (output ? Libc.O_WRONLY : Libc.O_RDONLY) | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        if (fd >= 0)
        {
            return new StandardStream(number, new FileDescriptor(fd), -1, isSocket: false);
        }

        int flags = Libc.fcntl(number, Libc.F_GETFL, 0);
        Libc.SetNonBlocking(number);
        return new StandardStream(number, null, flags, kind == Libc.S_IFSOCK);
    }

    public void Dispose()
    {
        _reopened?.Dispose();
        if (_flagsFound >= 0)
        {
            _ = Libc.fcntl(Number, Libc.F_SETFL, _flagsFound);
        }
    }
}
