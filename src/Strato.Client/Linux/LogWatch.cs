using System;
using System.IO;

namespace Strato.Client.Linux;

/// <summary>Tells when a file grows, or gives its path up to another (inotify).</summary>
internal sealed unsafe class LogWatch : IDisposable
{
    private readonly FileDescriptor _inotify;

    /// <param name="path">The file; it need not be there, its folder must be.</param>
    internal LogWatch(string path)
    {
        _inotify = new FileDescriptor(Libc.inotify_init1(Libc.IN_CLOEXEC | Libc.IN_NONBLOCK));
        string directory = Path.GetDirectoryName(path)!;
        if (_inotify.IsInvalid || !TryAdd(directory, Libc.IN_CREATE | Libc.IN_MOVED_TO))
        {
            int errno = Errno.Last;
            _inotify.Dispose();
            throw new StratoException(StratoErrorKind.Failed, "WatchFailed", $"The folder '{directory}' can't be watched: {Errno.Text(errno)}.");
        }

        TryAdd(path);
    }

    /// <summary>Readable when something happened since <see cref="Clear"/>.</summary>
    internal int Fd => _inotify.Value;

    /// <summary>Watches the file that is at a path now, too.</summary>
    internal void TryAdd(string path) => TryAdd(path, Libc.IN_MODIFY | Libc.IN_MOVE_SELF | Libc.IN_DELETE_SELF);

    internal void Clear()
    {
        Span<byte> buffer = stackalloc byte[4096];
        while (Libc.Read(Fd, buffer) > 0)
        {
            // What happened doesn't matter: the caller looks at the file.
        }
    }

    public void Dispose() => _inotify.Dispose();

    private bool TryAdd(string path, uint what)
    {
        fixed (byte* pointer = Libc.Bytes(path))
        {
            return Libc.inotify_add_watch(Fd, pointer, what) >= 0;
        }
    }
}
