using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Runs a program of the host's to its end.</summary>
internal static unsafe class HostProgram
{
    /// <summary>Lines of what it said that are kept.</summary>
    private const int KeptLines = 20;

    /// <param name="path">The program.</param>
    /// <param name="arguments">Without its name.</param>
    /// <param name="passed">Descriptor that becomes its descriptor 3; -1 for none.</param>
    /// <param name="deadline">It is ended then.</param>
    /// <param name="token">Ends the wait, and the program.</param>
    /// <param name="leave">Of one that has to tidy up after itself: told of it when it isn't waited for any more. It was asked to end then (SIGTERM), and killing it is up to the caller; null kills it at once.</param>
    /// <returns>The status of waitpid(2), and the last of what it said.</returns>
    /// <exception cref="TimeoutException">It was ended at the deadline.</exception>
    internal static Outcome Run(string path, IReadOnlyList<string> arguments, int passed, Deadline deadline, CancellationToken token, Action<ChildWatch>? leave = null)
    {
        token.ThrowIfCancellationRequested();
        using FileDescriptor messages = Libc.CreateMemoryFile("messages\0"u8);
        string log = messages.IsInvalid ? "/dev/null" : string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{messages.Value}");
        int pid = Spawn.Start(path, arguments, -1, log, passed);
        int status = Await(pid, deadline, leave, token);
        return new(status, [.. TextTail.Read(log, KeptLines).Where(line => line.Length > 0)]);
    }

    private static int Await(int pid, Deadline deadline, Action<ChildWatch>? leave, CancellationToken token)
    {
        bool ended = false;
        try
        {
            using FileDescriptor pidfd = new(Libc.PidfdOpen(pid));
            if (pidfd.IsInvalid)
            {
                throw EngineProcess.PidfdFailed(pid, Errno.Last);
            }

            using Waiter waiter = new(token);
            ended = waiter.WaitReadable(deadline, pidfd.Value) == 0;
        }
        finally
        {
            if (!ended)
            {
                // It leads a session, and so a group, of its own; nobody has reaped it, so the number is still its own.
                _ = Libc.kill(-pid, leave is null ? Libc.SIGKILL : Libc.SIGTERM);
                ChildWatch child = ChildWatch.Begin(pid, 0, exitFile: null);
                if (leave is not null)
                {
                    leave(child);
                }
                else
                {
                    // One that hangs in the kernel is waited for by that thread alone: Ctrl-C is to be quick.
                    child.Wait(TimeSpan.FromMilliseconds(100));
                }
            }
        }

        if (!ended)
        {
            throw new TimeoutException();
        }

        int status;
        while (Libc.waitpid(pid, &status, 0) < 0 && Errno.Last == Errno.EINTR)
        {
        }

        return status;
    }

    /// <param name="Status">Of waitpid(2); 0 is good.</param>
    /// <param name="Lines">What it said, without empty lines.</param>
    internal readonly record struct Outcome(int Status, IReadOnlyList<string> Lines)
    {
        /// <summary>What is wrong, in its own words where it has some.</summary>
        internal string Problem => Lines.Count > 0 ? Lines[^1] : $"it ended with the status 0x{Status:x}";
    }
}
