using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Chardev;

/// <summary>A new pseudo-terminal, raw; its path is in <see cref="Name"/>, which is logged. Output while nobody has it open is dropped.</summary>
/// <remarks>
/// The engine keeps only the master, so that it can tell whether anybody has the other side open: the master is then not
/// hung up. Linux gives no event when somebody opens it, so this is looked at before each write. The watch is edge
/// triggered, and a hang-up that lasts wakes nobody.
/// </remarks>
internal sealed class PtyBackend : ICharBackend
{
    private const int RingSize = 64 * 1024;

    private readonly EventLoop _loop;
    private readonly OutputFeed _feed;
    private readonly FileDescriptor _master;
    private readonly DescriptorWatch _watch;
    private readonly StreamOutput _output;
    private InputQueue? _inputs;
    private StreamInput? _input;
    private bool _disposed;

    /// <param name="loop">The main loop.</param>
    /// <param name="where">The option or field that asked for it, for errors.</param>
    /// <exception cref="UserErrorException">PtyFailed.</exception>
    public PtyBackend(EventLoop loop, string where)
    {
        _loop = loop;
        FileSets.CheckPaths("/dev/ptmx", "a pseudo-terminal has to be there from the start");
        try
        {
            _master = Libc.OpenPseudoTerminal(out string path);
            Path = path;
        }
        catch (LinuxException e)
        {
            throw new UserErrorException("PtyFailed", $"A pseudo-terminal can't be made: {e.Message}.", where, e);
        }

        // A terminal begins with echo on, which would send the guest its own output as input. The mode outlives who set it.
        if (Libc.TryGetTerminalMode(_master.Value, out Libc.termios mode))
        {
            _ = Libc.TrySetTerminalMode(_master.Value, Libc.RawTerminalMode(mode, signals: false, translateOutput: false));
        }

        // The master counts as hung up only after the other side was open once.
        int other = Libc.Open(Path, Libc.O_RDWR | Libc.O_NOCTTY);
        if (other >= 0)
        {
            _ = Libc.close(other);
        }

        _feed = new OutputFeed(loop, RingSize, Drain);
        _watch = new DescriptorWatch(loop, _master.Value, OnEvents);
        _output = new StreamOutput(_feed.Ring, _watch, isSocket: false, 0);
    }

    /// <summary>Path of the terminal, such as <c>/dev/pts/3</c>.</summary>
    public string Path { get; }

    public string Name => $"pty:{Path}";

    private bool IsOpen => (Libc.Poll(_master.Value, PollEvents.None, 0) & PollEvents.HangUp) == 0;

    public int OutputRoom => _feed.Room;

    public void Connect(ICharFrontend frontend)
    {
        _feed.Frontend = frontend;
        _inputs = new InputQueue(_loop, frontend);
        _input = new StreamInput(_loop, _master.Value, _inputs, isPty: true);
        _input.Ready();
    }

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        _feed.Write(data);
        return true;
    }

    public void ResumeInput() => _inputs?.PostResume();

    public void Flush(TimeSpan limit)
    {
        if (IsOpen)
        {
            _output.Flush(Deadline.After(limit));
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _input?.Stop();
            _watch.Dispose();
            _feed.Dispose();
            _master.Dispose();
        }
    }

    private void Drain()
    {
        if (!IsOpen || _output.Drain() == OutputState.Broken)
        {
            _output.Restart();
        }
    }

    private void OnEvents(EpollEvents events)
    {
        _input?.Ready();
        if ((events & EpollEvents.HangUp) != 0 && !IsOpen)
        {
            _output.Restart();
        }
        else if (_output.Writable() == OutputState.Broken)
        {
            _output.Restart();
        }
    }
}
