using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>The control group (cgroup v2) of an engine that has a weight or a quota: <c>strato-ID</c>, which is made for it and goes with it.</summary>
/// <remarks>
/// A group with controllers has no processes of its own (cgroup-v2.rst, "No Internal Process Constraint"), so the engine's can't be below the
/// caller's, unless that is the root. It is the caller's sister: in the nearest group above that gives its children the cpu controller and where
/// the caller may make groups; a user's by systemd's delegation.
/// </remarks>
internal static class CpuShare
{
    private const string Prefix = "strato-";
    private const string Where = "-Weight";
    private const int Period = 100_000;
    private const string NoCgroup = "no cgroup v2 is mounted that this process is in";

    private const int DefaultWeight = 100;
    private const int Attempts = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Whether a VM's engine has a group of its own.</summary>
    internal static bool IsWanted(VmDefinition vm) => vm.Processor is { Weight: not null } or { Quota: not null };

    /// <summary>Makes a VM's group with its weight and quota, without a process. Gives the folder. Errors <c>CgroupUnavailable</c>, <c>CgroupDenied</c>, <c>CgroupFailed</c>.</summary>
    internal static string Make(VmDefinition vm)
    {
        string folder = $"{FindParent(vm)}/{Prefix}{vm.Id}";
        if (CgroupFiles.Current.MakeFolder(folder) is var errno and not (0 or Errno.EEXIST))
        {
            throw Refused(vm, $"mkdir {folder}", errno);
        }

        try
        {
            Set(vm, folder);
        }
        catch
        {
            Remove(folder, patient: false);
            throw;
        }

        return folder;
    }

    /// <summary>Writes a VM's weight and quota into its group. Errors as <see cref="Make"/>.</summary>
    internal static void Set(VmDefinition vm, string folder)
    {
        Write(vm, $"{folder}/cpu.weight", (vm.Processor.Weight ?? DefaultWeight).ToString(CultureInfo.InvariantCulture));
        string most = vm.Processor.Quota is { } quota ? ((long)quota * (Period / 100)).ToString(CultureInfo.InvariantCulture) : "max";
        Write(vm, $"{folder}/cpu.max", string.Create(CultureInfo.InvariantCulture, $"{most} {Period}"));
    }

    /// <summary>Moves a process into its VM's group. Errors as <see cref="Make"/>.</summary>
    internal static void Enter(VmDefinition vm, string folder, int pid)
    {
        string number = pid.ToString(CultureInfo.InvariantCulture);
        for (int attempt = 1; ; attempt++)
        {
            switch (CgroupFiles.Current.Write($"{folder}/cgroup.procs", number))
            {
                case 0:
                    return;
                case Errno.ENOENT when attempt < Attempts:
                    // Somebody who looked at the VM has taken away what its last engine left, as it seemed.
                    _ = Make(vm);
                    break;
                case var errno:
                    throw Refused(vm, $"{folder}/cgroup.procs", errno);
            }
        }
    }

    /// <summary>The group that was made for a VM, if its engine is in it.</summary>
    internal static string? Find(string id, int pid) =>
        FolderOf(pid, out _) is { } folder && folder.EndsWith($"/{Prefix}{id}", StringComparison.Ordinal) ? folder : null;

    /// <summary>Removes a group whose processes have ended; one that has some stays.</summary>
    /// <param name="folder">As <see cref="Make"/> gave it.</param>
    /// <param name="patient">Waits a while for those that are about to end.</param>
    internal static void Remove(string folder, bool patient)
    {
        if (!folder[(folder.LastIndexOf('/') + 1)..].StartsWith(Prefix, StringComparison.Ordinal))
        {
            return;
        }

        for (int left = patient ? 50 : 0; CgroupFiles.Current.RemoveFolder(folder) == Errno.EBUSY && left > 0; left--)
        {
            // The engine's helpers end with it, but behind it.
            Thread.Sleep(Pause);
        }
    }

    /// <summary>The host's CPUs that a VM's group will have; null where it has none of its own, or that can't be known.</summary>
    internal static HostCpus? CpusOf(VmDefinition vm)
    {
        string? folder = null;
        try
        {
            folder = IsWanted(vm) ? FindParent(vm) : null;
        }
        catch (StratoException)
        {
            // Whoever starts it is told.
        }

        for (; folder is not null; folder = ParentOf(folder))
        {
            if (CgroupFiles.Current.Read($"{folder}/cpuset.cpus.effective")?.Trim() is { Length: > 0 } cpus)
            {
                return HostCpus.Parse(cpus, "cpuset.cpus.effective");
            }
        }

        return null;
    }

    private static void Write(VmDefinition vm, string file, string text)
    {
        if (CgroupFiles.Current.Write(file, text) is var errno and not 0)
        {
            throw Refused(vm, $"writing '{text}' to {file}", errno);
        }
    }

    /// <summary>Why weight and quota can't be had on this host; null where nothing speaks against them. Nothing is changed.</summary>
    internal static string? Lack()
    {
        if (FolderOf(null, out string? mount) is not { } own)
        {
            return NoCgroup;
        }

        List<string> above = From(own, mount!);
        return above.Exists(folder => (Has(folder, "cgroup.subtree_control") || Has(folder, "cgroup.controllers")) && CgroupFiles.Current.MayFill(folder)) ? null
            : above.Exists(folder => Has(folder, "cgroup.controllers")) ? NoRight(own)
            : NoController(mount!);
    }

    private static List<string> From(string own, string mount)
    {
        List<string> above = [];
        for (string? folder = own == mount ? own : ParentOf(own); folder is not null && folder.Length >= mount.Length; folder = ParentOf(folder))
        {
            above.Add(folder);
        }

        return above;
    }

    private static string NoRight(string own) => $"this process may not make a group beside its own, '{own}', nor above it";

    private static string NoController(string mount) => $"the host's cgroup v2 at '{mount}' has no cpu controller";

    private static string FindParent(VmDefinition vm)
    {
        string own = FolderOf(null, out string? mount) ?? throw Unavailable(vm, NoCgroup);
        List<string> above = From(own, mount!);
        if (above.Find(folder => Has(folder, "cgroup.subtree_control") && CgroupFiles.Current.MayFill(folder)) is { } given)
        {
            return given;
        }

        int reason = 0;
        foreach (string folder in above)
        {
            if (Has(folder, "cgroup.controllers") && !Has(folder, "cgroup.subtree_control") && CgroupFiles.Current.MayFill(folder))
            {
                int errno = CgroupFiles.Current.Write($"{folder}/cgroup.subtree_control", "+cpu");
                if (errno == 0)
                {
                    return folder;
                }

                reason = errno;
            }
        }

        throw reason is not (0 or Errno.EPERM or Errno.EACCES or Errno.EROFS) ? Unavailable(vm, $"'{own}' and the groups above it don't give the cpu controller to others ({Errno.Text(reason)})")
            : above.Exists(folder => Has(folder, "cgroup.controllers")) ? Denied(vm, NoRight(own))
            : Unavailable(vm, NoController(mount!));
    }

    private static bool Has(string folder, string file) =>
        Array.IndexOf((CgroupFiles.Current.Read($"{folder}/{file}") ?? "").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries), "cpu") >= 0;

    private static string? ParentOf(string folder) => folder.LastIndexOf('/') is var slash and > 0 ? folder[..slash] : null;

    /// <summary>The folder of a process's group; null where cgroup v2 isn't mounted, or it is outside of what is.</summary>
    /// <param name="pid">Null for this one.</param>
    /// <param name="mount">Where the hierarchy begins.</param>
    private static string? FolderOf(int? pid, out string? mount)
    {
        mount = null;
        string? path = null;
        foreach (string line in (CgroupFiles.Current.GroupOf(pid) ?? "").Split('\n'))
        {
            // 0::/PATH; lines with other numbers are of cgroup v1.
            path = line.StartsWith("0::/", StringComparison.Ordinal) ? line[3..] : path;
        }

        foreach (string line in CgroupFiles.Current.Mounts.Split('\n'))
        {
            // Fields 4 and 5 are the root of what is mounted and where; behind the dash comes the kind.
            int dash = line.IndexOf(" - cgroup2 ", StringComparison.Ordinal);
            string[] fields = dash < 0 ? [] : line[..dash].Split(' ');
            if (fields.Length > 4 && path is not null && (fields[3] == "/" || path == fields[3] || path.StartsWith(fields[3] + "/", StringComparison.Ordinal)))
            {
                mount = fields[4].Replace("\\040", " ", StringComparison.Ordinal);
                string below = fields[3] == "/" ? path : path[fields[3].Length..];
                return below is "" or "/" ? mount : mount + below;
            }
        }

        return null;
    }

    private static StratoException Refused(VmDefinition vm, string what, int errno) => errno switch
    {
        Errno.EPERM or Errno.EACCES or Errno.EROFS => Denied(vm, $"{what}: {Errno.Text(errno)}"),
        Errno.ENOENT => Unavailable(vm, $"{what}: {Errno.Text(errno)}"),
        _ => new StratoException(StratoErrorKind.Failed, "CgroupFailed", $"{Given(vm)}, and the host refuses: {what}: {Errno.Text(errno)}.") { Where = Where, VmName = vm.Name },
    };

    private static StratoException Unavailable(VmDefinition vm, string why) => new(StratoErrorKind.Unavailable, "CgroupUnavailable", $"{Given(vm)}, and {why}.")
    {
        Where = Where,
        VmName = vm.Name,
        RecommendedAction = "Weight and quota need cgroup v2 with its cpu controller: mount -t cgroup2 none /sys/fs/cgroup, or systemd.unified_cgroup_hierarchy=1 on the host kernel's command line; Set-StratoCpu -Weight 0 -Quota 0 does without.",
    };

    private static StratoException Denied(VmDefinition vm, string why) => new(StratoErrorKind.Permission, "CgroupDenied", $"{Given(vm)}, and {why}.")
    {
        Where = Where,
        VmName = vm.Name,
        RecommendedAction = "Start it as root, or in a group that systemd has delegated: systemd-run --user --scope pwsh, where user@.service has Delegate=cpu; Set-StratoCpu -Weight 0 -Quota 0 does without.",
    };

    private static string Given(VmDefinition vm)
    {
        string weight = vm.Processor.Weight is { } number ? string.Create(CultureInfo.InvariantCulture, $"a weight of {number}") : "";
        string quota = vm.Processor.Quota is { } percent ? string.Create(CultureInfo.InvariantCulture, $"a quota of {percent} % of a CPU") : "";
        return $"The VM '{vm.Name}' has {weight}{(weight.Length > 0 && quota.Length > 0 ? " and " : "")}{quota}";
    }
}
