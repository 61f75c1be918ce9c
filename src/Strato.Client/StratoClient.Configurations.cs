using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;
using Strato.Client.Configurations;
using Strato.Client.Runtime;
using Strato.Client.Store;

namespace Strato.Client;

public sealed partial class StratoClient
{
    /// <summary>A VM's configuration as text.</summary>
    public static string FormatConfiguration(VmDefinition vm, VmConfigurationFormat format) => Encoding.UTF8.GetString(ConfigurationFile.Write(vm, format));

    /// <summary>Writes a VM's configuration to a file, wholly or not at all.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="path">Absolute.</param>
    /// <param name="format">Null for what the path ends with.</param>
    /// <param name="force">Whether it may take the place of a file.</param>
    /// <remarks>Errors: <c>ConfigurationFormatUnknown</c>, <c>FileExists</c>, <c>ConfigurationNotWritable</c>.</remarks>
    public static void ExportConfiguration(VmDefinition vm, string path, VmConfigurationFormat? format, bool force) =>
        ConfigurationFile.Save(path, ConfigurationFile.Write(vm, format ?? ConfigurationFile.FormatOf(path) ?? throw ConfigurationFile.FormatUnknown(path)), force);

    /// <summary>Reads the settings of a file. Relative paths in it are relative to its folder.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="format">Null for what the path ends with.</param>
    /// <remarks>
    /// Errors: <c>ConfigurationNotFound</c>, <c>ConfigurationNotReadable</c>, <c>ConfigurationFormatUnknown</c>, <c>InvalidConfiguration</c>, and those of the engine's JSON; all
    /// with line and path.
    /// </remarks>
    public static VmConfigurationDocument ReadConfiguration(string path, VmConfigurationFormat? format = null)
    {
        List<string> warnings = [];
        ConfigValue value = ConfigurationFile.Read(path, format, warnings);
        return new VmConfigurationDocument(value, warnings);
    }

    /// <summary>Reads a libvirt domain, as far as a VM of Strato can be it; the document's warnings tell the rest. Paths in it are relative to its folder.</summary>
    /// <param name="path">Absolute.</param>
    /// <remarks>Errors: <c>DomainXmlNotFound</c>, <c>DomainXmlNotReadable</c>, <c>InvalidDomainXml</c>.</remarks>
    public VmConfigurationDocument ReadDomainXml(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            return DomainXml.Read(file, path, Path.GetDirectoryName(path)!, FreeCid);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StratoException(StratoErrorKind.NotFound, "DomainXmlNotFound", $"The domain '{path}' does not exist.", e) { Where = path };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StratoException(StratoErrorKind.Permission, "DomainXmlNotReadable", $"The domain '{path}' can't be read: {e.Message}", e) { Where = path };
        }
    }

    /// <summary>Reads a command line of StratoVirt, QEMU or strato-engine, as far as a VM of Strato can be it; the document's warnings tell the rest.</summary>
    /// <param name="text">With or without the program's name; quoted as for sh.</param>
    /// <param name="folder">What relative paths are relative to; absolute.</param>
    /// <remarks>Errors: <c>InvalidCommandLine</c>, and those of the engine's options.</remarks>
    public static VmConfigurationDocument ReadCommandLine(string text, string folder) => ForeignCommandLine.Read(text, folder);

    /// <summary>The definition that <see cref="Import"/> makes, checked as <see cref="Create"/> and the Add methods check what they are given.</summary>
    /// <param name="configuration">What the file says.</param>
    /// <param name="overrides">What is given in the place of what it says.</param>
    public VmDefinition CheckImport(VmConfigurationDocument configuration, VmSettings? overrides = null)
    {
        ConfigValue given = configuration.Value;
        overrides ??= new VmSettings();
        VmDefinition vm = With(VmForm.Vm.Read(VmForm.Blank(), given, whole: true), overrides);
        if (vm.Name.Length == 0)
        {
            throw given.Source.Error(VmForm.Name, "no name is given", new StratoException(StratoErrorKind.InvalidArgument, "InvalidName", "No name is given.") { RecommendedAction = "-Name gives the VM one." });
        }

        if (overrides.Cpu is null && given.Map().Find("Cpu") is null or NullNode)
        {
            vm = vm with { Cpu = ProcessorRules.ShapeOf(null, vm.Processor).Cpus };
        }

        vm = new DefinitionCheck(given.Source, VmForm.Blank(), ResolveSwitch).Run(vm);
        RefuseTaken(vm.Name);
        return vm;
    }

    /// <summary>Makes a VM of a configuration. Errors: those of <see cref="Create"/> and of the Add methods, with the place in the file; <c>InvalidConfiguration</c>.</summary>
    public VmDefinition Import(VmConfigurationDocument configuration, VmSettings? overrides = null, CancellationToken token = default) =>
        Store.Add(CheckImport(configuration, overrides), token);

    /// <summary>What two VMs differ in, but for their names.</summary>
    public static IReadOnlyList<VmDifference> Compare(VmDefinition reference, VmDefinition difference) => DifferenceFinder.Find(reference, difference);

    /// <summary>In what a VM differs from what a configuration gives. Errors as of <see cref="Import"/>.</summary>
    public IReadOnlyList<VmDifference> Compare(VmDefinition vm, VmConfigurationDocument configuration) => DifferenceFinder.Find(vm, Changed(vm, configuration));

    /// <summary>Gives a VM what a configuration says, but for the name.</summary>
    /// <returns>The differences that a running VM can't be given; empty where it has all.</returns>
    /// <remarks>A stopped VM gets all or nothing, a running one each that it can take. Errors: those of <see cref="Import"/>, and of the methods that change a running VM.</remarks>
    public IReadOnlyList<VmDifference> Apply(string id, VmConfigurationDocument configuration, HotPlugOptions? options = null, CancellationToken token = default)
    {
        bool isRunning;
        using (EngineProcess? process = Registry.TryOpen(id))
        {
            isRunning = process is not null;
        }

        if (isRunning)
        {
            return ApplyRunning(id, configuration, options, token);
        }

        Change(
            id,
            "Its configuration",
            before => Changed(before, configuration) is var after && after.Ephemeral == before.Ephemeral
                ? after
                : throw configuration.Value.Source.Error("Ephemeral", $"the VM '{before.Name}' is there already; whether a VM is there for one run is said when it is made"),
            token);
        return [];
    }

    private VmDefinition Changed(VmDefinition before, VmConfigurationDocument configuration)
    {
        VmDefinition after = VmForm.Vm.Read(before, configuration.Value, whole: false) with { Name = before.Name };
        return new DefinitionCheck(configuration.Value.Source, before, ResolveSwitch).Run(KeepOld(before, after));
    }

    /// <summary>Each that a running VM can take, by what changes it alone.</summary>
    private List<VmDifference> ApplyRunning(string id, VmConfigurationDocument configuration, HotPlugOptions? options, CancellationToken token)
    {
        VmDefinition before = GetById(id);
        VmDefinition after = Changed(before, configuration);
        List<VmDifference> refused = DifferenceFinder.Find(before, after).FindAll(difference => difference.NeedsRestart);
        bool slots = !before.NoHotPlug;
        if (before.Notes != after.Notes)
        {
            Update(id, new VmSettings { Notes = after.Notes }, null, token);
        }

        if (before.Cpu != after.Cpu && before.Processor.Maximum >= after.Cpu)
        {
            Update(id, new VmSettings { Cpu = after.Cpu }, options, token);
        }

        if (before.Processor.Weight != after.Processor.Weight || before.Processor.Quota != after.Processor.Quota)
        {
            SetCpuShare(id, after.Processor.Weight ?? 0, after.Processor.Quota ?? 0, token);
        }

        ApplyPins(id, before.Processor.Affinity, after.Processor.Affinity, token);
        foreach (DriveDefinition drive in before.Drives)
        {
            if (Find(after.Drives, one => SameId(one.Id, drive.Id)) is not { } next)
            {
                WhereSlots(slots, () => RemoveDrive(id, drive.Id, options, token));
            }
            else if (next.Io.Iops != drive.Io.Iops)
            {
                SetDrive(id, drive.Id, new DriveChange { Io = new DriveIo { Iops = next.Io.Iops ?? 0 } }, token);
            }
        }

        foreach (NetworkAdapterDefinition adapter in before.NetworkAdapters)
        {
            if (Find(after.NetworkAdapters, one => SameId(one.Id, adapter.Id)) is not { } next)
            {
                WhereSlots(slots, () => RemoveNetworkAdapter(id, adapter.Id, options, token));
            }
            else if (next.Settings.Connected != adapter.Settings.Connected)
            {
                SetNetworkAdapter(id, adapter.Id, new NetworkAdapterSettings { Connected = next.Settings.Connected ?? true }, token);
            }
        }

        foreach (DriveDefinition drive in after.Drives)
        {
            if (Find(before.Drives, one => SameId(one.Id, drive.Id)) is null)
            {
                WhereSlots(slots, () => AddDrive(id, new DriveSettings { Id = drive.Id, Path = drive.Path, ReadOnly = drive.ReadOnly, Serial = drive.Serial, Io = drive.Io }, options, token));
            }
        }

        foreach (NetworkAdapterDefinition adapter in after.NetworkAdapters)
        {
            if (Find(before.NetworkAdapters, one => SameId(one.Id, adapter.Id)) is null)
            {
                WhereSlots(slots, () => AddNetworkAdapter(id, adapter.Settings, adapter.Id, options, token));
            }
        }

        return refused;
    }

    private void ApplyPins(string id, IReadOnlyList<AffinityDefinition> before, IReadOnlyList<AffinityDefinition> after, CancellationToken token)
    {
        foreach (AffinityDefinition old in before)
        {
            if (Find(after, one => SameThread(one, old)) is null)
            {
                SetAffinity(id, TargetOf(old), "", token);
            }
        }

        foreach (AffinityDefinition pin in after)
        {
            if (Find(before, one => SameThread(one, pin))?.HostCpus != pin.HostCpus)
            {
                SetAffinity(id, TargetOf(pin), pin.HostCpus, token);
            }
        }

        static bool SameThread(AffinityDefinition a, AffinityDefinition b) => a.Cpu == b.Cpu && a.IoThread == b.IoThread;

        static AffinityTarget TargetOf(AffinityDefinition pin) =>
            new(pin.Cpu is { } cpu ? [cpu] : [], pin.IoThread is { } thread ? [thread] : [], pin is { Cpu: null, IoThread: null });
    }

    /// <summary>A VM without slots takes no devices while it runs; what it isn't given is told to the caller.</summary>
    private static void WhereSlots(bool slots, Action change)
    {
        if (slots)
        {
            change();
        }
    }

    /// <summary>Of what stays, the id as it was written first, and what a newer version wrote about it.</summary>
    private static VmDefinition KeepOld(VmDefinition before, VmDefinition after) => after with
    {
        Drives = Keep(before.Drives, after.Drives, drive => drive.Id, (drive, old) => drive with { Id = old.Id, Extra = old.Extra }),
        NetworkAdapters = Keep(before.NetworkAdapters, after.NetworkAdapters, adapter => adapter.Id, (adapter, old) => adapter with { Id = old.Id, Extra = old.Extra }),
        IoThreads = Keep(before.IoThreads, after.IoThreads, thread => thread.Id, (thread, old) => thread with { Id = old.Id, Extra = old.Extra }),
        ConsolePorts = Keep(before.ConsolePorts, after.ConsolePorts, port => port.Id, (port, old) => port with { Id = old.Id, Extra = old.Extra }),
        SharedFolders = Keep(before.SharedFolders, after.SharedFolders, folder => folder.Tag, (folder, old) => folder with { Tag = old.Tag, Extra = old.Extra }),
        Vsock = after.Vsock is { } vsock ? vsock with { Extra = before.Vsock?.Extra ?? [] } : null,
        Rng = after.Rng is { } rng ? rng with { Extra = before.Rng?.Extra ?? [] } : null,
        Balloon = after.Balloon is { } balloon ? balloon with { Extra = before.Balloon?.Extra ?? [] } : null,
    };

    private static List<T> Keep<T>(IReadOnlyList<T> before, IReadOnlyList<T> after, Func<T, string> id, Func<T, T, T> keep)
        where T : class
    {
        List<T> kept = [];
        foreach (T item in after)
        {
            kept.Add(Find(before, one => SameId(id(one), id(item))) is { } old ? keep(item, old) : item);
        }

        return kept;
    }

    private static T? Find<T>(IEnumerable<T> items, Func<T, bool> match)
        where T : class
    {
        foreach (T item in items)
        {
            if (match(item))
            {
                return item;
            }
        }

        return null;
    }
}
