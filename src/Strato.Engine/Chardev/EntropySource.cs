using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>A character device of the host that gives random bytes and never makes the reader wait.</summary>
internal sealed class EntropySource : IDisposable
{
    private readonly FileDescriptor _file;

    private EntropySource(FileDescriptor file, string path)
    {
        _file = file;
        Path = path;
    }

    public string Path { get; }

    /// <param name="path">A character device, such as /dev/urandom or /dev/hwrng.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option or field that named it, for errors.</param>
    /// <exception cref="UserErrorException">RngSourceFailed.</exception>
    public static EntropySource Open(string path, string id, string where)
    {
        int fd = FileSets.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        if (fd < 0)
        {
            throw Error($"can't be opened: {Errno.Text(Errno.Last)}");
        }

        FileDescriptor file = new(fd);
        if (Libc.Stat(fd, out Libc.statx_t status) < 0 || (status.stx_mode & Libc.S_IFMT) != Libc.S_IFCHR)
        {
            file.Dispose();
            throw Error("isn't a character device");
        }

        EntropySource source = new(file, path);
        nint count = source.Read(stackalloc byte[1]);
        if (count == 0 || (count < 0 && Errno.Last != Errno.EAGAIN))
        {
            string problem = count == 0 ? "gives no bytes" : $"can't be read: {Errno.Text(Errno.Last)}";
            source.Dispose();
            throw Error(problem);
        }

        return source;

        UserErrorException Error(string problem) => new(
            "RngSourceFailed", $"rng '{id}': '{path}' {problem}; allowed are character devices that give bytes, such as /dev/urandom or /dev/hwrng", where);
    }

    /// <summary>Reads what is there; 0 when the source has ended, -1 with errno on failure, EAGAIN when nothing is there now.</summary>
    public nint Read(Span<byte> buffer) => Libc.Read(_file.Value, buffer);

    public void Dispose() => _file.Dispose();
}
