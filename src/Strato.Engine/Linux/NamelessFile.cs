using System;

namespace Strato.Engine.Linux;

/// <summary>Files without a name, which end with their last descriptor.</summary>
internal static class NamelessFile
{
    private const uint OwnerOnly = 0x180; // 0600

    /// <summary>For what is as large as its use: <c>$TMPDIR</c>, else <c>/tmp</c>.</summary>
    public static string TemporaryFolder => Environment.GetEnvironmentVariable("TMPDIR") is { Length: > 0 } folder ? folder : "/tmp";

    /// <summary>Makes an empty one, open for both.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public static FileDescriptor Create(string folder)
    {
        int fd = Libc.Open(folder, Libc.O_TMPFILE | Libc.O_RDWR, OwnerOnly);
        if (fd < 0 && Errno.Last is Errno.EOPNOTSUPP or Errno.EISDIR)
        {
            // A file system without nameless files: one whose name is taken away at once.
            string path = $"{folder}/strato-{Guid.NewGuid():N}";
            fd = Libc.Open(path, Libc.O_CREAT | Libc.O_EXCL | Libc.O_RDWR, OwnerOnly);
            if (fd >= 0)
            {
                _ = Libc.Unlink(path);
            }
        }

        return fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last($"open of a file in {folder}");
    }
}
