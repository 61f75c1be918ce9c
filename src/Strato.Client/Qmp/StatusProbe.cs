using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using Strato.Client.Linux;
using Strato.Protocol.Qmp;

namespace Strato.Client.Qmp;

/// <summary>Asks many engines for their status at once, from one thread, within one time limit for all.</summary>
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

    internal readonly record struct Result(Outcome Outcome, JsonElement Status);

    // Sent at once, without waiting for the greeting: one round for everything.
    private static ReadOnlySpan<byte> Question => "{\"execute\":\"qmp_capabilities\",\"id\":1}\n{\"execute\":\"query-status\",\"id\":2}\n"u8;

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
                Result? result = Read(streams[ready]!, framers[ready]);
                if (result is not null)
                {
                    results[ready] = result.Value;
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

    /// <summary>Null while the answer is not there yet.</summary>
    private static Result? Read(UnixStream stream, QmpFramer framer)
    {
        int count = stream.Receive(framer.GetSpan());
        if (count == 0)
        {
            return new Result(Outcome.Nobody, default);
        }

        framer.Advance(Math.Max(count, 0));
        try
        {
            while (QmpCommand.TryTake(framer, out JsonElement message))
            {
                if (QmpCommand.Answers(message, 2))
                {
                    return new Result(Outcome.Answered, QmpCommand.Result(message, "query-status", null));
                }
            }
        }
        catch (StratoException)
        {
            return new Result(Outcome.Nobody, default);
        }

        return null;
    }
}
