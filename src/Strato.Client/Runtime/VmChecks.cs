using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using Strato.Client.Configurations;
using Strato.Client.Disks;
using Strato.Client.Linux;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client.Runtime;

/// <summary>Looks for what would stop a VM from starting here, by the code that a start and a hot-plug run. Nothing is started or changed.</summary>
/// <param name="paths">Where the store is.</param>
/// <param name="vm">The VM, which doesn't run.</param>
/// <param name="host">What is known of the host.</param>
/// <param name="allowEmulation">Whether a KVM that only emulates is good enough.</param>
internal sealed class VmChecks(StratoPaths paths, VmDefinition vm, HostInfo host, bool allowEmulation)
{
    private readonly List<HostCheck> _checks = [];
    private readonly List<HostCheck> _hostChecks = HostChecks.Run(paths, host);
    private readonly List<DriveDefinition> _goodDrives = [];
    private readonly List<NetworkAdapterDefinition> _goodAdapters = [];
    private bool _goodVsock = true;
    private bool _goodRng = true;

    /// <param name="dryRun">Lets the engine build the machine; gives what it refuses.</param>
    internal List<HostCheck> Run(Func<VmDefinition, StratoException?> dryRun)
    {
        bool definition = Try("Definition", "Its settings go together.", Set(""), () => new DefinitionCheck(new ConfigSource(vm.Name, "/", _ => 0), vm, name => name).Run(vm));
        bool basis = Need("Engine") & Kvm() & Need("Sockets") & Image("Kernel", vm.Kernel) & (vm.Initrd is null || Image("Initrd", vm.Initrd));
        bool memory = Memory();
        Processors();
        foreach (DriveDefinition drive in vm.Drives)
        {
            Drive(drive);
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            Adapter(adapter);
        }

        Devices();
        if (!definition || !basis || !memory)
        {
            _checks.Add(new("Machine", HostCheck.Warning, "The engine wasn't asked to build the machine: what failed above comes first.", "Mend that, and test once more."));
            return _checks;
        }

        // Without what was found wrong already, so that the engine tells what else there is.
        VmDefinition rest = vm with
        {
            Drives = _goodDrives,
            NetworkAdapters = _goodAdapters,
            Vsock = _goodVsock ? vm.Vsock : null,
            Rng = _goodRng ? vm.Rng : null,
        };
        Try("Machine", "The engine has built the machine, and let it go again.", "The engine's message tells what it refuses.", () =>
        {
            if (dryRun(rest) is { } refused)
            {
                throw refused;
            }
        });
        return _checks;
    }

    /// <summary>The line of a VM that runs, which is all there is to say of it.</summary>
    internal static HostCheck Running(VmDefinition vm, int pid) => new(
        "State",
        HostCheck.Failed,
        string.Create(CultureInfo.InvariantCulture, $"The VM runs already (process {pid}); what it holds can't be looked at."),
        $"Stop-StratoVm '{vm.Name}' first.");

    private bool Kvm() => allowEmulation && host.Kvm == "emulated" ? Add(new("Kvm", HostCheck.Warning, host.KvmReason, host.KvmRemedy)) : Need("Kvm");

    /// <summary>A line of the host's checklist; what is optional there is needed here.</summary>
    private bool Need(string name)
    {
        HostCheck found = _hostChecks.Find(check => check.Name == name)!;
        return Add(found.Result == HostCheck.Warning ? found with { Result = HostCheck.Failed } : found);
    }

    private bool Image(string parameter, string path)
    {
        string what = parameter.ToLowerInvariant();
        return Try(parameter, path, $"{Set($"-{parameter}")} names another.", () =>
        {
            VmRules.CheckFile(path, what, parameter, $"-{parameter}");
            OpenToRead(path, what, $"{parameter}NotReadable");
        });
    }

    private bool Memory()
    {
        if (vm.HugePage is { } size)
        {
            return Try("HugePages", $"{vm.Memory / size} huge pages of {ByteSize.Describe(size)} are free.", "Set-StratoHugePage, as root, sets more of them aside; Get-StratoHugePage shows how many there are.", () =>
            {
                HugePageInfo pages = HostHugePages.Get(size, "-HugePage");
                _ = HostHugePages.FindMount(size, "-HugePage");
                long free = pages.Free - pages.Reserved;
                if (free < vm.Memory / size)
                {
                    throw new StratoException(StratoErrorKind.Unavailable, "HugePagesTooFew", $"{vm.Memory / size} huge pages of {ByteSize.Describe(size)} are needed, and {free} are free.");
                }
            });
        }

        string needed = string.Create(CultureInfo.InvariantCulture, $"{vm.Memory >> 20} MiB are its memory; the host has {host.MemoryAvailable >> 20} MiB to give out, of {host.MemoryTotal >> 20}.");
        return Add(vm.Memory <= host.MemoryAvailable
            ? new("Memory", HostCheck.Passed, needed, null)
            : new("Memory", HostCheck.Warning, needed, $"It starts, and may be killed when its guest uses them: stop others, or {Set("-Memory")} gives it less."));
    }

    private void Processors()
    {
        if (vm.Processor.Affinity.Count > 0)
        {
            Try("Affinity", "The host's CPUs that its threads are pinned to are there.", "Set-StratoCpu -Affinity pins to others, and to none with ''.", () => StratoClient.CheckPins(vm));
        }

        if (CpuShare.IsWanted(vm))
        {
            Need("Cgroup");
        }
    }

    private void Drive(DriveDefinition drive)
    {
        bool good = Try($"Drive {drive.Id}", drive.Path, "Set-StratoDrive -Path names another, Remove-StratoDrive takes it away.", () =>
        {
            VmRules.CheckDrive(drive, imageToo: true);
            using FileDescriptor file = HostFiles.OpenDisk(drive);
            bool reads = drive.ReadOnly || drive.Io.Snapshot == true;
            if (!DiskCopy.TryLock(file.Value, reads ? Libc.F_RDLCK : Libc.F_WRLCK))
            {
                throw new StratoException(StratoErrorKind.Busy, "DriveLocked", $"'{drive.Path}' is in use by another VM or program{Holder(drive)}.") { RecommendedAction = ReadinessPipe.ActionFor("DriveLocked") };
            }
        });
        if (good)
        {
            _goodDrives.Add(drive);
        }
    }

    private string Holder(DriveDefinition drive)
    {
        foreach (VmDefinition other in new VmStore(paths).List().Definitions)
        {
            if (other.Id != vm.Id && Uses(other, drive.Path))
            {
                using EngineProcess? process = new EngineRegistry(paths).TryOpen(other.Id);
                if (process is not null)
                {
                    return $": the VM '{other.Name}' runs with it";
                }
            }
        }

        return "";
    }

    private static bool Uses(VmDefinition other, string path)
    {
        foreach (DriveDefinition drive in other.Drives)
        {
            if (drive.Path == path)
            {
                return true;
            }
        }

        return false;
    }

    private void Adapter(NetworkAdapterDefinition adapter)
    {
        string name = $"NetworkAdapter {adapter.Id}";
        NetworkAdapterSettings settings = adapter.Settings;
        if (settings.SwitchName is { } switchName)
        {
            // Its tap is made when the VM starts; what stands in the way of that is the switch's to tell.
            Try(name, $"the switch '{switchName}'", $"New-StratoSwitch '{switchName}' makes it, Set-StratoNetworkAdapter leads elsewhere.", () => new SwitchStore(paths).Get(switchName));
            return;
        }

        if (settings.TapName is not { } tap)
        {
            HostCheck passt = _hostChecks.Find(check => check.Name == "Passt")!;
            Try(name, passt.Detail, "Set-StratoNetworkAdapter changes what it leads to.", () =>
            {
                if (passt.Result != HostCheck.Passed)
                {
                    throw new StratoException(StratoErrorKind.NotFound, "PasstNotFound", passt.Detail) { RecommendedAction = ReadinessPipe.ActionFor("PasstNotFound") };
                }

                PortProbe.Check(VmRules.Convert(() => Array.ConvertAll<string, PortForward>([.. settings.PortForward ?? []], text => PortForward.Parse(text, "-PortForward"))), adapter.Id);
            });
            return;
        }

        bool good = Try(name, tap, "Set-StratoNetworkAdapter gives it another tap (-TapName), or user networking (-User).", () =>
        {
            HostFiles.OpenTap(tap, settings.QueueCount ?? 1).ForEach(file => file.Dispose());
            if (settings.Vhost == true)
            {
                HostFiles.OpenVhostNet(settings.QueueCount ?? 1).ForEach(file => file.Dispose());
            }
        });
        if (good)
        {
            _goodAdapters.Add(adapter);
        }
    }

    private void Devices()
    {
        foreach (ConsolePortDefinition port in vm.ConsolePorts)
        {
            if (port.Backend != ConsolePortBackend.Pty)
            {
                Port(port, DeviceArguments.PathOf(port, paths.RuntimeDirectory(vm.Id)));
            }
        }

        foreach (SharedFolderDefinition folder in vm.SharedFolders)
        {
            Try($"SharedFolder {folder.Tag}", folder.Path, "Make the folder, or share another by Set-StratoSharedFolder -Path.", () => DeviceRules.CheckSharedFolder(folder));
        }

        if (vm.SharedFolders.Count > 0)
        {
            Need("Virtiofsd");
        }

        _goodVsock = vm.Vsock is null || Need("VhostVsock");
        if (vm.Rng is { } rng)
        {
            _goodRng = Try("Rng", rng.Source, "Set-StratoRng -Source names another.", () =>
            {
                DeviceRules.CheckRng(rng);
                OpenToRead(rng.Source, "source of random bytes", "RngSourceNotReadable");
            });
        }
    }

    private void Port(ConsolePortDefinition port, string path) => Try($"ConsolePort {port.Id}", path, "Set-StratoConsolePort -Path names another.", () =>
    {
        if (port.Backend == ConsolePortBackend.Socket)
        {
            UnixStream.CheckPath(path);
        }

        string folder = Path.GetDirectoryName(path)!;
        if (port.Path is not null && !Directory.Exists(folder))
        {
            throw new StratoException(StratoErrorKind.NotFound, "DirectoryNotFound", $"The folder of '{path}' does not exist.");
        }

        if (port.Path is not null && !(port.Backend == ConsolePortBackend.File && File.Exists(path) ? Libc.MayWrite(path) : Libc.MayFill(folder)))
        {
            throw new StratoException(StratoErrorKind.Permission, "AccessDenied", $"'{path}' can't be written: {Errno.Text(Errno.Last)}.");
        }
    });

    private static void OpenToRead(string path, string what, string id)
    {
        using FileDescriptor file = new(Libc.Open(path, HostFiles.Waitless));
        if (file.IsInvalid)
        {
            throw new StratoException(StratoErrorKind.Permission, id, $"The {what} '{path}' can't be read: {Errno.Text(Errno.Last)}.");
        }
    }

    private string Set(string parameter) => $"Set-StratoVm '{vm.Name}' {parameter}".TrimEnd();

    private bool Try(string name, string found, string remedy, Action check)
    {
        try
        {
            check();
            return Add(new(name, HostCheck.Passed, found, null));
        }
        catch (StratoException e)
        {
            return Add(new(name, HostCheck.Failed, e.Message, e.RecommendedAction ?? remedy));
        }
    }

    private bool Add(HostCheck check)
    {
        _checks.Add(check);
        return check.Result != HostCheck.Failed;
    }
}
