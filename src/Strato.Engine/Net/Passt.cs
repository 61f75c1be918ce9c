using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Security;
using Strato.Protocol;
using Strato.Protocol.Configuration;

namespace Strato.Engine.Net;

/// <summary>User networking without rights: passt(1), a program of Debian's, turns the guest's packets into sockets of the host.</summary>
/// <remarks>
/// It gets one end of a socket pair, so that there is nothing in the file system. It goes into the background when it serves, and
/// until then a failure is told by its exit code; it ends when the engine's end of the pair is closed, however the engine ends.
/// Started by root it becomes nobody by itself.
/// </remarks>
internal static class Passt
{
    public const string Program = PasstCommand.Program;

    /// <param name="forwards">The host's ports that lead to the guest.</param>
    /// <param name="searchPath">Where the program is looked for: folders divided by colons.</param>
    /// <param name="id">The user's name of the device, for errors.</param>
    /// <param name="where">The option that asked for it, for errors.</param>
    /// <exception cref="UserErrorException">PasstForbidden, SandboxedEngine, PasstNotFound, PasstFailed.</exception>
    public static StreamBackend Start(IReadOnlyList<PortForward> forwards, string? searchPath, string id, string where)
    {
        if (Seccomp.IsOn)
        {
            throw new UserErrorException(
                "PasstForbidden",
                $"net '{id}': user networking can't be added while seccomp is on, which forbids to start '{Program}'; start it yourself and add a netdev of type stream that leads to it, or start the engine with -disable-seccomp",
                where);
        }

        FileSets.CheckPaths(Program, "start it yourself with '--fd', pass the other end of its socket pair by getfd, and give a netdev of type stream the name as 'fd'");
        string program = Libc.FindProgram(Program, searchPath) ?? throw new UserErrorException(
            "PasstNotFound",
            $"net '{id}': user networking needs the program '{Program}', which isn't on PATH; Debian has it in the package '{Program}'",
            where);
        Libc.CreateSocketPair(out FileDescriptor near, out FileDescriptor far);
        Libc.SetSendBuffer(near.Value, PasstCommand.BufferBytes);
        Libc.SetSendBuffer(far.Value, PasstCommand.BufferBytes);
        string? failure;
        using (far)
        {
            failure = ChildRun.Run(program, Arguments(forwards), far);
        }

        if (failure is not null)
        {
            near.Dispose();
            throw new UserErrorException("PasstFailed", $"net '{id}': '{program}' can't serve: {failure}", where);
        }

        return new StreamBackend(near, Program);
    }

    /// <summary>All of argv.</summary>
    internal static string[] Arguments(IReadOnlyList<PortForward> forwards) => PasstCommand.Arguments(forwards, ChildRun.Inherited);
}
