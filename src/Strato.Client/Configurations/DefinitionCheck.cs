using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Client.Store;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>Checks a definition as a configuration makes it: by the rules of the cmdlets that set each part, with the place in the file.</summary>
/// <param name="source">The configuration, for errors.</param>
/// <param name="before">What there was; files that it names already needn't be there.</param>
/// <param name="resolveSwitch">The name of a switch as it was given when it was made; an error where there is none.</param>
internal sealed class DefinitionCheck(ConfigSource source, VmDefinition before, Func<string?, string?> resolveSwitch)
{
    /// <summary>The definition, with its values as they are kept.</summary>
    internal VmDefinition Run(VmDefinition vm)
    {
        vm = vm with
        {
            Machine = CheckSettings(vm),
            Processor = At("CpuFeature", () => ProcessorRules.With(vm.Processor, new VmSettings { CpuModel = vm.Processor.Model, CpuFeature = vm.Processor.Features })),
        };
        At("Cpu", () => VmRules.CheckProcessor(vm.Cpu, vm.Processor));
        Unique(VmForm.IoThreads, vm.IoThreads, thread => thread.Id, IoThreadConfiguration.Maximum);
        Unique(VmForm.Drives, vm.Drives, drive => drive.Id, StratoClient.MaximumDrives);
        Unique(VmForm.NetworkAdapters, vm.NetworkAdapters, adapter => adapter.Id, NetConfiguration.Maximum);
        Unique(VmForm.ConsolePorts, vm.ConsolePorts, port => port.Id, ConsoleConfiguration.MaxPorts);
        Unique(VmForm.SharedFolders, vm.SharedFolders, folder => folder.Tag, int.MaxValue);
        CheckDevices(vm);
        CheckPins(vm);
        return vm with
        {
            Drives = Named(vm.Drives, drive => vm.Own(drive with { Io = drive.Io with { IoThread = StratoClient.ResolveIoThread(vm, drive.Io.IoThread) } })),
            NetworkAdapters = Named(vm.NetworkAdapters, adapter => adapter with
            {
                Settings = adapter.Settings with { IoThread = StratoClient.ResolveIoThread(vm, adapter.Settings.IoThread), SwitchName = resolveSwitch(adapter.Settings.SwitchName) },
            }),
            Processor = vm.Processor with { Affinity = Named(vm.Processor.Affinity, pin => pin with { IoThread = StratoClient.ResolveIoThread(vm, pin.IoThread) }) },
        };
    }

    private string CheckSettings(VmDefinition vm)
    {
        if (vm.Kernel.Length == 0)
        {
            throw source.Error("Kernel", "a VM needs a kernel: the path of a bzImage or an ELF vmlinux", new StratoException(StratoErrorKind.InvalidArgument, "KernelMissing", "No kernel is given."));
        }

        At(VmForm.Name, () => VmRules.Check(new VmSettings { Name = vm.Name }));
        At("Kernel", () => VmRules.Check(new VmSettings { Kernel = vm.Kernel == before.Kernel ? null : vm.Kernel }));
        At("Initrd", () => VmRules.Check(new VmSettings { Initrd = vm.Initrd == before.Initrd ? null : vm.Initrd }));
        At("CommandLine", () => VmRules.Check(new VmSettings { CommandLine = vm.CommandLine }));
        At("Memory", () => VmRules.Check(new VmSettings { Memory = vm.Memory }));
        At("HugePage", () => VmRules.Check(new VmSettings { HugePage = vm.HugePage == before.HugePage ? null : vm.HugePage }));
        At("HugePage", () => StratoClient.CheckHugePages(vm));
        At("Weight", () => StratoClient.CheckShares(vm.Processor.Weight, null));
        At("Quota", () => StratoClient.CheckShares(null, vm.Processor.Quota));
        return At("Machine", () => VmRules.Check(new VmSettings { Machine = vm.Machine })).Machine!;
    }

    private void CheckDevices(VmDefinition vm)
    {
        HashSet<string> images = new(StringComparer.Ordinal);
        foreach (DriveDefinition drive in before.Drives)
        {
            images.Add(drive.Path);
        }

        for (int i = 0; i < vm.Drives.Count; i++)
        {
            DriveDefinition drive = vm.Drives[i];
            At(Item(VmForm.Drives, i), () =>
            {
                VmRules.CheckId(drive.Id);
                VmRules.CheckDrive(drive, imageToo: !images.Contains(drive.Path));
                StratoClient.ResolveIoThread(vm, drive.Io.IoThread);
                StratoClient.RefuseKeeping(vm, drive.ReadOnly ? null : drive.Io.Snapshot);
            });
        }

        for (int i = 0; i < vm.NetworkAdapters.Count; i++)
        {
            NetworkAdapterDefinition adapter = vm.NetworkAdapters[i];
            At(Item(VmForm.NetworkAdapters, i), () =>
            {
                VmRules.CheckId(adapter.Id);
                VmRules.CheckNetworkAdapter(adapter.Settings, adapter.Id);
                StratoClient.ResolveIoThread(vm, adapter.Settings.IoThread);
                resolveSwitch(adapter.Settings.SwitchName);
            });
            if (adapter.Settings is { TapName: not null, SwitchName: not null })
            {
                throw source.Error(Item(VmForm.NetworkAdapters, i), "it has both TapName and SwitchName; give one, or none for user networking");
            }

            foreach (DriveDefinition drive in vm.Drives)
            {
                if (StratoClient.SameId(drive.Id, adapter.Id))
                {
                    throw source.Error($"{Item(VmForm.NetworkAdapters, i)}.Id", $"a drive has the id '{drive.Id}', too");
                }
            }
        }

        for (int i = 0; i < vm.IoThreads.Count; i++)
        {
            string thread = vm.IoThreads[i].Id;
            At(Item(VmForm.IoThreads, i), () => VmRules.Convert(() => ConfigurationLimits.CheckId(thread, VmForm.IoThreads)));
        }

        for (int i = 0; i < vm.ConsolePorts.Count; i++)
        {
            ConsolePortDefinition port = vm.ConsolePorts[i];
            At(Item(VmForm.ConsolePorts, i), () => DeviceRules.CheckPort(port));
        }

        for (int i = 0; i < vm.SharedFolders.Count; i++)
        {
            SharedFolderDefinition folder = vm.SharedFolders[i];
            if (!Contains(before.SharedFolders, one => one.Path == folder.Path && one.Tag == folder.Tag))
            {
                At(Item(VmForm.SharedFolders, i), () => DeviceRules.CheckSharedFolder(folder));
            }
        }

        if (vm.Vsock is { } vsock)
        {
            At("Vsock", () => DeviceRules.CheckVsock(vsock));
        }

        if (vm.Rng is { } rng)
        {
            At("Rng", () => DeviceRules.CheckRng(rng));
        }
    }

    private void CheckPins(VmDefinition vm)
    {
        int most = ProcessorRules.ShapeOf(vm.Cpu, vm.Processor).MaxCpus;
        HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < vm.Processor.Affinity.Count; i++)
        {
            AffinityDefinition pin = vm.Processor.Affinity[i];
            string place = Item(VmForm.Affinity, i);
            At(place, () => HostCpus.Parse(pin.HostCpus, "HostCpus"));
            if (pin is { Cpu: not null, IoThread: not null })
            {
                throw source.Error(place, "it has both Cpu and IoThread; give one, or none for all other threads");
            }

            if (pin.Cpu < 0 || pin.Cpu >= most)
            {
                throw source.Error($"{place}.Cpu", string.Create(CultureInfo.InvariantCulture, $"the VM has no virtual CPU {pin.Cpu}; it has 0 to {most - 1}"));
            }

            At(place, () => StratoClient.ResolveIoThread(vm, pin.IoThread));
            if (!seen.Add(pin.Cpu?.ToString(CultureInfo.InvariantCulture) ?? $"thread {pin.IoThread}"))
            {
                throw source.Error(place, "the same thread is pinned twice");
            }
        }
    }

    private void Unique<T>(string list, IReadOnlyList<T> items, Func<T, string> id, int most)
    {
        HashSet<string> seen = new(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < items.Count; i++)
        {
            if (!seen.Add(id(items[i])))
            {
                throw source.Error(Item(list, i), $"'{ConfigurationLimits.Printable(id(items[i]))}' is there twice, without regard to case");
            }
        }

        if (items.Count > most)
        {
            throw source.Error(Item(list, most), string.Create(CultureInfo.InvariantCulture, $"there are {items.Count} {list}; a VM has at most {most}"));
        }
    }

    /// <summary>With threads as their ids are written.</summary>
    private static T[] Named<T>(IReadOnlyList<T> items, Converter<T, T> change) => Array.ConvertAll([.. items], change);

    private static bool Contains<T>(IReadOnlyList<T> items, Func<T, bool> match)
    {
        foreach (T item in items)
        {
            if (match(item))
            {
                return true;
            }
        }

        return false;
    }

    private static string Item(string list, int index) => string.Create(CultureInfo.InvariantCulture, $"{list}[{index}]");

    private void At(string path, Action check) => At(path, () =>
    {
        check();
        return true;
    });

    private T At<T>(string path, Func<T> check)
    {
        try
        {
            return check();
        }
        catch (StratoException e)
        {
            throw source.Error(path, e.Message, e);
        }
    }
}
