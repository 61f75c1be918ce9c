using System;
using System.Collections.Generic;
using System.Linq;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>What KVM counts, read while a vCPU runs.</summary>
public sealed class KvmCountersTests
{
    // out 0x10, al; jmp back: nothing but exits.
    private static readonly byte[] OutForEver = [0xE6, 0x10, 0xEB, 0xFC];

    [Fact]
    public void ExitsAreCountedWhileTheVcpuRuns()
    {
        using PayloadVm vm = new(OutForEver);
        using KvmCounters counters = Open(vm);
        long before = Exits(counters);
        vm.Threads[0].Start();
        vm.Threads[0].Unpark();
        Assert.True(System.Threading.SpinWait.SpinUntil(() => Exits(counters) > before + 100, TimeSpan.FromSeconds(20)));
        vm.Threads[0].RequestPark();
        vm.Threads[0].WaitParked();
        long after = Exits(counters);
        Assert.Equal(after, Exits(counters));
    }

    [Fact]
    public void HistogramsAndFlagsAreToldApart()
    {
        using PayloadVm vm = new(OutForEver);
        using KvmCounters counters = Open(vm);
        IReadOnlyList<KvmCounter> all = counters.OfCpu(0, _ => true)!;
        Assert.Equal(all.Count, all.Select(counter => counter.Figure.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.All(all, counter => Assert.Matches("^[a-z0-9_]+$", counter.Figure.Name));
        KvmCounter histogram = all.First(counter => counter.Figure.IsHistogram);
        Assert.True(histogram.Values.Length > 1, histogram.Figure.Name);
        Assert.All(all.Where(counter => !counter.Figure.IsHistogram), counter => Assert.Single(counter.Values));
        Assert.Contains(all, counter => counter.Figure.IsFlag);
        Assert.Contains(counters.OfVm(_ => true)!, counter => counter.Figure.Name == "remote_tlb_flush");
        Assert.Empty(counters.OfVm(name => name == "exits")!);
    }

    [Fact]
    public void AKernelWithoutStatisticsTellsNone()
    {
        using KvmCounters none = new(null, _ => null);
        Assert.Null(none.OfVm(_ => true));
        Assert.Null(none.OfCpu(0, _ => true));

        // A descriptor that isn't KVM's.
        Assert.Null(KvmStatistics.TryOpen(0));
    }

    internal static KvmCounters Open(PayloadVm vm)
    {
        KvmStatistics? statistics = vm.Vm.OpenStatistics();
        Assert.SkipWhen(statistics is null, "this kernel's KVM has no binary statistics (Linux 5.14)");
        return new KvmCounters(statistics, index => vm.Threads[index].Vcpu.Statistics);
    }

    private static long Exits(KvmCounters counters) => (long)Assert.Single(counters.OfCpu(0, name => name == "exits")!).Values[0];
}
