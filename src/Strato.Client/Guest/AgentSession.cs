using System;
using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client.Guest;

/// <summary>The QEMU guest agent of a running VM, in this process's turn: one user at a time, by a lock in the VM's runtime folder.</summary>
/// <remarks>
/// <para>The protocol (qga/qapi-schema.json of QEMU): a line of JSON each way over the console port <see cref="PortName"/>. It has no ids, so
/// each connection begins with guest-sync-delimited: a byte 0xFF, which makes the agent forget a request that was cut off, and a random number, whose answer
/// comes after a byte 0xFF; all before it was meant for somebody else and is dropped. After any failure the connection is closed, so
/// that the answer which comes late is dropped in the same way.</para>
/// <para>The engine reads from the socket only while something in the guest has the port open: what is sent before that waits, and
/// reaches the agent when it comes. So waiting for an agent is waiting for the answer, and nothing has to ask again and again.</para>
/// <para>What comes is the guest's, and may be anything: lengths are bounded, and every wait has an end. One thread at a time.</para>
/// </remarks>
internal sealed class AgentSession : IDisposable
{
    /// <summary>Name of the port on which an agent is found, in the guest as on the host.</summary>
    internal const string PortName = "org.qemu.guest_agent.0";

    /// <summary>The lock's name in the running VM's own folder.</summary>
    internal const string LockName = "agent.lock";

    /// <summary>How long an agent may take for the first answer of a connection.</summary>
    internal static readonly TimeSpan SyncLimit = TimeSpan.FromSeconds(10);

    /// <summary>How long it may take for each other answer, and others to leave it to this one.</summary>
    internal static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(30);

    /// <summary>Bytes of an answer, unless more is said.</summary>
    internal const int PlainAnswer = 1 << 20;

    private const byte Delimiter = 0xff;
    private const int MostSyncLine = 4096;

    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    // What Ctrl-C may wait for, 200 ms in all. An agent that had nobody on the other side looks at its port every 100 ms.
    private static readonly TimeSpan LastWord = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LastWordOfNew = TimeSpan.FromMilliseconds(140);
    private static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);

    // A request that an agent took before it ended (or before the guest was reset) is answered by nobody: it is sent again.
    private static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(3);

    private readonly EngineProcess _process;
    private readonly string _vmName;
    private readonly string _socket;
    private readonly string _lockPath;
    private readonly Func<string?> _whyEnded;
    private readonly CancellationToken _token;
    private readonly Waiter _waiter;
    private FileLock? _lock;
    private UnixStream? _stream;
    private byte[] _buffer = new byte[8192];
    private int _filled;

    /// <param name="process">The engine; the session owns it from now on.</param>
    /// <param name="vmName">For messages.</param>
    /// <param name="socket">The port's socket.</param>
    /// <param name="whyEnded">Tells why the VM ended, once it did.</param>
    /// <param name="token">Ends every wait.</param>
    internal AgentSession(EngineProcess process, string vmName, string socket, Func<string?> whyEnded, CancellationToken token)
    {
        _process = process;
        _vmName = vmName;
        _socket = socket;
        _lockPath = System.IO.Path.Combine(process.Run.Runtime, LockName);
        _whyEnded = whyEnded;
        _token = token;
        _waiter = new Waiter(token);
    }

    internal string VmName => _vmName;

    /// <summary>Whether the agent is kept from others now.</summary>
    internal bool IsOpen => _stream is not null;

    /// <summary>One command; its <c>return</c>.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Writes the members of its arguments; null for none.</param>
    /// <param name="limit">How long it may take, beyond <see cref="AnswerLimit"/> never.</param>
    /// <param name="most">Bytes that the answer may have.</param>
    /// <exception cref="StratoException"><c>GuestAgentTimeout</c>, <c>GuestAgentBusy</c>, <c>GuestAgentDisconnected</c>, <c>GuestAgentProtocol</c>, <c>VmEnded</c>; <c>GuestCommandUnavailable</c> and <c>GuestAgentError</c>, what the agent says.</exception>
    internal JsonElement Execute(string command, Action<Utf8JsonWriter>? arguments, Deadline limit, int most = PlainAnswer)
    {
        Open(SyncLimit, limit);
        try
        {
            Deadline deadline = Deadline.After(AnswerLimit).Sooner(limit);
            Send(Format(command, arguments), deadline);
            return Result(ReadAnswer(deadline, most, command), command);
        }
        catch (StratoException e) when (e.Id is "GuestAgentError" or "GuestCommandUnavailable")
        {
            throw;
        }
        catch (Exception e)
        {
            // With its answer taken, the connection can be used for what is still to be said.
            if (!AwaitLeftAnswers(1, LastWord) || e is not OperationCanceledException)
            {
                Release();
            }

            throw;
        }
    }

    /// <summary>Takes the agent, and waits until it answers.</summary>
    /// <param name="sync">How long the agent may take; null is as long as the limit.</param>
    /// <param name="limit">The end of the wait for the agent, and of that for others who use it.</param>
    internal void Open(TimeSpan? sync, Deadline limit)
    {
        if (_stream is not null)
        {
            return;
        }

        try
        {
            Take(sync is null ? limit : Deadline.After(AnswerLimit).Sooner(limit));
            Connect();
            Synchronize(sync is null ? limit : Deadline.After(sync).Sooner(limit));
        }
        catch
        {
            _ = AwaitLeftAnswers(2, LastWordOfNew);
            Release();
            throw;
        }
    }

    /// <summary>Lets others use the agent; the next command takes it again.</summary>
    internal void Release()
    {
        _stream?.Dispose();
        _stream = null;
        _filled = 0;
        _lock?.Dispose();
        _lock = null;
    }

    /// <summary>Gives others a turn, after this one was long: they look at the lock every 20 ms.</summary>
    internal void Yield()
    {
        Release();
        Pause(TimeSpan.FromMilliseconds(30), Deadline.Never);
    }

    /// <summary>Lets time pass; ends at once with the VM (<c>VmEnded</c>).</summary>
    internal void Pause(TimeSpan time, Deadline limit)
    {
        if (_waiter.WaitReadable(Deadline.After(time).Sooner(limit), _process.Fd) == 0)
        {
            throw Ended();
        }
    }

    /// <summary>Sends a command whose answer means nothing, also after a cancellation; takes a fifth of a second at most.</summary>
    internal void Tell(string command, Action<Utf8JsonWriter> arguments)
    {
        try
        {
            Deadline deadline = Deadline.After(LastWord);
            TimeSpan patience = _stream is null ? LastWordOfNew : LastWord;
            _lock ??= FileLock.TryTake(_lockPath, deadline, CancellationToken.None);
            if (_lock is null || (_stream is null && UnixStream.TryConnect(_socket, out _stream) != ConnectOutcome.Connected))
            {
                return;
            }

            using Waiter waiter = new(CancellationToken.None);
            if (_stream!.SendAll([Delimiter, .. Format(command, arguments)], waiter, deadline))
            {
                _ = AwaitLeftAnswers(2, patience);
            }
        }
        catch (Exception e) when (e is StratoException or TimeoutException)
        {
            // It was worth a try; the error that brought us here is told.
        }
        finally
        {
            Release();
        }
    }

    public void Dispose()
    {
        Release();
        _waiter.Dispose();
        _process.Dispose();
    }

    private void Take(Deadline limit)
    {
        while ((_lock = FileLock.TryTake(_lockPath, Deadline.After(Slice).Sooner(limit), _token)) is null)
        {
            if (_process.WaitForEnd(Deadline.After(TimeSpan.Zero), _token))
            {
                throw Ended();
            }

            if (limit.Passed)
            {
                throw new StratoException(StratoErrorKind.Busy, "GuestAgentBusy", $"The guest agent of VM '{_vmName}' is used by others; it did not become free in time.") { VmName = _vmName };
            }
        }
    }

    private void Connect()
    {
        switch (UnixStream.TryConnect(_socket, out _stream))
        {
            case ConnectOutcome.Nobody:
                throw Lost();
            case ConnectOutcome.Busy:
                throw new StratoException(StratoErrorKind.Busy, "GuestAgentBusy", $"Many others are connected to '{_socket}', the guest agent's port of VM '{_vmName}'.") { VmName = _vmName };
        }
    }

    private void Synchronize(Deadline deadline)
    {
        // Below 2^53, which is what every JSON parser keeps.
        long id = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))) & ((1L << 52) - 1);
        byte[] request = [Delimiter, .. Format("guest-sync-delimited", json => json.WriteNumber("id", id))];
        Send(request, deadline);
        Deadline again = Deadline.After(AskAgain);
        while (true)
        {
            if (again.Passed)
            {
                // What the engine hasn't read yet still waits for an agent: more of the same would wait behind it.
                if (_stream!.UnreadByPeer == 0)
                {
                    Send(request, deadline);
                }

                again = Deadline.After(AskAgain);
            }

            if (!Receive(again.Sooner(deadline), MostSyncLine))
            {
                if (deadline.Passed)
                {
                    throw Silent(_stream!.UnreadByPeer > 0
                        ? "nothing in the guest has its port open"
                        : "what has its port open in the guest doesn't answer");
                }

                continue;
            }

            while (TakeSynchronized(out JsonElement answer))
            {
                if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("return", out JsonElement returned)
                    && returned.ValueKind == JsonValueKind.Number && returned.TryGetInt64(out long value) && value == id)
                {
                    return;
                }
            }
        }
    }

    /// <summary>Drops what comes before a delimiter, and takes the line behind it; false when there is no whole one. Anything that isn't JSON is no answer.</summary>
    private bool TakeSynchronized(out JsonElement answer)
    {
        answer = default;
        int start = _buffer.AsSpan(0, _filled).IndexOf(Delimiter);
        if (start < 0)
        {
            _filled = 0;
            return false;
        }

        Drop(start);
        int end = _buffer.AsSpan(0, _filled).IndexOf((byte)'\n');
        if (end < 0)
        {
            // A line without an end isn't ours.
            if (_filled >= MostSyncLine)
            {
                Drop(1);
            }

            return false;
        }

        // Another delimiter in the line begins another answer.
        int last = _buffer.AsSpan(0, end).LastIndexOf(Delimiter);
        _ = TryParse(_buffer.AsMemory(last + 1, end - last - 1), out answer);
        Drop(end + 1);
        return true;
    }

    private JsonElement ReadAnswer(Deadline deadline, int most, string command)
    {
        int seen = 0;
        while (true)
        {
            int end = _buffer.AsSpan(seen, _filled - seen).IndexOf((byte)'\n');
            if (end >= 0)
            {
                end += seen;
                if (_buffer[0] == Delimiter)
                {
                    // The number was asked for twice, and comes twice.
                    Drop(end + 1);
                    seen = 0;
                    continue;
                }

                bool good = TryParse(_buffer.AsMemory(0, end), out JsonElement answer);
                string text = good ? "" : Shown(_buffer.AsSpan(0, end));
                Drop(end + 1);
                if (good && IsOfDelimiter(answer))
                {
                    seen = 0;
                    continue;
                }

                return good ? answer : throw Protocol($"answers '{command}' with something that is not JSON: {text}");
            }

            seen = _filled;
            if (_filled >= most)
            {
                throw Protocol($"answers '{command}' with more than {most} bytes");
            }

            if (!Receive(deadline, most))
            {
                throw Silent($"it took longer than that for '{command}'");
            }
        }
    }

    /// <summary>What an agent says to a delimiter, which it takes for the end of a request that it can't read; requests of this class can be read.</summary>
    private static bool IsOfDelimiter(JsonElement answer) => answer.ValueKind == JsonValueKind.Object
        && answer.TryGetProperty("error", out JsonElement error) && error.ValueKind == JsonValueKind.Object
        && QmpCommand.Text(error, "desc") is { } said && said.StartsWith("JSON parse error", StringComparison.Ordinal);

    /// <summary>Waits for bytes, and adds them to the buffer; false when the time is over.</summary>
    private bool Receive(Deadline deadline, int most)
    {
        if (_filled == _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length, Math.Min(most, _buffer.Length * 2)) + 1);
        }

        while (true)
        {
            // Looked at first, for a guest that prints without end must not outlast the time.
            _token.ThrowIfCancellationRequested();
            if (deadline.Passed)
            {
                return false;
            }

            int count = _stream!.Receive(_buffer.AsSpan(_filled));
            if (count > 0)
            {
                _filled += count;
                return true;
            }

            if (count == 0)
            {
                throw Lost();
            }

            switch (_waiter.WaitReadable(deadline, _stream.Fd, _process.Fd))
            {
                case 1:
                    throw Ended();
                case < 0:
                    return false;
            }
        }
    }

    private void Send(ReadOnlySpan<byte> bytes, Deadline deadline)
    {
        try
        {
            if (!_stream!.SendAll(bytes, _waiter, deadline))
            {
                throw Lost();
            }
        }
        catch (TimeoutException)
        {
            throw Silent("it takes nothing more");
        }
    }

    /// <summary>Gives the agent a moment for what it was asked last, before the connection is closed.</summary>
    /// <remarks>
    /// QEMU's agent writes again and again, with all of a processor, into a port on whose other side nobody is. What it has not been given yet, the
    /// engine drops with the connection.
    /// </remarks>
    /// <param name="lines">Lines that are to come: one a request, and one for a delimiter, which it answers with an error.</param>
    /// <param name="patience">How long they may take.</param>
    /// <returns>Whether all have come.</returns>
    private bool AwaitLeftAnswers(int lines, TimeSpan patience)
    {
        if (_stream is null)
        {
            return false;
        }

        using Waiter waiter = new(CancellationToken.None);
        Deadline deadline = Deadline.After(patience);
        Span<byte> dropped = stackalloc byte[4096];
        while (lines > 0 && !deadline.Passed)
        {
            int count = _stream.Receive(dropped);
            if (count == 0)
            {
                return false;
            }

            if (count < 0)
            {
                _ = waiter.WaitReadable(deadline, _stream.Fd);
                continue;
            }

            lines -= dropped[..count].Count((byte)'\n');
        }

        _filled = 0;
        return lines <= 0;
    }

    private void Drop(int count)
    {
        _buffer.AsSpan(count, _filled - count).CopyTo(_buffer);
        _filled -= count;
    }

    private static byte[] Format(string command, Action<Utf8JsonWriter>? arguments)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            json.WriteString("execute", command);
            if (arguments is not null)
            {
                json.WriteStartObject("arguments");
                arguments(json);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }

    private static bool TryParse(ReadOnlyMemory<byte> line, out JsonElement value)
    {
        try
        {
            value = ReceivedJson.Parse(line);
            return true;
        }
        catch (JsonException)
        {
            value = default;
            return false;
        }
    }

    private JsonElement Result(JsonElement answer, string command)
    {
        if (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("return", out JsonElement value))
        {
            return value;
        }

        if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("error", out JsonElement error) || error.ValueKind != JsonValueKind.Object)
        {
            throw Protocol($"answers '{command}' with neither return nor error: {Shown(Encoding.UTF8.GetBytes(answer.GetRawText()))}");
        }

        string said = TerminalText.Plain(QmpCommand.Text(error, "desc") ?? error.GetRawText());
        throw QmpCommand.Text(error, "class") == "CommandNotFound"
            ? new StratoException(StratoErrorKind.Unavailable, "GuestCommandUnavailable", $"The guest agent of VM '{_vmName}' doesn't do '{command}': {said}")
            {
                VmName = _vmName,
                Where = command,
                RecommendedAction = "In the guest, take the command from the list that is blocked (block-rpcs, blacklist) in /etc/qemu/qemu-ga.conf or in the options of qemu-ga, or install a newer qemu-guest-agent.",
            }
            : new StratoException(StratoErrorKind.Failed, "GuestAgentError", said) { VmName = _vmName, Where = command };
    }

    /// <summary>The beginning of what a guest sent, safe for a terminal.</summary>
    private static string Shown(ReadOnlySpan<byte> bytes)
    {
        const int Most = 200;
        string text = TerminalText.Plain(Encoding.UTF8.GetString(bytes[..Math.Min(bytes.Length, Most)]));
        return bytes.Length > Most ? text + "…" : text;
    }

    private StratoException Protocol(string what) =>
        new(StratoErrorKind.Connection, "GuestAgentProtocol", $"What listens as guest agent of VM '{_vmName}' {what}") { VmName = _vmName };

    private StratoException Silent(string detail) =>
        new(StratoErrorKind.Timeout, "GuestAgentTimeout", $"No guest agent of VM '{_vmName}' answered in time: {detail}.")
        {
            VmName = _vmName,
            RecommendedAction = $"Install qemu-guest-agent in the guest and start it (systemctl start qemu-guest-agent); Wait-StratoVm '{_vmName}' -For GuestAgent waits while the guest boots. Resume-StratoVm lets a paused VM go on.",
        };

    /// <summary>The connection ended: mostly since the VM did, whose sockets close a little before its process is gone.</summary>
    private StratoException Lost() => _process.WaitForEnd(Deadline.After(EndGrace), _token)
        ? Ended()
        : new StratoException(StratoErrorKind.Connection, "GuestAgentDisconnected", $"The connection to the guest agent of VM '{_vmName}' ended, or its port '{_socket}' isn't there.") { VmName = _vmName };

    private StratoException Ended() =>
        new(StratoErrorKind.Ended, "VmEnded", $"The VM '{_vmName}' ended before its guest agent answered. {_whyEnded() ?? "It was powered off."}") { VmName = _vmName };
}
