using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Strato.Client.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>Starts passt for an engine, which gets the socket: one that runs may start no program any more (seccomp), and one that starts needn't.</summary>
internal static class PasstStarter
{
    /// <param name="forwards">The host's ports that lead to the guest.</param>
    /// <param name="searchPath">Folders divided by colons.</param>
    /// <param name="id">The interface's, for errors.</param>
    /// <param name="deadline">Passt is ended when it doesn't serve by then.</param>
    /// <param name="token">Ends the wait, and passt.</param>
    /// <returns>The engine's end of the connection. Passt ends when all of that end's descriptors are closed.</returns>
    /// <exception cref="StratoException">PasstNotFound, PasstFailed, StartTimeout.</exception>
    internal static FileDescriptor Start(IReadOnlyList<PortForward> forwards, string searchPath, string id, Deadline deadline, CancellationToken token)
    {
        string program = ProgramPath.Find(PasstCommand.Program, searchPath) ?? throw new StratoException(
            StratoErrorKind.NotFound, "PasstNotFound", $"The network adapter '{id}' needs the program '{PasstCommand.Program}', which isn't on PATH.")
        {
            RecommendedAction = ReadinessPipe.ActionFor("PasstNotFound"),
        };
        Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor other);
        using FileDescriptor messages = Libc.CreateMemoryFile("passt\0"u8);
        string log = messages.IsInvalid ? "/dev/null" : string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{messages.Value}");
        try
        {
            using FileDescriptor far = other;
            Libc.SetSendBuffer(near.Value, PasstCommand.BufferBytes);
            Libc.SetSendBuffer(far.Value, PasstCommand.BufferBytes);

            // It goes into the background when it serves; until then a failure is told by its exit code.
            int pid = Spawn.Start(program, PasstCommand.Arguments(forwards, 3)[1..], -1, log, far.Value);
            int status = Await(pid, id, deadline, token);
            return status == 0 ? near : throw Failed(id, TextTail.Read(log, 1) is [{ Length: > 0 } last] ? last : $"it ended with the status 0x{status:x}");
        }
        catch
        {
            near.Dispose();
            throw;
        }
    }

    /// <summary>The status of waitpid(2).</summary>
    private static unsafe int Await(int pid, string id, Deadline deadline, CancellationToken token)
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
                _ = Libc.kill(-pid, Libc.SIGKILL);
                ChildWatch.Begin(pid, 0, exitFile: null).Wait(TimeSpan.FromSeconds(5));
            }
        }

        if (!ended)
        {
            throw new StratoException(StratoErrorKind.Timeout, "StartTimeout", $"The network adapter '{id}' can't have user networking: '{PasstCommand.Program}' did not serve in time and was ended.");
        }

        int status;
        while (Libc.waitpid(pid, &status, 0) < 0 && Errno.Last == Errno.EINTR)
        {
        }

        return status;
    }

    private static StratoException Failed(string id, string problem) =>
        new(StratoErrorKind.Failed, "PasstFailed", $"The network adapter '{id}' can't have user networking: '{PasstCommand.Program}' can't serve: {problem}");
}
