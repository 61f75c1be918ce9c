using System;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Engine.Security;

/// <summary>A user namespace (user_namespaces(7)): in it a user who isn't root may shut an engine in.</summary>
/// <remarks>
/// A process with several threads, as a managed one is from its first line on, can't enter one. So the engine has unshare(1)
/// of util-linux enter it and start the engine again: the process stays the same, with its number and its descriptors.
/// </remarks>
internal static class UserNamespace
{
    private const string Program = "unshare";
    private const string Places = "/usr/bin:/bin";

    /// <summary>Whether the engine has to enter one before it can be shut in. Inside it is root, and hasn't.</summary>
    public static bool IsNeeded => Libc.geteuid() != 0;

    /// <summary>Starts the engine again, in a user namespace of its own. Doesn't return.</summary>
    /// <param name="arguments">The engine's own, less its name.</param>
    /// <exception cref="UserErrorException">SandboxRefused.</exception>
    public static void Enter(ReadOnlySpan<string> arguments)
    {
        string program = Libc.FindProgram(Program, $"{Environment.GetEnvironmentVariable("PATH")}:{Places}") ?? throw new UserErrorException(
            "SandboxRefused", $"For who isn't root a sandbox needs the program '{Program}' of util-linux, which isn't on PATH.", "-sandbox");
        string engine = Environment.ProcessPath ?? "/proc/self/exe";
        Libc.Execute(program, [Program, "--user", "--map-root-user", "--", engine, .. arguments], ChildRun.Environment());
        throw new UserErrorException("SandboxRefused", $"'{program}' can't be started: {Errno.Text(Errno.Last)}.", "-sandbox");
    }
}
