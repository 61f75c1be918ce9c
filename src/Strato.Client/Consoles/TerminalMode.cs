using System;
using System.Runtime.InteropServices;
using Strato.Client.Linux;

namespace Strato.Client.Consoles;

/// <summary>Makes a terminal raw, and puts it back on every way out: Dispose, the end of the process, SIGTERM, SIGHUP, SIGINT, SIGQUIT.</summary>
internal sealed unsafe class TerminalMode : IDisposable
{
    private readonly int _fd;
    private readonly PosixSignalRegistration[] _signals;
    private readonly EventHandler _exit;
    private readonly object _guard = new();
    private Libc.termios _before;
    private bool _raw;

    private TerminalMode(int fd, Libc.termios before)
    {
        _fd = fd;
        _before = before;
        _exit = (_, _) => Restore();
        AppDomain.CurrentDomain.ProcessExit += _exit;
        _signals =
        [
            // Not cancelled: the default action follows, with the terminal as it was.
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Restore()),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, _ => Restore()),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Restore()),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, _ => Restore()),
        ];
    }

    /// <summary>Null if the descriptor isn't a terminal.</summary>
    internal static TerminalMode? TryMakeRaw(int fd)
    {
        Libc.termios before;
        if (Libc.isatty(fd) == 0 || Libc.tcgetattr(fd, &before) != 0)
        {
            return null;
        }

        TerminalMode mode = new(fd, before);
        Libc.termios raw = before;
        Libc.cfmakeraw(&raw);
        mode._raw = true;
        if (Libc.tcsetattr(fd, Libc.TCSADRAIN, &raw) != 0)
        {
            mode.Dispose();
            return null;
        }

        return mode;
    }

    public void Dispose()
    {
        Restore();
        AppDomain.CurrentDomain.ProcessExit -= _exit;
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }
    }

    private void Restore()
    {
        lock (_guard)
        {
            if (_raw)
            {
                _raw = false;
                fixed (Libc.termios* before = &_before)
                {
                    _ = Libc.tcsetattr(_fd, Libc.TCSADRAIN, before);
                }
            }
        }
    }
}
