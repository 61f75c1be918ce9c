using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;
using Strato.Client.Consoles;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>How long the engine may take to read what was sent.</summary>
    private static readonly TimeSpan FormerWriterLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(10);

    /// <summary>Follows the console of a running VM; ends when the VM ends. Errors: <c>VmNotRunning</c>, <c>ConsoleTimeout</c>, <c>ConsoleDisconnected</c>.</summary>
    public ConsoleReader OpenConsole(string id, ConsoleStart start, CancellationToken token = default)
    {
        using EngineProcess process = OpenReady(id, limit: null, token);
        return OpenConsole(id, process, Store.NameOf(id), start, token);
    }

    /// <summary>As <see cref="OpenConsole(string, ConsoleStart, CancellationToken)"/>, but begins at the last lines printed so far, that many.</summary>
    public ConsoleReader OpenConsole(string id, int lines, CancellationToken token = default)
    {
        ConsoleReader reader = OpenConsole(id, ConsoleStart.Beginning, token);
        using ConsoleLogStream? log = TryOpenLog(id);
        long start = log is null ? 0 : log.Start + TextTail.Find(log, lines);
        byte[] skipped = new byte[65536];
        while (reader.Offset < start && reader.Read(skipped.AsSpan(0, (int)Math.Min(skipped.Length, start - reader.Offset)), token) > 0)
        {
        }

        return reader;
    }

    /// <summary>The last lines of this boot's console, or of the last boot's if the VM is stopped; null gives all lines. Escape sequences are kept.</summary>
    /// <remarks>Each is read from the log when it is asked for; a line of more than a million characters comes in pieces.</remarks>
    /// <param name="id">The VM.</param>
    /// <param name="lines">How many of the last; null for all.</param>
    /// <param name="previous">Of the run before the last.</param>
    public IEnumerable<string> TailConsole(string id, int? lines = null, bool previous = false) => ReadLog(GetById(id).Id, lines, previous);

    /// <summary>As <see cref="TailConsole"/>, but all as it came, in one piece. Empty for a VM that printed nothing.</summary>
    public byte[] ReadConsole(string id, int? lines = null, bool previous = false)
    {
        using ConsoleLogStream? log = TryOpenLog(GetById(id).Id, previous);
        if (log is null)
        {
            return [];
        }

        // It may grow meanwhile; what comes then is of the next time.
        long start = lines is { } last ? TextTail.Find(log, last) : 0;
        byte[] bytes = new byte[log.Length - start];
        log.Position = start;
        int count = log.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return count == bytes.Length ? bytes : bytes[..count];
    }

    private IEnumerable<string> ReadLog(string id, int? lines, bool previous)
    {
        using ConsoleLogStream? log = TryOpenLog(id, previous);
        foreach (string line in log is null ? [] : TextTail.Read(log, lines))
        {
            yield return line;
        }
    }

    /// <summary>Types text into the console. Errors: <c>VmNotRunning</c>, <c>ConsoleBusy</c>, <c>ConsoleTimeout</c>, <c>WaitTimeout</c>, <c>VmEnded</c>.</summary>
    /// <remarks>What follows the send includes the guest's echo of it, if the guest echoes.</remarks>
    /// <returns>What matched <see cref="SendOptions.ExpectMatch"/>; null without one.</returns>
    public ConsoleMatch? SendConsole(string id, string text, SendOptions? options = null, CancellationToken token = default)
    {
        options ??= new SendOptions();
        Deadline deadline = Deadline.After(options.Timeout);
        using EngineProcess process = OpenReady(id, options.Timeout, token);
        string name = Store.NameOf(id);
        RuntimeFolder.Check(process.Run.Runtime);
        ConsoleConnection connection = Ask(process, name, () => AttachForSending(process.Run.ConsoleSocket, name, options.Take, token));
        using ConsoleReader reader = new(connection, log: null);
        ConsoleMatcher? matcher = options.ExpectMatch is null ? null : new ConsoleMatcher(options.ExpectMatch);
        byte[] bytes = Encoding.UTF8.GetBytes(options.NoNewline ? text : text + "\n");
        byte[] buffer = new byte[16384];
        using Waiter waiter = new(token);

        // What the guest prints is read while it takes the text: two full buffers could wait for each other else.
        Deadline sendDeadline = Deadline.After(SendLimit).Sooner(deadline);
        _ = Drain(reader, buffer, null, out _, out _);
        int sent = 0;
        while (sent < bytes.Length)
        {
            int count = connection.Stream.Send(bytes.AsSpan(sent));
            sent += Math.Max(count, 0);
            bool had = Drain(reader, buffer, matcher, out ConsoleMatch? early, out bool closed);
            if (early is not null && sent == bytes.Length)
            {
                return early;
            }

            if (count < 0 || (closed && sent < bytes.Length))
            {
                throw Ended(id, name, process, matcher, token);
            }

            token.ThrowIfCancellationRequested();
            if (count == 0 && (had ? sendDeadline.Passed : waiter.Wait(sendDeadline, writable: 1, connection.Fd, connection.Fd) < 0))
            {
                throw new StratoException(StratoErrorKind.Timeout, "ConsoleTimeout", $"The guest of VM '{name}' took {sent} of {bytes.Length} bytes within {SendLimit.TotalSeconds} seconds.") { VmName = name };
            }
        }

        connection.Stream.EndWriting();
        if (matcher is null)
        {
            WaitUntilTaken(connection, reader, buffer, waiter, Deadline.After(FormerWriterLimit).Sooner(sendDeadline));
            return null;
        }

        return Match(id, name, process, reader, matcher, options.ExpectMatch!.ToString(), options.Timeout, deadline, token);
    }

    /// <summary>Becomes the console's writer. A send that came just before may not have left yet, so its place is waited for a moment.</summary>
    private static ConsoleConnection AttachForSending(string socket, string name, bool take, CancellationToken token)
    {
        Deadline deadline = Deadline.After(FormerWriterLimit);
        while (true)
        {
            try
            {
                return ConsoleConnection.Open(socket, name, attach: true, ConsoleStart.Now, take, token);
            }
            catch (StratoException error) when (error.Kind == StratoErrorKind.Busy && !deadline.Passed)
            {
                // The engine tells nobody when the place becomes free.
                _ = token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(10));
                token.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>An interactive session on this process's terminal; run it with <see cref="ConsoleSession.Run"/>. Errors: <c>VmNotRunning</c>, <c>ConsoleBusy</c>, <c>ConsoleTimeout</c>.</summary>
    /// <param name="id">The VM.</param>
    /// <param name="take">Take the keyboard from whoever is attached.</param>
    /// <param name="token">Ends the connecting.</param>
    public ConsoleSession EnterConsole(string id, bool take = false, CancellationToken token = default) => EnterConsoleOn(id, take, input: 0, output: 1, token);

    /// <summary>As <see cref="EnterConsole"/>, on a terminal given by its descriptors.</summary>
    internal ConsoleSession EnterConsoleOn(string id, bool take, int input, int output, CancellationToken token)
    {
        using EngineProcess process = OpenReady(id, limit: null, token);
        RunRecord run = process.Run;
        RuntimeFolder.Check(run.Runtime);
        string name = Store.NameOf(id);
        ConsoleConnection connection = Ask(process, name, () => ConsoleConnection.Open(run.ConsoleSocket, name, attach: true, ConsoleStart.Now, take, token));
        return new ConsoleSession(connection, () => HasEndedSoon(run, token), input, output);
    }

    /// <summary>The socket closes a little before the process is gone.</summary>
    private static bool HasEndedSoon(RunRecord run, CancellationToken token)
    {
        using EngineProcess? process = EngineProcess.TryOpen(run);
        return process is null || process.WaitForEnd(Deadline.After(EndLimit), token);
    }

    private ConsoleReader OpenConsole(string id, EngineProcess process, string name, ConsoleStart start, CancellationToken token)
    {
        RuntimeFolder.Check(process.Run.Runtime);
        ConsoleConnection connection = Ask(process, name, () => ConsoleConnection.Open(process.Run.ConsoleSocket, name, attach: false, start, take: false, token));

        // The engine's ring keeps the last mebibyte; what came before is in the log.
        return new ConsoleReader(connection, connection.Asked < connection.Offset ? TryOpenLog(id) : null);
    }

    private ConsoleLogStream? TryOpenLog(string id, bool previous = false) =>
        previous ? ConsoleLogStream.TryOpenPrevious(Paths.ConsoleLog(id)) : ConsoleLogStream.TryOpen(Paths.ConsoleLog(id));

    /// <summary>Reads until the pattern is found; fails at the end of the VM and of the time.</summary>
    private ConsoleMatch Match(string id, string name, EngineProcess? process, ConsoleReader reader, ConsoleMatcher matcher, string pattern, TimeSpan? timeout, Deadline deadline, CancellationToken token)
    {
        byte[] buffer = new byte[65536];
        using Waiter waiter = new(token);
        while (true)
        {
            int count = reader.TryRead(buffer);
            if (count > 0)
            {
                if (matcher.Feed(buffer.AsSpan(0, count)) is { } found)
                {
                    return found;
                }

                token.ThrowIfCancellationRequested();
                if (!deadline.Passed)
                {
                    continue;
                }
            }
            else if (count == 0)
            {
                throw Ended(id, name, process, matcher, token);
            }

            // A guest that prints without end must not outlast the time.
            if (deadline.Passed || waiter.WaitReadable(deadline, reader.Fd) < 0)
            {
                throw new StratoException(StratoErrorKind.Timeout, "WaitTimeout", $"Nothing on the console of VM '{name}' matched '{pattern}' within {timeout!.Value.TotalSeconds:0.###} seconds. The last line is: {matcher.LastLine}")
                {
                    VmName = name,
                };
            }
        }
    }

    private StratoException Ended(string id, string name, EngineProcess? process, ConsoleMatcher? matcher, CancellationToken token)
    {
        // The connection also closes when another user takes the keyboard.
        if (process is not null && !process.WaitForEnd(Deadline.After(EndLimit), token))
        {
            return new StratoException(StratoErrorKind.Connection, "ConsoleDisconnected", $"The engine of VM '{name}' closed the console's connection; another user may have taken it.") { VmName = name };
        }

        string reason = (process is null ? Registry.WhyStopped(id) : Registry.WhyEnded(id, process.Run)) ?? "It was powered off.";
        string last = matcher is { LastLine.Length: > 0 } ? $" The last line on its console is: {matcher.LastLine}" : "";
        return new StratoException(StratoErrorKind.Ended, "VmEnded", $"The VM '{name}' ended before that. {reason}{last}") { VmName = name };
    }

    /// <summary>Reads what is there, or some of it where a guest prints without end; true if that was something.</summary>
    private static bool Drain(ConsoleReader reader, byte[] buffer, ConsoleMatcher? matcher, out ConsoleMatch? found, out bool closed)
    {
        found = null;
        bool had = false;
        int count = -1;
        for (int turn = 0; turn < 16 && (count = reader.TryRead(buffer)) > 0; turn++)
        {
            had = true;
            found ??= matcher?.Feed(buffer.AsSpan(0, count));
        }

        closed = count == 0;
        return had;
    }

    /// <summary>Waits a moment until the engine has read everything: what it prints to a closed connection would end its reading.</summary>
    private static void WaitUntilTaken(ConsoleConnection connection, ConsoleReader reader, byte[] buffer, Waiter waiter, Deadline deadline)
    {
        // No event tells that the other side has read; the engine reads within a millisecond, so a few looks are enough.
        for (int pause = 1; connection.Stream.UnreadByPeer > 0 && !deadline.Passed; pause = Math.Min(pause * 2, 50))
        {
            _ = Drain(reader, buffer, null, out _, out bool closed);
            if (closed)
            {
                return;
            }

            _ = waiter.WaitReadable(Deadline.After(TimeSpan.FromMilliseconds(pause)), connection.Fd);
        }
    }
}
