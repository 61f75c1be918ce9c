using System;
using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol.Configuration;

namespace Strato.Client.Configurations;

/// <summary>A VM as another program describes it, while it is being read: what it becomes, and what can't be carried over.</summary>
/// <param name="name">What the description is called in errors and warnings.</param>
internal sealed class ForeignVm(string name)
{
    private readonly List<(string Text, List<int> Lines)> _left = [];
    private readonly Dictionary<string, int> _lines = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>What the description is called.</summary>
    internal string Name => name;

    internal VmDefinition Vm { get; set; } = VmForm.Blank() with { CommandLine = "" };

    /// <summary>As of <see cref="VmConfigurationDocument.ChoosesCid"/>.</summary>
    internal bool ChoosesCid { get; set; }

    internal List<DriveDefinition> Drives { get; } = [];

    internal List<NetworkAdapterDefinition> Adapters { get; } = [];

    internal List<IoThreadDefinition> IoThreads { get; } = [];

    internal List<ConsolePortDefinition> Ports { get; } = [];

    internal List<SharedFolderDefinition> Folders { get; } = [];

    internal List<AffinityDefinition> Pins { get; } = [];

    /// <summary>Tells of something that can't be carried over; the same of several lines once.</summary>
    /// <param name="what">What, as it is written: an element, an option.</param>
    /// <param name="why">Why, and what to do.</param>
    /// <param name="line">From 1; 0 where there are no lines.</param>
    internal void Leave(string what, string why, int line)
    {
        string text = $"{ConfigurationLimits.Printable(what)} can't be carried over: {why}.";
        if (_left.Find(one => one.Text == text) is { Text: not null } found)
        {
            found.Lines.Add(line);
            return;
        }

        _left.Add((text, [line]));
    }

    /// <summary>Remembers where a setting was given, for errors about its value.</summary>
    internal void At(string path, int line) => _lines[path] = line;

    internal void At(string list, int index, int line) => At(string.Create(CultureInfo.InvariantCulture, $"{list}[{index}]"), line);

    internal void WithProcessor(Func<ProcessorDefinition, ProcessorDefinition> change) => Vm = Vm with { Processor = change(Vm.Processor) };

    /// <summary>A feature, where it is one that Strato knows.</summary>
    internal void AddFeature(string feature, bool on, int line)
    {
        foreach (CpuFeature known in CpuFeature.All)
        {
            if (string.Equals(known.Name, feature.Replace('_', '-'), StringComparison.OrdinalIgnoreCase) || string.Equals(known.Name, feature, StringComparison.OrdinalIgnoreCase))
            {
                WithProcessor(one => one with { Features = [.. one.Features, (on ? "+" : "-") + known.Name] });
                return;
            }
        }

        Leave($"the CPU feature '{feature}'", "it is unknown here (strato-engine -cpu help lists those that are)", line);
    }

    /// <param name="folder">What relative paths are relative to.</param>
    internal VmConfigurationDocument ToDocument(string folder)
    {
        Vm = Vm with { Drives = Drives, NetworkAdapters = Adapters, IoThreads = IoThreads, ConsolePorts = Ports, SharedFolders = Folders, Processor = Vm.Processor with { Affinity = Pins } };
        List<string> warnings = [];
        foreach ((string text, List<int> lines) in _left)
        {
            lines.RemoveAll(line => line == 0);
            string where = lines.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"line{(lines.Count == 1 ? "" : "s")} {string.Join(", ", lines)}: ");
            warnings.Add($"{name}, {where}{text}");
        }

        ConfigSource source = new(name, folder, path => _lines.TryGetValue(path, out int line) ? line : 0);
        return new VmConfigurationDocument(new ConfigValue(VmForm.Vm.Write(Vm, all: true), "", source), warnings) { ChoosesCid = ChoosesCid };
    }
}
