using System;
using System.Threading;
using Strato.Client.Consoles;
using Strato.Client.Linux;

namespace Strato.Client;

/// <summary>How an interactive session ended.</summary>
public enum ConsoleSessionEnd
{
    /// <summary>The user pressed Ctrl-] or standard input ended.</summary>
    Left,

    /// <summary>The VM ended.</summary>
    VmEnded,

    /// <summary>Another user took the keyboard.</summary>
    Taken,
}

/// <summary>This process's terminal joined to the VM's console: keys go to the guest as they are, Ctrl-C too; Ctrl-] leaves.</summary>
/// <remarks>
/// A serial line carries no window size. A full-screen program in the guest takes 80×24 unless told: in the guest,
/// <c>stty rows R cols C</c>, or <c>resize</c>, sets it.
/// </remarks>
public sealed class ConsoleSession : IDisposable
{
    /// <summary>Ctrl-].</summary>
    public const byte EscapeKey = 0x1d;

    private readonly ConsoleConnection _connection;
    private readonly Func<bool> _vmEnded;
    private readonly int _input;
    private readonly int _output;

    /// <param name="connection">Attached.</param>
    /// <param name="vmEnded">Asked when the connection ends.</param>
    /// <param name="input">Descriptor of the keyboard.</param>
    /// <param name="output">Descriptor of the screen.</param>
    internal ConsoleSession(ConsoleConnection connection, Func<bool> vmEnded, int input = 0, int output = 1)
    {
        _connection = connection;
        _vmEnded = vmEnded;
        _input = input;
        _output = output;
    }

    /// <summary>Runs until the user leaves with Ctrl-], the VM ends, or the token is cancelled. The terminal is raw meanwhile and is restored on every way out.</summary>
    public ConsoleSessionEnd Run(CancellationToken token = default)
    {
        using TerminalMode? raw = TerminalMode.TryMakeRaw(_input);
        using Waiter waiter = new(token);
        byte[] typed = new byte[1024];
        byte[] shown = new byte[16384];
        int pending = 0;
        while (true)
        {
            int count;
            while ((count = _connection.Receive(shown)) > 0)
            {
                Show(shown.AsSpan(0, count), waiter);
            }

            if (count == 0)
            {
                return _vmEnded() ? ConsoleSessionEnd.VmEnded : ConsoleSessionEnd.Taken;
            }

            // While the guest doesn't take what was typed, no more is read from the keyboard, but its output goes on.
            if (pending > 0)
            {
                int sent = _connection.Stream.Send(typed.AsSpan(0, pending));
                if (sent > 0)
                {
                    typed.AsSpan(sent, pending - sent).CopyTo(typed);
                    pending -= sent;
                }

                if (pending > 0 && sent >= 0)
                {
                    WaitForEither(waiter);
                }

                continue;
            }

            if (waiter.WaitReadable(Deadline.Never, _connection.Fd, _input) != 1)
            {
                continue;
            }

            pending = Libc.Read(_input, typed);
            if (pending <= 0)
            {
                return ConsoleSessionEnd.Left;
            }

            int escape = typed.AsSpan(0, pending).IndexOf(EscapeKey);
            if (escape >= 0)
            {
                _ = _connection.Stream.Send(typed.AsSpan(0, escape));
                return ConsoleSessionEnd.Left;
            }
        }
    }

    public void Dispose() => _connection.Dispose();

    /// <summary>Until the socket takes bytes again, or has some. Both are the same descriptor, listed twice.</summary>
    private void WaitForEither(Waiter waiter) => waiter.Wait(Deadline.Never, writable: 1, _connection.Fd, _connection.Fd);

    private void Show(ReadOnlySpan<byte> bytes, Waiter waiter)
    {
        while (!bytes.IsEmpty)
        {
            int written = Libc.Write(_output, bytes);
            if (written > 0)
            {
                bytes = bytes[written..];
            }
            else if (Errno.Last != Errno.EAGAIN)
            {
                return;
            }
            else
            {
                waiter.Wait(Deadline.Never, writable: 0, _output);
            }
        }
    }
}
