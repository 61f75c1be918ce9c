using System;
using System.Collections.Generic;
using System.IO;
using Strato.Protocol.Configuration;

namespace Strato.Client.Store;

/// <summary>What a definition may say of devices that aren't disks. The limits are the engine's own; here they speak of the cmdlets' parameters.</summary>
internal static class DeviceRules
{
    internal static void CheckPort(ConsolePortDefinition port)
    {
        VmRules.Convert(() => ConfigurationLimits.CheckName(port.Id, "-Id"));
        if (port.Path is not null && port.Backend == ConsolePortBackend.Pty)
        {
            throw VmRules.Invalid("PathUnexpected", $"The console port '{port.Id}' leads to a pty, which the host names when the VM starts; a path can't be given.", "-Path");
        }

        if (port.Path is { } path)
        {
            VmRules.Convert(() => ConfigurationLimits.CheckPath(path, "console port", "-Path"));
            if (!Path.IsPathRooted(path))
            {
                throw VmRules.Invalid("InvalidPath", $"The path of the console port '{port.Id}', '{path}', is not absolute.", "-Path");
            }
        }
        else if (port.Backend == ConsolePortBackend.File)
        {
            throw VmRules.Invalid("PathMissing", $"The console port '{port.Id}' leads to a file, and needs the file's path.", "-Path");
        }
    }

    /// <summary>The port of a VM's guest agent, as -GuestAgent makes it.</summary>
    internal static ConsolePortDefinition GuestAgentPort => new() { Id = Guest.AgentSession.PortName };

    /// <summary>The ports of a VM with the guest agent's, or without. Errors <c>ConsolePortExists</c>, <c>TooManyConsolePorts</c>.</summary>
    internal static IReadOnlyList<ConsolePortDefinition> WithGuestAgent(VmDefinition vm, bool wanted)
    {
        if (wanted == vm.GuestAgent)
        {
            return vm.ConsolePorts;
        }

        List<ConsolePortDefinition> ports = [.. vm.ConsolePorts];
        if (!wanted)
        {
            ports.RemoveAll(static port => port.IsGuestAgent);
            return ports;
        }

        if (ports.Find(static port => string.Equals(port.Id, GuestAgentPort.Id, StringComparison.OrdinalIgnoreCase)) is { } other)
        {
            throw new StratoException(StratoErrorKind.AlreadyExists, "ConsolePortExists", $"The console port '{other.Id}' of VM '{vm.Name}' is there, but is no agent's: that is a port (no terminal) on a socket.")
            {
                Where = "-GuestAgent",
                VmName = vm.Name,
                RecommendedAction = $"Remove-StratoConsolePort '{other.Id}' -VMName '{vm.Name}' first.",
            };
        }

        if (ports.Count >= ConsoleConfiguration.MaxPorts)
        {
            throw new StratoException(StratoErrorKind.InvalidArgument, "TooManyConsolePorts", $"The VM '{vm.Name}' has {ports.Count} console ports, which is the most there can be.") { VmName = vm.Name };
        }

        ports.Add(GuestAgentPort);
        return ports;
    }

    internal static void CheckSharedFolder(SharedFolderDefinition folder)
    {
        VmRules.Convert(() => FsConfiguration.CheckTag(folder.Tag, "-Tag"));
        VmRules.Convert(() => ConfigurationLimits.CheckPath(folder.Path, "shared folder", "-Path"));
        if (!Path.IsPathRooted(folder.Path))
        {
            throw VmRules.Invalid("InvalidPath", $"The path of the shared folder '{folder.Tag}', '{folder.Path}', is not absolute.", "-Path");
        }

        if (File.Exists(folder.Path))
        {
            throw VmRules.Invalid("SharedFolderNotFolder", $"'{folder.Path}' is a file; a folder is expected.", "-Path");
        }

        if (!Directory.Exists(folder.Path))
        {
            throw new StratoException(StratoErrorKind.NotFound, "SharedFolderPathNotFound", $"The folder '{folder.Path}' does not exist.") { Where = "-Path" };
        }
    }

    internal static void CheckVsock(VsockDefinition vsock) =>
        VmRules.Convert(() => DeviceLimits.CheckRange(vsock.GuestCid, VsockConfiguration.MinCid, VsockConfiguration.MaxCid, "-GuestCid"));

    internal static void CheckRng(RngDefinition rng)
    {
        VmRules.CheckFile(rng.Source, "source of random bytes", "RngSource", "-Source");
        VmRules.Convert(() => DeviceLimits.CheckRange(rng.MaxBytes, 0, long.MaxValue, "-MaxBytes"));
        VmRules.Convert(() => DeviceLimits.CheckRange(rng.Period, 1, RngConfiguration.MaxPeriod, "-Period"));
    }
}
