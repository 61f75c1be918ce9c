using System;
using System.IO;
using Strato.Client.Linux;
using Strato.Client.Store;

namespace Strato.Client.Disks;

/// <summary>A file that is made under another name, and has its own when it is whole. One that isn't kept is removed.</summary>
internal sealed class NewFile : IDisposable
{
    private const string Disk = "Disk";

    private readonly string _path;
    private readonly string _kind;
    private readonly FileDescriptor _file;
    private bool _kept;

    /// <param name="path">Absolute.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="kind">What it is, for errors: with <c>Disk</c> they are <c>DiskNotWritable</c>.</param>
    internal NewFile(string path, uint mode, string kind = Disk)
    {
        _path = path;
        _kind = kind;
        Temporary = Path.Combine(Path.GetDirectoryName(path)!, $"{AtomicFile.TemporaryPrefix}{Guid.NewGuid():N}");
        _file = new FileDescriptor(Libc.Open(Temporary, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL, mode));
        if (_file.IsInvalid)
        {
            throw Failed(path, Errno.Last, kind);
        }
    }

    internal int Fd => _file.Value;

    /// <summary>To be passed to others.</summary>
    internal FileDescriptor Descriptor => _file;

    /// <summary>The path that it has until it is kept.</summary>
    internal string Temporary { get; }

    /// <summary>Error <c>DiskNotWritable</c> (or of another kind) by errno, unless all is good.</summary>
    internal void Check(bool good)
    {
        if (!good)
        {
            throw Failed(_path, Errno.Last, _kind);
        }
    }

    /// <summary>Gives it its own name. Error <c>FileExists</c>, unless it may take the place of what is there.</summary>
    internal void Keep(bool replace)
    {
        Check(Libc.fsync(Fd) == 0);
        if (replace)
        {
            File.Move(Temporary, _path, overwrite: true);
        }
        else if (Libc.TryLink(Temporary, _path))
        {
            // Unlike a rename, a link never takes the place of what another has just made.
            AtomicFile.Remove(Temporary);
        }
        else if (Errno.Last is var errno && errno == Errno.EEXIST)
        {
            throw Existing(_path);
        }
        else if (errno is Errno.EPERM or Errno.EOPNOTSUPP)
        {
            // A file system without links (FAT, some of FUSE).
            RefuseExisting(_path, _kind);
            File.Move(Temporary, _path);
        }
        else
        {
            throw Failed(_path, errno, _kind);
        }

        _kept = true;
        AtomicFile.SyncDirectory(Path.GetDirectoryName(_path)!);
    }

    public void Dispose()
    {
        _file.Dispose();
        if (!_kept)
        {
            AtomicFile.Remove(Temporary);
        }
    }

    /// <summary>Error <c>FileExists</c> if anything has the path.</summary>
    internal static void RefuseExisting(string path, string kind = Disk)
    {
        if (Libc.TryStat(path, out _))
        {
            throw Existing(path);
        }

        if (Errno.Last is var errno && errno != Errno.ENOENT)
        {
            // Such as a name that is too long: better now than after the work.
            throw Failed(path, errno, kind);
        }
    }

    private static StratoException Existing(string path) => new(StratoErrorKind.AlreadyExists, "FileExists", $"'{path}' is there already.") { Where = path };

    internal static StratoException Failed(string path, int errno, string kind = Disk) => new(
        errno switch
        {
            Errno.ENOENT => StratoErrorKind.NotFound,
            Errno.EACCES or Errno.EPERM or Errno.EROFS => StratoErrorKind.Permission,
            _ => StratoErrorKind.Failed,
        },
        kind + "NotWritable",
        $"The {kind.ToLowerInvariant()} '{path}' can't be written: {Errno.Text(errno)}.")
    { Where = path };
}
