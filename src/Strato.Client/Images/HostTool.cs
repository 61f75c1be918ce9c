using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using Strato.Client.Linux;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client.Images;

/// <summary>Runs a program that makes images and waits for its end; cancelling kills it with all that it started.</summary>
internal static class HostTool
{
    private const string MoreFolders = ":/usr/sbin:/sbin:/usr/local/bin";

    /// <summary>The program's path. Error <c>ProgramNotFound</c>, with the package of Debian's that has it.</summary>
    internal static string Find(string name, string package) => ProgramPath.Find(name, ProgramPath.Folders + MoreFolders)
        ?? throw new StratoException(StratoErrorKind.Unavailable, "ProgramNotFound", $"The program '{name}' isn't installed, which this needs.")
        {
            RecommendedAction = $"Install it; on Debian: apt install {package}.",
        };

    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Without its name.</param>
    /// <param name="log">A file for what it says, removed at the end.</param>
    /// <param name="doing">What fails if it does, for the error.</param>
    /// <param name="token">Kills it.</param>
    /// <returns>What it said on standard output and standard error.</returns>
    /// <exception cref="StratoException">ProgramFailed.</exception>
    internal static string[] Run(string program, IReadOnlyList<string> arguments, string log, string doing, CancellationToken token)
    {
        try
        {
            token.ThrowIfCancellationRequested();
            int pid = Spawn.Start(program, arguments, output: -1, log, ready: -1);
            using FileDescriptor pidfd = new(Libc.PidfdOpen(pid));
            ChildWatch child = ChildWatch.Begin(pid, 0, exitFile: null);
            try
            {
                using Waiter waiter = new(token);
                waiter.WaitReadable(Deadline.Never, pidfd.Value);
            }
            catch
            {
                // It leads a session, and so a group, of its own.
                _ = Libc.kill(-pid, Libc.SIGKILL);
                child.Wait(TimeSpan.FromSeconds(5));
                throw;
            }

            child.Wait(TimeSpan.FromSeconds(5));
            string[] said = File.Exists(log) ? File.ReadAllLines(log) : [];
            return child.Exit is { Code: 0 }
                ? said
                : throw new StratoException(StratoErrorKind.Failed, "ProgramFailed", $"{doing} failed: {Path.GetFileName(program)} says: {Last(said)}");
        }
        finally
        {
            AtomicFile.Remove(log);
        }
    }

    private static string Last(string[] said)
    {
        string[] lines = Array.FindAll(said, line => line.Trim().Length > 0);
        return lines.Length == 0 ? "nothing" : TerminalText.Plain(string.Join(" / ", lines[Math.Max(0, lines.Length - 3)..]));
    }
}
