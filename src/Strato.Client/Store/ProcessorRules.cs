using System.Collections.Generic;
using System.Globalization;
using Strato.Protocol.Configuration;

namespace Strato.Client.Store;

/// <summary>What a definition may say of its virtual CPUs, and how the engine is told.</summary>
internal static class ProcessorRules
{
    private static readonly CpuCountNames Names = new("-Cpu", "-MaximumCpu", "-Socket", "-Die", "-Core", "-Thread");

    /// <summary>With what is given; a zero takes back what was said before, an empty model is the default one.</summary>
    internal static ProcessorDefinition With(ProcessorDefinition before, VmSettings given) => before with
    {
        Maximum = Change(given.MaximumCpu, before.Maximum),
        Sockets = Change(given.Socket, before.Sockets),
        Dies = Change(given.Die, before.Dies),
        Cores = Change(given.Core, before.Cores),
        Threads = Change(given.Thread, before.Threads),
        Model = given.CpuModel is { } model ? Read(model, []).Name : before.Model,
        Features = given.CpuFeature is { } features ? Canonical(features) : before.Features,
    };

    /// <summary>The shape, which is an error where the counts don't fit together.</summary>
    /// <param name="cpus">Null for as many as the topology has, or one where more may come.</param>
    /// <param name="processor">The rest.</param>
    internal static CpuShape ShapeOf(int? cpus, ProcessorDefinition processor)
    {
        CpuCounts counts = new(
            cpus ?? (processor.Maximum is null ? null : 1), processor.Maximum, processor.Sockets, processor.Dies, processor.Cores, processor.Threads);
        return VmRules.Convert(() => CpuShape.Resolve(counts, Names));
    }

    /// <summary>The CPU model with its features.</summary>
    internal static CpuModel ModelOf(ProcessorDefinition processor) => Read(processor.Model ?? CpuModel.HostName, [.. processor.Features]);

    /// <summary>The value of <c>-smp</c>.</summary>
    internal static string Smp(VmDefinition vm)
    {
        string text = vm.Cpu.ToString(CultureInfo.InvariantCulture);
        ProcessorDefinition p = vm.Processor;
        foreach ((string key, int? value) in (IEnumerable<(string, int?)>)[("maxcpus", p.Maximum), ("sockets", p.Sockets), ("dies", p.Dies), ("cores", p.Cores), ("threads", p.Threads)])
        {
            text += value is { } number ? string.Create(CultureInfo.InvariantCulture, $",{key}={number}") : "";
        }

        return text;
    }

    /// <summary>Without pins of CPUs that there can't be any more.</summary>
    internal static VmDefinition WithoutOrphans(VmDefinition vm)
    {
        int most = ShapeOf(vm.Cpu, vm.Processor).MaxCpus;
        List<AffinityDefinition> left = [.. vm.Processor.Affinity];
        return left.RemoveAll(one => one.Cpu >= most) == 0 ? vm : vm with { Processor = vm.Processor with { Affinity = left } };
    }

    private static int? Change(int? given, int? before) => given is null ? before : given == 0 ? null : given;

    private static CpuModel Read(string name, string[] features) =>
        VmRules.Convert(() => CpuModel.Make(name.Length == 0 ? CpuModel.HostName : name, features, "-CpuModel", "-CpuFeature"));

    private static IReadOnlyList<string> Canonical(IReadOnlyList<string> features)
    {
        List<string> canonical = [];
        foreach (CpuFlag flag in Read(CpuModel.HostName, [.. features]).Flags)
        {
            canonical.Add((flag.On ? "+" : "-") + flag.Feature.Name);
        }

        return canonical.Count == 0 ? [] : canonical;
    }
}
