using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;

namespace Strato.Client.Images;

/// <summary>Programs of the host's that make images.</summary>
internal static class HostTool
{
    private const string MoreFolders = ":/usr/sbin:/sbin:/usr/local/bin";

    /// <summary>Lines of what a program said that an error tells.</summary>
    private const int ToldLines = 3;

    /// <summary>The program's path. Error <c>ProgramNotFound</c>, with the package of Debian's that has it.</summary>
    internal static string Find(string name, string package) => ProgramPath.Find(name, ProgramPath.Folders + MoreFolders)
        ?? throw new StratoException(StratoErrorKind.Unavailable, "ProgramNotFound", $"The program '{name}' isn't installed, which this needs.")
        {
            RecommendedAction = $"Install it; on Debian: apt install {package}.",
        };

    /// <summary>Runs a program to its end; cancelling ends it with all that it started.</summary>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Without its name.</param>
    /// <param name="doing">What fails if it does, for the error.</param>
    /// <param name="token">Ends it.</param>
    /// <param name="leave">As of <see cref="HostProgram.Run"/>.</param>
    /// <returns>The last of what it said on standard output and standard error.</returns>
    /// <exception cref="StratoException">ProgramFailed.</exception>
    internal static IReadOnlyList<string> Run(string program, IReadOnlyList<string> arguments, string doing, CancellationToken token, Action<ChildWatch>? leave = null)
    {
        HostProgram.Outcome outcome = HostProgram.Run(program, arguments, -1, Deadline.Never, token, leave);
        return outcome.Status == 0
            ? outcome.Lines
            : throw new StratoException(StratoErrorKind.Failed, "ProgramFailed", $"{doing} failed: {Path.GetFileName(program)} says: {Last(outcome.Lines)}");
    }

    private static string Last(IReadOnlyList<string> said)
    {
        List<string> lines = [.. said];
        lines.RemoveAll(static line => line.Trim().Length == 0);
        return lines.Count == 0 ? "nothing" : TerminalText.Plain(string.Join(" / ", lines[Math.Max(0, lines.Count - ToldLines)..]));
    }
}
