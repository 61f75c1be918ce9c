using System;

namespace Strato.Engine.Linux;

/// <summary>A system call that failed, with the call, what it was about, and errno.</summary>
internal sealed class LinuxException : Exception
{
    public LinuxException(string call, int errno)
        : base($"{call}: {Linux.Errno.Text(errno)} (errno {errno})")
    {
        Errno = errno;
    }

    public int Errno { get; }

    /// <summary>Throws for errno of the call that just returned -1.</summary>
    public static LinuxException Last(string call) => new(call, Linux.Errno.Last);
}
