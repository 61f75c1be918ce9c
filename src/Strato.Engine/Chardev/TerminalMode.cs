using System;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;

namespace Strato.Engine.Chardev;

/// <summary>A terminal that passes bytes as they are, until it is given back in the mode in which it was found.</summary>
/// <remarks>
/// It is given back by disposal, and by the end of the process in any way that runs managed code: return from Main,
/// Environment.Exit, an exception that nobody caught. Signals that end the engine are served by its main loop and end
/// in disposal; only SIGKILL and _exit(2) leave the terminal raw (<c>stty sane</c> mends it).
/// </remarks>
internal sealed class TerminalMode : IDisposable
{
    private readonly int _fd;
    private readonly Libc.termios _found;
    private bool _restored;

    private TerminalMode(int fd, in Libc.termios found)
    {
        _fd = fd;
        _found = found;
        AppDomain.CurrentDomain.ProcessExit += OnProcessEnd;
        AppDomain.CurrentDomain.UnhandledException += OnUnhandled;
    }

    /// <summary>Makes a terminal raw; null when the descriptor is none, or the engine is in the terminal's background.</summary>
    /// <param name="fd">The terminal; it stays the caller's.</param>
    /// <param name="signals">Whether Ctrl-C and its kin still send signals to the engine, and don't reach the guest.</param>
    public static TerminalMode? TryMakeRaw(int fd, bool signals)
    {
        if (!Libc.TryGetTerminalMode(fd, out Libc.termios found))
        {
            return null;
        }

        // A background process that sets the mode of its controlling terminal is stopped (SIGTTOU), and the guest with it.
        // Of a terminal that isn't the controlling one the foreground can't be asked (-1), and there nobody is stopped.
        int foreground = Libc.tcgetpgrp(fd);
        if (foreground >= 0 && foreground != Libc.ProcessGroup)
        {
            return null;
        }

        TerminalMode mode = new(fd, found);
        if (!Libc.TrySetTerminalMode(fd, Libc.RawTerminalMode(found, signals, translateOutput: true)))
        {
            Log.Warning("serial", $"the terminal can't be made raw: {Errno.Text(Errno.Last)}");
        }

        return mode;
    }

    public void Dispose()
    {
        if (!_restored)
        {
            _restored = true;
            _ = Libc.TrySetTerminalMode(_fd, _found);
            AppDomain.CurrentDomain.ProcessExit -= OnProcessEnd;
            AppDomain.CurrentDomain.UnhandledException -= OnUnhandled;
        }
    }

    private void OnProcessEnd(object? sender, EventArgs e) => Dispose();

    private void OnUnhandled(object sender, UnhandledExceptionEventArgs e) => Dispose();
}
