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
            using FileStream file = PlainFile.OpenRead(path);
            return DomainXml.Read(file, path, Path.GetDirectoryName(path)!, FreeCid, FindSwitchFor);
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
        Store.Add(CheckImport(configuration, overrides), token, vm => configuration.ChoosesCid && vm.Vsock is not null ? vm with { Vsock = vm.Vsock with { GuestCid = FreeCid() } } : vm);

    /// <summary>The switch in place of what libvirt leads to: one of the network's name, or one that has the bridge.</summary>
    private string? FindSwitchFor(string? network, string? bridge) =>
        SwitchStore.List().Find(one => network is not null ? VmStore.SameName(one.Name, network) : one.BridgeName == bridge)?.Name;

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

        Change(id, "Its configuration", before => ChangedFor(before, configuration), token);
        return [];
    }

    /// <summary>What a configuration makes of a VM. Error <c>InvalidConfiguration</c> also for what only a new one can be.</summary>
    private VmDefinition ChangedFor(VmDefinition before, VmConfigurationDocument configuration) =>
        Changed(before, configuration) is var after && after.Ephemeral == before.Ephemeral
            ? after
            : throw configuration.Value.Source.Error("Ephemeral", $"the VM '{before.Name}' is there already; whether a VM is there for one run is said when it is made");

    private VmDefinition Changed(VmDefinition before, VmConfigurationDocument configuration)
    {
        VmDefinition after = VmForm.Vm.Read(before, configuration.Value, whole: false) with { Name = before.Name };
        return new DefinitionCheck(configuration.Value.Source, before, ResolveSwitch).Run(KeepOld(before, after));
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
