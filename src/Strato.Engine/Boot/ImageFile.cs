using System;
using System.Diagnostics.CodeAnalysis;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Protocol;

namespace Strato.Engine.Boot;

/// <summary>What a file is loaded as; its name begins the ids of its errors (KernelNotFound, InitrdEmpty …).</summary>
internal enum ImageRole
{
    Kernel,
    Initrd,
}

/// <summary>A kernel or initrd file, open: found once, and read again when the guest resets.</summary>
/// <remarks>
/// The open descriptor stays at the same file when another takes its path. The file may still be cut or grow at any
/// time, so nothing relies on a size: a read says how much there really was.
/// </remarks>
internal sealed class ImageFile : IDisposable
{
    // Linux reads at most 0x7ffff000 bytes a call, and a span is shorter than 2 GiB.
    private const ulong ReadAtMost = 1UL << 30;

    private readonly FileDescriptor _file;

    /// <summary>Takes over a descriptor, of a regular file.</summary>
    /// <param name="file">Open for reading.</param>
    /// <param name="name">What error messages call it: the path.</param>
    /// <param name="role">What it is loaded as.</param>
    /// <param name="where">The option or JSON path that named it.</param>
    /// <exception cref="UserErrorException">It isn't a regular file.</exception>
    public ImageFile(FileDescriptor file, string name, ImageRole role, string where)
    {
        _file = file;
        Name = name;
        Role = role;
        Where = where;
        try
        {
            _ = CurrentLength();
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public string Name { get; }

    public ImageRole Role { get; }

    public string Where { get; }

    /// <summary>Opens a file by its path.</summary>
    /// <exception cref="UserErrorException">KernelNotFound, KernelNotReadable, InitrdNotFound or InitrdNotReadable.</exception>
    public static ImageFile Open(string path, ImageRole role, string where)
    {
        string noun = Noun(role);
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new UserErrorException($"{role}NotFound", $"the {noun}'s path is empty or has a null character in it: give the path of a file", where);
        }

        // O_NONBLOCK: the open of a FIFO that nobody writes would wait for ever.
        int fd = FileSets.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        int errno = Errno.Last;
        path = FileSets.NameOf(path);
        if (fd < 0)
        {
            string id = errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG ? "NotFound" : "NotReadable";
            throw new UserErrorException($"{role}{id}", $"{noun} '{path}' can't be opened: {Errno.Text(errno)}", where, new LinuxException("open", errno));
        }

        return new ImageFile(new FileDescriptor(fd), path, role, where);
    }

    /// <summary>The file's size in bytes now; it may change at once.</summary>
    public ulong CurrentLength()
    {
        if (Libc.Stat(_file.Value, out Libc.statx_t status) != 0)
        {
            Fail("NotReadable", $"can't be examined: {Errno.Text(Errno.Last)}");
        }

        if ((status.stx_mode & Libc.S_IFMT) != Libc.S_IFREG)
        {
            string what = (status.stx_mode & Libc.S_IFMT) switch
            {
                Libc.S_IFDIR => "a directory",
                Libc.S_IFBLK => "a block device",
                Libc.S_IFCHR => "a character device",
                Libc.S_IFSOCK => "a socket",
                _ => "a pipe",
            };
            Fail("NotReadable", $"is {what}: a regular file is needed");
        }

        return status.stx_size;
    }

    /// <summary>Reads from <paramref name="offset"/> until the destination is full or the file ends.</summary>
    /// <returns>Bytes read.</returns>
    public int Read(ulong offset, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length && offset <= long.MaxValue - (ulong)destination.Length)
        {
            nint count = Libc.PRead(_file.Value, destination[done..], (long)offset + done);
            if (count < 0)
            {
                Fail("NotReadable", $"can't be read at byte {offset + (ulong)done}: {Errno.Text(Errno.Last)}");
            }

            if (count == 0)
            {
                break;
            }

            done += (int)count;
        }

        return done;
    }

    /// <summary>Reads straight into guest RAM until the range is full or the file ends.</summary>
    /// <param name="offset">Where in the file.</param>
    /// <param name="memory">The guest.</param>
    /// <param name="address">Where in RAM; the caller checked that the range lies in one region.</param>
    /// <param name="length">Bytes wanted.</param>
    /// <returns>Bytes read.</returns>
    public ulong Read(ulong offset, GuestMemory memory, ulong address, ulong length)
    {
        memory.PreferHugePages(address, length);
        ulong done = 0;
        while (done < length)
        {
            int part = (int)Math.Min(length - done, ReadAtMost);
            if (!memory.TryGetSpan(address + done, part, out Span<byte> span))
            {
                throw new ArgumentOutOfRangeException(nameof(address), $"0x{address:x}+0x{length:x} is not in RAM");
            }

            int count = Read(offset + done, span);
            done += (uint)count;
            if (count < part)
            {
                break;
            }
        }

        return done;
    }

    /// <summary>Throws the error <paramref name="kind"/> of this file ("Truncated" gives KernelTruncated).</summary>
    /// <param name="kind">End of the error's id.</param>
    /// <param name="message">Goes on after the file's name.</param>
    [DoesNotReturn]
    public void Fail(string kind, string message) =>
        throw new UserErrorException($"{Role}{kind}", $"{Noun(Role)} '{Name}' {message}", Where);

    public void Dispose() => _file.Dispose();

    private static string Noun(ImageRole role) => role == ImageRole.Kernel ? "kernel" : "initrd";
}
