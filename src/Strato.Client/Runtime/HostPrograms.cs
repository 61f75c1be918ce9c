using System;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;
using Strato.Client.Linux;
using Strato.Client.Switches;

namespace Strato.Client.Runtime;

/// <summary>The programs of the host that features rely on, and their versions as they tell them.</summary>
internal static partial class HostPrograms
{
    /// <summary>For each to tell its version; one that doesn't is there all the same.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private static readonly (string Name, string Use, string Remedy, string MoreFolders)[] Known =
    [
        ("passt", "user networking (Add-StratoNetworkAdapter -User)", "apt install passt, or the package of that name.", ""),
        ("virtiofsd", "shared folders", "apt install virtiofsd; on Debian 12 it is in qemu-system-common.", ":/usr/libexec:/usr/lib/qemu:/usr/libexec/virtiofsd"),
        (SwitchDhcp.Program, "addresses on switches (New-StratoSwitch)", SwitchDhcp.Remedy, ":/usr/sbin:/sbin"),
        (SwitchNat.Program, "switches with -Nat (New-StratoSwitch)", SwitchNat.Remedy, ":/usr/sbin:/sbin"),
    ];

    /// <summary>Begins to look, each program on a thread of its own.</summary>
    internal static Task<HostProgramInfo>[] Begin(CancellationToken token) => Array.ConvertAll(Known, known => Work(() =>
    {
        string? path = ProgramPath.Find(known.Name, ProgramPath.Folders + known.MoreFolders);
        return new HostProgramInfo(known.Name, path, path is null ? null : Version(path, "--version", token), known.Use, path is null ? known.Remedy : null);
    }));

    /// <summary>Begins to ask the engine.</summary>
    internal static Task<string?> BeginEngine(string engine, CancellationToken token) => Work(() => Version(engine, "-version", token, EngineName));

    internal static string? ParseVersion(string line, string beginning = "")
    {
        Match match = Number().Match(line);
        return line.StartsWith(beginning, StringComparison.Ordinal) && match.Success ? match.Value : null;
    }

    private const string EngineName = "strato-engine ";

    private static string? Version(string path, string option, CancellationToken token, string beginning = "")
    {
        try
        {
            HostProgram.Outcome outcome = HostProgram.Run(path, [option], -1, Deadline.After(Limit), token);
            return outcome.Lines.Count > 0 ? ParseVersion(outcome.Lines[0], beginning) : null;
        }
        catch (Exception e) when (e is TimeoutException or StratoException)
        {
            return null;
        }
    }

    // Not of the pool, which would have to grow first.
    private static Task<T> Work<T>(Func<T> work) => Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>The first number with a point, such as 2.90, 0.0~git or 2024_12_11.09478d5.</summary>
    [GeneratedRegex(@"\d\w*(\.[\w~+-]+)+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Number();
}
