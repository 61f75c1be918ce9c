namespace Strato.Engine.Linux;

/// <summary>What tells two open files apart, whatever their names: equal for the same one.</summary>
/// <param name="Inode">Its number on its file system.</param>
/// <param name="Major">The file system's device.</param>
/// <param name="Minor">The same.</param>
internal readonly record struct FileIdentity(ulong Inode, uint Major, uint Minor)
{
    /// <summary>That of an open file; null where the kernel doesn't tell.</summary>
    public static FileIdentity? Of(int fd) =>
        Libc.Stat(fd, out Libc.statx_t status) == 0 ? new FileIdentity(status.stx_ino, status.stx_dev_major, status.stx_dev_minor) : null;
}
