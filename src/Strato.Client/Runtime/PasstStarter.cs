using System;
using System.Collections.Generic;
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
    /// <exception cref="StratoException">PasstNotFound, PasstFailed, StartTimeout, and those of <see cref="PortProbe"/>.</exception>
    internal static FileDescriptor Start(IReadOnlyList<PortForward> forwards, string searchPath, string id, Deadline deadline, CancellationToken token)
    {
        string program = ProgramPath.Find(PasstCommand.Program, searchPath) ?? throw new StratoException(
            StratoErrorKind.NotFound, "PasstNotFound", $"The network adapter '{id}' needs the program '{PasstCommand.Program}', which isn't on PATH.")
        {
            RecommendedAction = ReadinessPipe.ActionFor("PasstNotFound"),
        };
        PortProbe.Check(forwards, id);
        Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor other);
        try
        {
            using FileDescriptor far = other;
            Libc.SetSendBuffer(near.Value, PasstCommand.BufferBytes);
            Libc.SetSendBuffer(far.Value, PasstCommand.BufferBytes);

            // It goes into the background when it serves; until then a failure is told by its exit code.
            HostProgram.Outcome outcome = HostProgram.Run(program, PasstCommand.Arguments(forwards, 3)[1..], far.Value, deadline, token);
            return outcome.Status == 0 ? near : throw new StratoException(
                StratoErrorKind.Failed, "PasstFailed", $"The network adapter '{id}' can't have user networking: '{PasstCommand.Program}' can't serve: {outcome.Problem}");
        }
        catch (TimeoutException)
        {
            near.Dispose();
            throw new StratoException(StratoErrorKind.Timeout, "StartTimeout", $"The network adapter '{id}' can't have user networking: '{PasstCommand.Program}' did not serve in time and was ended.");
        }
        catch
        {
            near.Dispose();
            throw;
        }
    }
}
