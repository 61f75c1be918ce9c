using System;

namespace Strato.Client.Linux;

/// <summary>Tells when files appear in, or leave, folders (inotify).</summary>
internal sealed unsafe class DirectoryWatch : IDisposable
{
    private readonly FileDescriptor _inotify;

    internal DirectoryWatch(string directory)
    {
        _inotify = new FileDescriptor(Libc.inotify_init1(Libc.IN_CLOEXEC | Libc.IN_NONBLOCK));
        if (_inotify.IsInvalid)
        {
            throw Failed(directory, Errno.Last);
        }

        try
        {
            if (!TryAdd(directory))
            {
                throw Failed(directory, Errno.ENOENT);
            }
        }
        catch
        {
            _inotify.Dispose();
            throw;
        }
    }

    /// <summary>Readable when something happened since <see cref="Clear"/>.</summary>
    internal int Fd => _inotify.Value;

    internal void Clear()
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (Libc.Read(Fd, buffer) > 0)
        {
            // What happened doesn't matter: the caller looks at the folder.
        }
    }

    /// <summary>Watches one more folder; one that is watched already stays so. False if it isn't there (any more).</summary>
    internal bool TryAdd(string directory)
    {
        fixed (byte* path = Libc.Bytes(directory))
        {
            const uint what = Libc.IN_MOVED_TO | Libc.IN_CREATE | Libc.IN_DELETE | Libc.IN_DELETE_SELF | Libc.IN_MOVE_SELF;
            return Libc.inotify_add_watch(_inotify.Value, path, what) >= 0 || (Errno.Last is var errno && errno == Errno.ENOENT ? false : throw Failed(directory, errno));
        }
    }

    public void Dispose() => _inotify.Dispose();

    private static StratoException Failed(string directory, int errno) =>
        new(StratoErrorKind.Failed, "WatchFailed", $"The folder '{directory}' can't be watched: {Errno.Text(errno)}.");
}
