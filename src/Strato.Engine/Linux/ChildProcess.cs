using System;
using System.Text;

namespace Strato.Engine.Linux;

/// <summary>A program of the host's that runs beside the machine until its work has gone: its messages and its end are heard.</summary>
/// <remarks>On one thread: that of the loop it joins, or before any loop runs.</remarks>
internal sealed class ChildProcess : IDisposable
{
    /// <summary>Bytes of a line of its messages; what is longer comes in pieces.</summary>
    private const int MaxLine = 512;

    private readonly int _pid;
    private readonly FileDescriptor _process;
    private readonly FileDescriptor _errors;
    private readonly TimeSpan _patience;
    private readonly byte[] _buffer = new byte[MaxLine];
    private int _length;
    private EventLoop? _loop;
    private bool _ended;
    private bool _disposed;

    private ChildProcess(int pid, FileDescriptor errors, TimeSpan patience)
    {
        (_pid, _errors, _patience) = (pid, errors, patience);
        _process = Libc.OpenChild(pid);
    }

    /// <summary>Takes each line that the program writes to standard error.</summary>
    public Action<string> Message { get; set; } = _ => { };

    /// <summary>Takes how it ended, such as <c>exit code 1</c>. Not called by <see cref="Dispose"/>.</summary>
    public Action<string> Ended { get; set; } = _ => { };

    /// <summary>The last line that it wrote; null when it wrote none.</summary>
    public string? LastLine { get; private set; }

    /// <summary>Starts a program in a session of its own, with this process's environment.</summary>
    /// <param name="path">The program; not looked for on PATH.</param>
    /// <param name="arguments">All of argv.</param>
    /// <param name="inherit">What it gets as <see cref="ChildRun.Inherited"/>.</param>
    /// <param name="patience">How long <see cref="Dispose"/> waits for its end before it kills it.</param>
    /// <exception cref="LinuxException">It can't be started.</exception>
    public static ChildProcess Start(string path, ReadOnlySpan<string> arguments, FileDescriptor inherit, TimeSpan patience)
    {
        Libc.CreatePipe(out FileDescriptor read, out FileDescriptor write);
        using (write)
        {
            Libc.SetNonBlocking(read.Value);
            using FileDescriptor errors = new(Libc.fcntl(write.Value, Libc.F_DUPFD_CLOEXEC, ChildRun.Inherited + 1));
            int pid = Libc.SpawnSession(path, arguments, ChildRun.Environment(), inherit.Value, ChildRun.Inherited, errors.Value);
            try
            {
                return new ChildProcess(pid, read, patience);
            }
            catch
            {
                // Without a descriptor of it its end would never be heard. It hasn't been waited for, so the number is still its own.
                _ = Libc.tgkill(pid, pid, Libc.SIGKILL);
                _ = Libc.WaitChild(pid);
                read.Dispose();
                throw;
            }
        }
    }

    /// <summary>From here on the loop hears it.</summary>
    public void Join(EventLoop loop)
    {
        _loop = loop;
        loop.Add(_errors.Value, EpollEvents.In, _ => OnMessages());
        loop.Add(_process.Value, EpollEvents.In, _ => End());
    }

    /// <summary>Waits for its end, and kills it where that doesn't come; how it ended.</summary>
    public string WaitForEnd()
    {
        if (!HasEndedSoon())
        {
            Libc.KillChild(_process.Value);
            if (!HasEndedSoon())
            {
                // It hangs within the kernel, in a file system that doesn't answer, say.
                _ended = true;
                return "killed, but not ended yet";
            }
        }

        return Reap();
    }

    /// <summary>Waits for its end as <see cref="WaitForEnd"/> does: what it works for has to be gone before. May be called again.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Leave();
        if (!_ended)
        {
            // What it says of an end that is wished for concerns nobody.
            Message = _ => { };
            _ = WaitForEnd();
        }

        _process.Dispose();
        _errors.Dispose();
    }

    private bool HasEndedSoon() => Libc.Poll(_process.Value, PollEvents.In, (int)_patience.TotalMilliseconds) != PollEvents.None;

    private void End()
    {
        Leave();
        Ended(Reap());
    }

    private string Reap()
    {
        _ended = true;
        while (Read())
        {
        }

        Flush(_length);
        return ChildRun.DescribeEnd(Libc.WaitChild(_pid));
    }

    private void Leave()
    {
        _loop?.Remove(_errors.Value);
        _loop?.Remove(_process.Value);
    }

    private void OnMessages()
    {
        if (!Read())
        {
            _loop!.Remove(_errors.Value);
        }
    }

    /// <summary>Takes what has been written, as far as there is room; false at the end, or when there is nothing.</summary>
    private bool Read()
    {
        nint count = Libc.Read(_errors.Value, _buffer.AsSpan(_length));
        _length += (int)Math.Max(count, 0);
        int end;
        while ((end = _buffer.AsSpan(0, _length).IndexOf((byte)'\n')) >= 0)
        {
            Flush(end);
            _buffer.AsSpan((end + 1).._length).CopyTo(_buffer);
            _length -= end + 1;
        }

        if (_length == MaxLine)
        {
            Flush(_length);
            _length = 0;
        }

        return count > 0;
    }

    private void Flush(int length)
    {
        string line = Encoding.UTF8.GetString(_buffer, 0, length).Trim();
        if (line.Length > 0)
        {
            LastLine = line;
            Message(line);
        }
    }
}
