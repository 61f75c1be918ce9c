using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Client.Linux;

namespace Strato.Client.Runtime;

/// <summary>Looks at what VMs need of a host, and at what they may want. Nothing is changed by it.</summary>
internal static class HostChecks
{
    /// <summary>Bytes of the smallest machine.</summary>
    private const long LeastMemory = 256L << 20;

    /// <summary>As long as any of a VM's own sockets: an id of eight characters, and the port of the guest agent.</summary>
    private const string LongestSocket = $"/abcdefgh/{DeviceArguments.SocketPrefix}{Guest.AgentSession.PortName}{DeviceArguments.SocketSuffix}";

    private static readonly Version NeededKernel = new(5, 3);
    private static readonly Version GoodKernel = new(5, 10);

    /// <param name="paths">Where the store is.</param>
    /// <param name="host">What else is known of the host.</param>
    internal static List<HostCheck> Run(StratoPaths paths, HostInfo host) =>
    [
        Engine(host),
        new("Kvm", host.Kvm == "usable" ? HostCheck.Passed : HostCheck.Failed, host.KvmReason, host.KvmRemedy),
        Kernel(host.KernelRelease),
        Memory(host.MemoryAvailable),
        State(paths.StateRoot),
        Sockets(paths.RuntimeRoot),
        Optional("Sandbox", host.SandboxReason, $"Engines are shut in ({host.Sandbox}).", "docs/sandbox.md tells what it needs; VMs run without it, too."),
        Cgroups(),
        .. host.Devices.Where(device => device.Name != "Vfio").Select(device => Optional(device.Name, device.Usable ? null : device.Detail, device.Path, device.Remedy)),
        .. host.Programs.Select(program => Optional(Title(program.Name), program.Path is null ? $"No {program.Use}: '{program.Name}' isn't installed." : null, $"{program.Path} {program.Version}".TrimEnd(), program.Remedy)),
        HugePages(host),
    ];

    internal static HostCheck Kernel(string release)
    {
        const string name = "Kernel";
        string[] parts = release.Split('.', '-', '+');
        if (parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major) || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor))
        {
            return new(name, HostCheck.Warning, $"Linux {release}", $"Linux {NeededKernel} or newer is needed, {GoodKernel} for all; this release can't be read.");
        }

        Version version = new(major, minor);
        return version < NeededKernel ? new(name, HostCheck.Failed, $"Linux {release}", $"Linux {NeededKernel} or newer is needed (pidfds), {GoodKernel} for all.")
            : version < GoodKernel ? new(name, HostCheck.Warning, $"Linux {release}", $"From {GoodKernel} on rings of io_uring are held to what disks need.")
            : new(name, HostCheck.Passed, $"Linux {release}", null);
    }

    private static HostCheck Engine(HostInfo host) => host.EnginePath is { } path
        ? new("Engine", HostCheck.Passed, path, null)
        : new("Engine", HostCheck.Failed, "strato-engine isn't found.", "It lies beside the module (bin/strato-engine); STRATO_ENGINE names another.");

    internal static HostCheck Memory(long available)
    {
        string detail = string.Create(CultureInfo.InvariantCulture, $"{available >> 20} MiB can be given out.");
        return available >= LeastMemory
            ? new("Memory", HostCheck.Passed, detail, null)
            : new("Memory", HostCheck.Warning, detail, $"The smallest VM has {LeastMemory >> 20} MiB; it may start, and be killed when its guest uses them.");
    }

    /// <summary>Definitions can be written, where need be into a folder that is made.</summary>
    private static HostCheck State(string root)
    {
        string folder = root;
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } above)
        {
            folder = above;
        }

        bool isFile = folder != root && File.Exists(Path.Combine(folder, Path.GetRelativePath(folder, root).Split('/')[0]));
        return !isFile && Libc.MayFill(folder)
            ? new("State", HostCheck.Passed, root, null)
            : new("State", HostCheck.Failed, $"Definitions can't be kept in '{root}': {(isFile ? $"there is a file in the way below '{folder}'" : $"'{folder}': {Errno.Text(Errno.Last)}")}.", "Set STRATO_STATE to a folder of yours.");
    }

    private static HostCheck Sockets(string root)
    {
        try
        {
            UnixStream.CheckPath(root + LongestSocket);
            RuntimeFolder.CheckRoot(root);
            return new("Sockets", HostCheck.Passed, root, null);
        }
        catch (StratoException e)
        {
            return new("Sockets", HostCheck.Failed, e.Message, e.RecommendedAction ?? "Set STRATO_RUNTIME to another folder.");
        }
    }

    private static HostCheck Cgroups() => Optional(
        "Cgroup",
        CpuShare.Lack() is { } lack ? $"No Set-StratoCpu -Weight and -Quota: {lack}." : null,
        "Set-StratoCpu -Weight and -Quota can be used.",
        "They need cgroup v2 with its cpu controller, and root or a group that systemd has delegated (Delegate=cpu).");

    private static string Title(string name) => char.ToUpperInvariant(name[0]) + name[1..];

    private static HostCheck HugePages(HostInfo host)
    {
        string detail = string.Create(CultureInfo.InvariantCulture, $"{host.HugePagesFree} of {host.HugePagesTotal} huge pages of {host.HugePageSize >> 10} KiB are free; transparent ones: {(host.TransparentHugePages.Length > 0 ? host.TransparentHugePages : "none")}.");
        return host.HugePagesTotal > 0 || host.TransparentHugePages is "always" or "madvise"
            ? new("HugePages", HostCheck.Passed, detail, null)
            : new("HugePages", HostCheck.Warning, detail, "Guests' memory is quicker on them: Set-StratoHugePage, or echo madvise >/sys/kernel/mm/transparent_hugepage/enabled.");
    }

    private static HostCheck Optional(string name, string? lack, string detail, string? remedy) =>
        lack is null ? new(name, HostCheck.Passed, detail, null) : new(name, HostCheck.Warning, lack, remedy);
}
