using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client.Images;

/// <summary>The host's end of one command in a guest that was made for it (init.sh is the other): three console ports, the words of a control port, two streams.</summary>
/// <remarks>
/// The command goes by the control port as one line: a mark and a script in base64. What it writes comes by a port each; the mark comes behind it,
/// since programs that it has left behind may hold the streams open for ever. Its exit code comes by the control port. When this end
/// is closed, the guest powers off: a shell that is killed leaves no VM.
/// </remarks>
/// <param name="process">The engine.</param>
/// <param name="name">The VM's.</param>
internal sealed class CommandRun(EngineProcess process, string name)
{
    internal const string Control = "strato.control";
    internal const string Output = "strato.stdout";
    internal const string Error = "strato.stderr";

    /// <summary>Bytes of a stream that are kept; what comes behind is read and thrown away.</summary>
    internal const int MaximumOutput = 64 << 20;

    private const int MaximumWord = 64 * 1024;

    // An engine listens before it is ready, so only one that is being replaced refuses.
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    /// <summary>Runs a script and waits for its end.</summary>
    /// <param name="ports">Paths of the sockets: control, output, error.</param>
    /// <param name="script">For the guest's busybox.</param>
    /// <param name="deadline">Error CommandTimeout.</param>
    /// <param name="token">Ends the wait.</param>
    /// <exception cref="StratoException">CommandTimeout; CommandLost: the guest ended, or was reset, before the command did.</exception>
    internal GuestCommandOutcome Run(IReadOnlyList<string> ports, string script, Deadline deadline, CancellationToken token)
    {
        using Waiter waiter = new(token);
        byte[] mark = Encoding.ASCII.GetBytes($"\n{Convert.ToHexString(RandomNumberGenerator.GetBytes(16))}");
        using UnixStream output = Connect(ports[1], waiter, deadline);
        using UnixStream error = Connect(ports[2], waiter, deadline);
        using UnixStream control = Connect(ports[0], waiter, deadline);
        Collector[] streams = [new(mark, MaximumOutput), new(mark, MaximumOutput), new("\n"u8.ToArray(), MaximumWord)];
        UnixStream[] sockets = [output, error, control];
        byte[] request = Encoding.ASCII.GetBytes($"{Encoding.ASCII.GetString(mark.AsSpan(1))} {Convert.ToBase64String(Encoding.UTF8.GetBytes(script))}\n");
        Send(control, request, streams, sockets, waiter, deadline);
        while (!Array.TrueForAll(streams, stream => stream.IsWhole))
        {
            Turn(streams, sockets, waiter, deadline, writable: false);
        }

        string word = Encoding.UTF8.GetString(streams[2].Bytes).Trim();
        return word.StartsWith("exit ", StringComparison.Ordinal) && int.TryParse(word.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            ? new GuestCommandOutcome(0, code, null, streams[0].Bytes, streams[1].Bytes, streams[0].Truncated, streams[1].Truncated)
            : throw new StratoException(StratoErrorKind.InvalidData, "CommandProtocol", $"The guest of VM '{name}' said '{TerminalText.Plain(word)}' instead of an exit code.") { VmName = name };
    }

    private UnixStream Connect(string path, Waiter waiter, Deadline deadline)
    {
        Deadline limit = Deadline.After(ConnectLimit).Sooner(deadline);
        while (true)
        {
            if (UnixStream.TryConnect(path, out UnixStream? stream) == ConnectOutcome.Connected)
            {
                return stream!;
            }

            if (waiter.WaitReadable(Deadline.After(TimeSpan.FromMilliseconds(50)).Sooner(limit), process.Fd) == 0)
            {
                throw Lost("ended");
            }

            if (limit.Passed)
            {
                throw TimedOut();
            }
        }
    }

    private void Send(UnixStream control, ReadOnlySpan<byte> request, Collector[] streams, UnixStream[] sockets, Waiter waiter, Deadline deadline)
    {
        while (!request.IsEmpty)
        {
            int sent = control.Send(request);
            if (sent < 0)
            {
                throw Lost("ended");
            }

            request = request[sent..];
            if (sent == 0)
            {
                Turn(streams, sockets, waiter, deadline, writable: true);
            }
        }
    }

    /// <summary>Waits for one of them and takes what is there.</summary>
    private void Turn(Collector[] streams, UnixStream[] sockets, Waiter waiter, Deadline deadline, bool writable)
    {
        Span<int> files = [-1, -1, -1, process.Fd];
        for (int i = 0; i < sockets.Length; i++)
        {
            files[i] = streams[i].IsOver ? -1 : sockets[i].Fd;
        }

        int ready = waiter.Wait(deadline, writable ? 2 : -1, files);
        if (ready < 0)
        {
            throw TimedOut();
        }

        if (ready == 3)
        {
            // What it said last may still be there.
            bool any = false;
            for (int i = 0; i < sockets.Length; i++)
            {
                any |= !streams[i].IsOver && streams[i].Take(sockets[i]);
            }

            if (!any && !Array.TrueForAll(streams, stream => stream.IsWhole))
            {
                throw Lost("ended");
            }
        }
        else if (!(writable && ready == 2))
        {
            streams[ready].Take(sockets[ready]);
        }
    }

    private StratoException TimedOut() => new(StratoErrorKind.Timeout, "CommandTimeout", $"The command in the VM '{name}' did not end in time; the VM was turned off.") { VmName = name };

    private StratoException Lost(string how) => new(StratoErrorKind.Ended, "CommandLost", $"The guest of VM '{name}' {how} before the command did.") { VmName = name };

    /// <summary>What comes by a port, up to a mark.</summary>
    internal sealed class Collector(byte[] mark, int most)
    {
        private readonly MemoryStream _kept = new();
        private readonly byte[] _buffer = new byte[64 * 1024];

        // The last bytes that came, of which a mark may be the beginning; behind them nothing is kept that isn't sure.
        private byte[] _tail = [];

        /// <summary>The mark has come.</summary>
        internal bool IsWhole { get; private set; }

        /// <summary>Nothing comes any more.</summary>
        internal bool IsOver { get; private set; }

        internal bool Truncated { get; private set; }

        internal byte[] Bytes => _kept.ToArray();

        /// <summary>Takes what a socket has; whether there was anything.</summary>
        internal bool Take(UnixStream socket)
        {
            int count = socket.Receive(_buffer);
            if (count == 0)
            {
                IsOver = true;
            }
            else if (count > 0)
            {
                Add(_buffer.AsSpan(0, count));
            }

            return count > 0;
        }

        internal void Add(ReadOnlySpan<byte> bytes)
        {
            if (IsWhole)
            {
                return;
            }

            byte[] all = [.. _tail, .. bytes];
            int at = all.AsSpan().IndexOf(mark);
            if (at >= 0)
            {
                Keep(all.AsSpan(0, at));
                IsWhole = true;
                return;
            }

            int sure = Math.Max(0, all.Length - mark.Length + 1);
            Keep(all.AsSpan(0, sure));
            _tail = all[sure..];
        }

        private void Keep(ReadOnlySpan<byte> bytes)
        {
            int room = most - (int)_kept.Length;
            if (bytes.Length > room)
            {
                Truncated = true;
                bytes = bytes[..room];
            }

            _kept.Write(bytes);
        }
    }
}
