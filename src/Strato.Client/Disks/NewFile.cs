using System;
using System.IO;
using Strato.Client.Linux;
using Strato.Client.Store;

namespace Strato.Client.Disks;

/// <summary>A file that has its name when it is whole. Before, it has none, and is gone with this process, however that ends; where the file system can't do that, it has another name, and is removed unless it is kept.</summary>
internal sealed class NewFile : IDisposable
{
    private const string Disk = "Disk";

    private readonly string _path;
    private readonly string _kind;
    private readonly FileDescriptor _file;
    private string? _temporary;

    /// <param name="path">Absolute.</param>
    /// <param name="mode">Permissions.</param>
    /// <param name="kind">What it is, for errors: with <c>Disk</c> they are <c>DiskNotWritable</c>.</param>
    /// <param name="nameless">Whether it may be without a name (O_TMPFILE).</param>
    internal NewFile(string path, uint mode, string kind = Disk, bool nameless = true)
    {
        _path = path;
        _kind = kind;
        string folder = Path.GetDirectoryName(path)!;
        int fd = nameless ? Libc.Open(folder, Libc.O_TMPFILE | Libc.O_RDWR, mode) : -1;

        // EISDIR and ENOENT are a kernel's that doesn't know the flag.
        if (fd < 0 && (!nameless || Errno.Last is Errno.EOPNOTSUPP or Errno.EISDIR or Errno.ENOENT or Errno.EINVAL))
        {
            _temporary = TemporaryName(folder);
            fd = Libc.Open(_temporary, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL, mode);
        }

        _file = new FileDescriptor(fd);
        if (_file.IsInvalid)
        {
            throw Failed(path, Errno.Last, kind);
        }
    }

    internal int Fd => _file.Value;

    /// <summary>The name that it is to have.</summary>
    internal string Target => _path;

    /// <summary>To be passed to others.</summary>
    internal FileDescriptor Descriptor => _file;

    /// <summary>Error <c>DiskNotWritable</c> (or of another kind) by errno, unless all is good.</summary>
    internal void Check(bool good)
    {
        if (!good)
        {
            throw Failed(_path, Errno.Last, _kind);
        }
    }

    /// <summary>Gives it its own name. Error <c>FileExists</c>, unless it may take the place of what is there.</summary>
    /// <param name="replace">Whether it may.</param>
    /// <param name="by">Path of a name that it has for a moment then, in the same folder, so that whoever comes after a kill knows it; null for one that nobody has.</param>
    internal void Keep(bool replace, string? by = null)
    {
        Check(Libc.fsync(Fd) == 0);
        string folder = Path.GetDirectoryName(_path)!;
        if (replace)
        {
            if (_temporary is null)
            {
                // A link never takes the place of another file, a rename does.
                string name = by ?? TemporaryName(folder);
                Check(Libc.TryLink(Fd, name));
                _temporary = name;
            }

            File.Move(_temporary, _path, overwrite: true);
            _temporary = null;
        }
        else if (_temporary is null ? Libc.TryLink(Fd, _path) : Libc.TryLink(_temporary, _path))
        {
            // Unlike a rename, a link never takes the place of what another has just made.
            RemoveTemporary();
        }
        else if (Errno.Last is var errno && errno == Errno.EEXIST)
        {
            throw Existing(_path);
        }
        else if (_temporary is not null && (errno is Errno.EPERM or Errno.EOPNOTSUPP))
        {
            // A file system without links (FAT, some of FUSE).
            RefuseExisting(_path, _kind);
            File.Move(_temporary, _path);
            _temporary = null;
        }
        else
        {
            throw Failed(_path, errno, _kind);
        }

        try
        {
            AtomicFile.SyncDirectory(folder);
        }
        catch (IOException)
        {
            int errno = Errno.Last;
            if (!replace)
            {
                AtomicFile.Remove(_path);
            }

            throw Failed(_path, errno, _kind);
        }
    }

    public void Dispose()
    {
        _file.Dispose();
        RemoveTemporary();
    }

    private void RemoveTemporary()
    {
        if (_temporary is not null)
        {
            AtomicFile.Remove(_temporary);
            _temporary = null;
        }
    }

    private static string TemporaryName(string folder) => Path.Combine(folder, $"{AtomicFile.TemporaryPrefix}{Guid.NewGuid():N}");

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
