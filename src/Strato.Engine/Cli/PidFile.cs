using System;
using System.Text;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The file of <c>-pidfile</c>: made new, and removed when the engine ends.</summary>
internal sealed class PidFile : IDisposable
{
    private readonly string _path;

    /// <exception cref="UserErrorException">PidFileExists or PidFileNotWritable.</exception>
    public PidFile(string path)
    {
        _path = path;
        int fd = Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, 0x1A4);
        if (fd < 0)
        {
            int errno = Errno.Last;
            throw errno == Errno.EEXIST
                ? new UserErrorException("PidFileExists", $"The pid file '{path}' exists; it must not, so that no running engine's is overwritten.", "-pidfile")
                : new UserErrorException("PidFileNotWritable", $"The pid file '{path}' can't be made: {Errno.Text(errno)}.", "-pidfile");
        }

        using FileDescriptor file = new(fd);
        if (Libc.Write(fd, Encoding.ASCII.GetBytes($"{Libc.getpid()}\n")) < 0)
        {
            int errno = Errno.Last;
            Dispose();
            throw new UserErrorException("PidFileNotWritable", $"The pid file '{path}' can't be written: {Errno.Text(errno)}.", "-pidfile");
        }
    }

    public void Dispose() => _ = Libc.Unlink(_path);
}
