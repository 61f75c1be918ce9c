using System;

namespace Strato.Client.Linux;

/// <summary>Tells when files appear in, or leave, one folder (inotify).</summary>
internal sealed unsafe class DirectoryWatch : IDisposable
{
    private readonly FileDescriptor _inotify;

    internal DirectoryWatch(string directory)
    {
        _inotify = new FileDescriptor(Libc.inotify_init1(Libc.IN_CLOEXEC | Libc.IN_NONBLOCK));
        fixed (byte* path = Libc.Bytes(directory))
        {
            if (_inotify.IsInvalid
                || Libc.inotify_add_watch(_inotify.Value, path, Libc.IN_MOVED_TO | Libc.IN_CREATE | Libc.IN_DELETE | Libc.IN_DELETE_SELF | Libc.IN_MOVE_SELF) < 0)
            {
                int errno = Errno.Last;
                _inotify.Dispose();
                throw new StratoException(StratoErrorKind.Failed, "WatchFailed", $"The folder '{directory}' can't be watched: {Errno.Text(errno)}.");
            }
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

    public void Dispose() => _inotify.Dispose();
}
