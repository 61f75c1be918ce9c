using System;
using System.Collections.Generic;
using System.IO;
using Strato.Client.Linux;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>Starts passt for an engine, which gets the socket: one that runs may start no program any more (seccomp), and one that starts needn't.</summary>
internal static class PasstStarter
{
    /// <param name="forwards">The host's ports that lead to the guest.</param>
    /// <param name="searchPath">Folders divided by colons.</param>
    /// <param name="id">The interface's, for errors.</param>
    /// <returns>The engine's end of the connection. Passt ends when all of that end's descriptors are closed.</returns>
    /// <exception cref="StratoException">PasstNotFound, PasstFailed.</exception>
    internal static unsafe FileDescriptor Start(IReadOnlyList<PortForward> forwards, string searchPath, string id)
    {
        string program = ProgramPath.Find(PasstCommand.Program, searchPath) ?? throw new StratoException(
            StratoErrorKind.NotFound, "PasstNotFound", $"The network adapter '{id}' needs the program '{PasstCommand.Program}', which isn't on PATH.")
        {
            RecommendedAction = ReadinessPipe.ActionFor("PasstNotFound"),
        };
        Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor other);
        string log = Path.Combine(Path.GetTempPath(), $"strato-passt-{Guid.NewGuid():N}");
        try
        {
            using FileDescriptor far = other;
            Libc.SetSendBuffer(near.Value, PasstCommand.BufferBytes);
            Libc.SetSendBuffer(far.Value, PasstCommand.BufferBytes);

            // It goes into the background when it serves; until then a failure is told by its exit code.
            int pid = Spawn.Start(program, PasstCommand.Arguments(forwards, 3)[1..], -1, log, far.Value);
            int status;
            while (Libc.waitpid(pid, &status, 0) < 0 && Errno.Last == Errno.EINTR)
            {
            }

            return status == 0 ? near : throw Failed(id, TextTail.Read(log, 1) is [{ Length: > 0 } last] ? last : $"it ended with the status 0x{status:x}");
        }
        catch
        {
            near.Dispose();
            throw;
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static StratoException Failed(string id, string problem) =>
        new(StratoErrorKind.Failed, "PasstFailed", $"The network adapter '{id}' can't have user networking: '{PasstCommand.Program}' can't serve: {problem}");
}
