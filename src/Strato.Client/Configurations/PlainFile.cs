using System.IO;
using Strato.Client.Linux;

namespace Strato.Client.Configurations;

/// <summary>Files that a user names for their text. To open a pipe would wait for who writes into it, and no Ctrl-C ends that.</summary>
internal static class PlainFile
{
    /// <exception cref="IOException">It isn't there, can't be read, or is no file.</exception>
    /// <exception cref="System.UnauthorizedAccessException">It may not be read.</exception>
    internal static FileStream OpenRead(string path) => Libc.TryStat(path, out Libc.statx_t stat) && (stat.stx_mode & Libc.S_IFMT) is not (Libc.S_IFREG or Libc.S_IFDIR)
        ? throw new IOException("It is a pipe, a device or a socket, and no file.")
        : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
}
