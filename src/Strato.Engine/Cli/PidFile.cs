using System;
using System.Globalization;
using System.Text;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Cli;

/// <summary>The file of <c>-pidfile</c>: made new, locked while the engine runs, and removed when it ends.</summary>
/// <remarks>By the lock one can tell an engine that runs from one that was killed, whose file is left.</remarks>
internal sealed class PidFile : IDisposable
{
    private const int MaxLength = 32;

    private readonly string _path;
    private readonly FileDescriptor _file;

    /// <exception cref="UserErrorException">PidFileExists or PidFileNotWritable.</exception>
    public PidFile(string path)
    {
        _path = path;
        int fd = Libc.Open(path, Libc.O_WRONLY | Libc.O_CREAT | Libc.O_EXCL, 0x1A4);
        if (fd < 0)
        {
            int errno = Errno.Last;
            throw errno == Errno.EEXIST ? Exists(path) : NotWritable("made", errno);
        }

        _file = new FileDescriptor(fd);

        // Not every file system has locks; only the words of an error hang on it.
        _ = Libc.SetFileLock(fd, Libc.F_WRLCK);
        if (Libc.Write(fd, Encoding.ASCII.GetBytes($"{Libc.getpid()}\n")) < 0)
        {
            int errno = Errno.Last;
            Dispose();
            throw NotWritable("written", errno);
        }
    }

    /// <summary>Refuses a path where something stands.</summary>
    /// <exception cref="UserErrorException">PidFileExists.</exception>
    public static void CheckFree(string path)
    {
        if (Libc.LinkStat(path, out _) == 0)
        {
            throw Exists(path);
        }
    }

    public void Dispose()
    {
        _ = Libc.Unlink(_path);
        _file.Dispose();
    }

    private static UserErrorException Exists(string path) =>
        new("PidFileExists", $"The pid file '{path}' exists; it must not, so that no running engine's is overwritten{Owner(path)}.", "-pidfile");

    private static string Owner(string path)
    {
        int fd = Libc.Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_NOCTTY);
        if (fd < 0)
        {
            return "";
        }

        using FileDescriptor file = new(fd);
        Span<byte> text = stackalloc byte[MaxLength];
        nint length = Libc.Read(fd, text);
        if (length <= 0 || !int.TryParse(Encoding.ASCII.GetString(text[..(int)length]).TrimEnd(), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
        {
            return "";
        }

        return Libc.FindFileLock(fd, Libc.F_RDLCK) == Libc.F_WRLCK
            ? $"; the engine with process id {pid} runs and holds it"
            : $"; no engine holds it, so process {pid} may have been killed, and then it can be removed";
    }

    private UserErrorException NotWritable(string done, int errno) =>
        new("PidFileNotWritable", $"The pid file '{_path}' can't be {done}: {Errno.Text(errno)}.", "-pidfile");
}
