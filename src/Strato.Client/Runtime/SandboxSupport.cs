using System;
using System.Globalization;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Whether engines that this process starts can be shut in.</summary>
/// <param name="Option">The value of the engine's <c>-sandbox</c>; null where it can't.</param>
/// <param name="Reason">Why not, or why not wholly, and what to do; null where it can.</param>
internal sealed record SandboxSupport(string? Option, string? Reason)
{
    private const int CAP_SETGID = 6;
    private const int CAP_SETUID = 7;
    private const int CAP_SYS_CHROOT = 18;
    private const int CAP_SYS_ADMIN = 21;
    private const int CAP_SYS_NICE = 23;

    private const string Program = "unshare";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly Lazy<SandboxSupport> Found = new(Find);

    /// <summary>Taken for true by tests whose engines only play engines; else null.</summary>
    internal static SandboxSupport? Assumed { get; set; }

    /// <summary>Looked up once: what a process may do hardly changes.</summary>
    internal static SandboxSupport OfThisProcess => Assumed ?? Found.Value;

    /// <summary>Of root, by its capabilities (the line <c>CapEff</c> of /proc/self/status).</summary>
    internal static SandboxSupport OfRoot(ulong capabilities)
    {
        if (!Has(CAP_SETGID) || !Has(CAP_SETUID) || !Has(CAP_SYS_CHROOT))
        {
            return new SandboxSupport(null, "This root lacks CAP_SETUID, CAP_SETGID or CAP_SYS_CHROOT, as in a container; they have to be given to it.");
        }

        return Has(CAP_SYS_ADMIN)
            ? new SandboxSupport("on", Has(CAP_SYS_NICE) ? null : "This root lacks CAP_SYS_NICE, as in a container, and engines have a user of their own: their CPUs can't be pinned.")
            : new SandboxSupport("on,namespaces=off", "This root lacks CAP_SYS_ADMIN, as in a container, so engines keep the host's network, IPC and host name; without CAP_SYS_NICE their CPUs can't be pinned.");

        bool Has(int capability) => (capabilities >> capability & 1) != 0;
    }

    private static SandboxSupport Find()
    {
        string status = Procfs.ReadText("/proc/self/status") ?? "";
        return Libc.geteuid() == 0 ? OfRoot(Capabilities(status)) : OfUser();
    }

    internal static ulong Capabilities(string status)
    {
        const string Line = "\nCapEff:";
        int at = status.IndexOf(Line, StringComparison.Ordinal);
        return at >= 0 && ulong.TryParse(status.AsSpan(at + Line.Length).TrimStart()[..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits) ? bits : 0;
    }

    /// <summary>Of a user: by trying, for kernels and distributions have several ways to forbid user namespaces.</summary>
    private static SandboxSupport OfUser()
    {
        if (ProgramPath.Find(Program, ProgramPath.Folders) is not { } program)
        {
            return new SandboxSupport(null, $"The program '{Program}' of util-linux isn't on PATH.");
        }

        // As an engine does it: a program that unshare starts makes the other namespaces, and changes its root.
        ChildWatch child;
        try
        {
            int pid = Spawn.Start(program, ["--user", "--map-root-user", "--", program, "--net", "--ipc", "--uts", "--", "chroot", "/", "true"], output: -1, "/dev/null", ready: -1);
            child = ChildWatch.Begin(pid, Procfs.TryReadStat(pid)?.StartTime ?? 0, exitFile: null);
        }
        catch (StratoException e)
        {
            return new SandboxSupport(null, e.Message);
        }

        return child.Wait(Limit) && child.Exit is { Code: 0 }
            ? new SandboxSupport("on", null)
            : new SandboxSupport(null, "The host lets users have no user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns).");
    }
}
