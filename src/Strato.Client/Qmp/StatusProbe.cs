using System;
using System.Collections.Generic;
using System.Text;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Protocol.Qmp;

namespace Strato.Client.Qmp;

/// <summary>Asks many engines for their status, and what their guests have and use of memory, at once, from one thread, within one time limit for all.</summary>
internal static class StatusProbe
{
    internal enum Outcome
    {
        /// <summary>No answer came in time.</summary>
        Silent,

        /// <summary>Nobody listens on the socket, or the connection broke.</summary>
        Nobody,

        /// <summary>The engine said its state.</summary>
        Answered,
    }

    /// <param name="Outcome">What came.</param>
    /// <param name="Status">Answer to query-status.</param>
    /// <param name="Memory">Bytes that the guest has, where a balloon tells; else null.</param>
    /// <param name="Used">Bytes that it uses, where it tells; else null.</param>
    /// <param name="Package">What the engine's greeting calls it; null where it doesn't.</param>
    internal readonly record struct Result(Outcome Outcome, JsonElement Status, long? Memory = null, long? Used = null, string? Package = null);

    // Sent at once, without waiting for the greeting: one round for everything.
    private static readonly byte[] Question = Encoding.UTF8.GetBytes(
        $"{{\"execute\":\"qmp_capabilities\",\"id\":1}}\n{{\"execute\":\"query-status\",\"id\":2}}\n{{\"execute\":\"query-balloon\",\"id\":3}}\n{{\"execute\":{GuestMemory.Question},\"id\":4}}\n");

    internal static Result[] Ask(IReadOnlyList<string?> sockets, TimeSpan limit, CancellationToken token)
    {
        Deadline deadline = Deadline.After(limit);
        Result[] results = new Result[sockets.Count];
        UnixStream?[] streams = new UnixStream?[sockets.Count];
        QmpFramer[] framers = new QmpFramer[sockets.Count];
        int[] descriptors = new int[sockets.Count];
        using Waiter waiter = new(token);
        try
        {
            for (int i = 0; i < sockets.Count; i++)
            {
                descriptors[i] = -1;
                framers[i] = QmpCommand.NewFramer();
                ConnectOutcome outcome = ConnectOutcome.Nobody;
                try
                {
                    outcome = sockets[i] is { } path ? UnixStream.TryConnect(path, out streams[i]) : ConnectOutcome.Nobody;
                }
                catch (StratoException)
                {
                    // A socket that may not be opened is as good as none.
                }

                bool sent = outcome == ConnectOutcome.Connected && streams[i]!.Send(Question) == Question.Length;
                descriptors[i] = sent ? streams[i]!.Fd : -1;
                results[i] = new Result(sent || outcome == ConnectOutcome.Busy ? Outcome.Silent : Outcome.Nobody, default);
            }

            while (Array.Exists(descriptors, static fd => fd >= 0) && waiter.WaitReadable(deadline, descriptors) is int ready and >= 0)
            {
                if (Read(streams[ready]!, framers[ready], ref results[ready]))
                {
                    descriptors[ready] = -1;
                }
            }

            return results;
        }
        finally
        {
            foreach (UnixStream? stream in streams)
            {
                stream?.Dispose();
            }
        }
    }

    /// <summary>False while an answer is not there yet.</summary>
    private static bool Read(UnixStream stream, QmpFramer framer, ref Result result)
    {
        int count = stream.Receive(framer.GetSpan());
        if (count == 0)
        {
            result = result.Outcome == Outcome.Answered ? result : new Result(Outcome.Nobody, default);
            return true;
        }

        framer.Advance(Math.Max(count, 0));
        try
        {
            while (QmpCommand.TryTake(framer, out JsonElement message))
            {
                if (message.ValueKind == JsonValueKind.Object && message.TryGetProperty("QMP", out JsonElement greeting))
                {
                    result = result with { Package = PackageOf(greeting) };
                }
                else if (QmpCommand.Answers(message, 2))
                {
                    result = result with { Outcome = Outcome.Answered, Status = QmpCommand.Result(message, "query-status", null) };
                }
                else if (QmpCommand.Answers(message, 3))
                {
                    result = result with { Memory = GuestMemory.Actual(Answer(message)) };
                }
                else if (QmpCommand.Answers(message, 4))
                {
                    result = result with { Used = GuestMemory.Used(Answer(message)) };
                    return true;
                }
            }
        }
        catch (StratoException)
        {
            result = new Result(Outcome.Nobody, default);
            return true;
        }

        return false;
    }

    private static string? PackageOf(JsonElement greeting) =>
        greeting.ValueKind == JsonValueKind.Object && greeting.TryGetProperty("version", out JsonElement version)
        && version.ValueKind == JsonValueKind.Object
            ? QmpCommand.Text(version, "package")
            : null;

    /// <summary>Nothing where the engine answers with an error.</summary>
    private static JsonElement Answer(JsonElement message) => message.TryGetProperty("return", out JsonElement answer) ? answer : default;
}
