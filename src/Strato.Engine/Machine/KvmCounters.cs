using System;
using System.Collections.Generic;
using Strato.Engine.Kvm;

namespace Strato.Engine.Machine;

/// <summary>One figure of KVM and its value now.</summary>
/// <param name="Figure">What it is.</param>
/// <param name="Values">One value, or those of a histogram.</param>
internal readonly record struct KvmCounter(KvmFigure Figure, ulong[] Values);

/// <summary>What KVM counts for the machine and for each of its CPUs. On the main loop's thread.</summary>
internal sealed class KvmCounters(KvmStatistics? vm, Func<int, KvmStatistics?> ofCpu) : IDisposable
{
    private KvmFigure[]? _vmFigures;
    private KvmFigure[]? _cpuFigures;

    /// <summary>Those of the whole machine; null where the kernel tells none.</summary>
    /// <param name="isWanted">By name.</param>
    public IReadOnlyList<KvmCounter>? OfVm(Predicate<string> isWanted) => vm is null ? null : Read(vm, _vmFigures ??= vm.ReadFigures(), isWanted);

    /// <summary>Those of a CPU that is there; null where the kernel tells none.</summary>
    /// <param name="cpu">Its index.</param>
    /// <param name="isWanted">By name.</param>
    public IReadOnlyList<KvmCounter>? OfCpu(int cpu, Predicate<string> isWanted) =>
        ofCpu(cpu) is { } statistics ? Read(statistics, _cpuFigures ??= statistics.ReadFigures(), isWanted) : null;

    public void Dispose() => vm?.Dispose();

    private static List<KvmCounter> Read(KvmStatistics statistics, KvmFigure[] figures, Predicate<string> isWanted)
    {
        List<KvmCounter> counters = [];
        ReadOnlySpan<ulong> values = statistics.ReadValues(figures);
        foreach (KvmFigure figure in figures)
        {
            if (!values.IsEmpty && isWanted(figure.Name))
            {
                counters.Add(new KvmCounter(figure, values.Slice(figure.Index, figure.Count).ToArray()));
            }
        }

        return counters;
    }
}
