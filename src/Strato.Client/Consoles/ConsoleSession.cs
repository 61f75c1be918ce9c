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

    /// <summary>Bytes that are kept for a guest that doesn't read; what is typed beyond them is lost, with a bell for each piece.</summary>
    internal const int MaximumPending = 1 << 20;

    private readonly ConsoleConnection _connection;
    private readonly Func<bool> _vmEnded;
    private readonly int _input;
    private readonly int _output;
    private readonly byte[] _typed = new byte[4096];
    private byte[] _keys = new byte[4096];
    private int _pending;

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
        byte[] shown = new byte[16384];
        while (true)
        {
            // A piece of each in turn, so that Ctrl-] is seen whether the guest prints without end or reads nothing.
            int count = _connection.Receive(shown);
            if (count == 0)
            {
                return _vmEnded() ? ConsoleSessionEnd.VmEnded : ConsoleSessionEnd.Taken;
            }

            Show(shown.AsSpan(0, Math.Max(count, 0)), waiter);
            SendPending();
            if (waiter.Wait(Deadline.Never, writable: 2, _input, _connection.Fd, _pending > 0 ? _connection.Fd : -1) == 0 && !Type(waiter))
            {
                SendPending();
                return ConsoleSessionEnd.Left;
            }
        }
    }

    public void Dispose() => _connection.Dispose();

    /// <summary>Reads the keyboard once; false at the escape key, and where there is no more to come.</summary>
    private bool Type(Waiter waiter)
    {
        int count = Libc.Read(_input, _typed);
        if (count <= 0)
        {
            return false;
        }

        int escape = _typed.AsSpan(0, count).IndexOf(EscapeKey);
        int keys = escape < 0 ? count : escape;
        int kept = Math.Min(keys, MaximumPending - _pending);
        if (_pending + kept > _keys.Length)
        {
            Array.Resize(ref _keys, Math.Min(MaximumPending, 2 * (_pending + kept)));
        }

        _typed.AsSpan(0, kept).CopyTo(_keys.AsSpan(_pending));
        _pending += kept;
        if (kept < keys)
        {
            // As a terminal does whose line is full.
            Show("\a"u8, waiter);
        }

        return escape < 0;
    }

    /// <summary>Gives the engine what it takes now of what was typed.</summary>
    private void SendPending()
    {
        int sent = _connection.Stream.Send(_keys.AsSpan(0, _pending));

        // To an engine that is gone nothing more is sent; its end shows when it is read from.
        int gone = sent < 0 ? _pending : sent;
        _keys.AsSpan(gone, _pending - gone).CopyTo(_keys);
        _pending -= gone;
    }

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
