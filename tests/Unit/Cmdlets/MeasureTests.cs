using System;
using System.Linq;
using System.Management.Automation;
using System.Threading.Tasks;
using Strato.Tests.CmdletHost;
using Strato.Tests.Unit.Client;
using Xunit;

namespace Strato.Tests.Unit.Cmdlets;

/// <summary>Measure-StratoVm, and what Get-StratoVm tells of memory.</summary>
[Collection(CmdletCollection.Name)]
public sealed class MeasureTests : CmdletTests
{
    [Fact]
    public void RatesAreObjectsWithNumbers()
    {
        Vm web = Start();
        Measurement[] measured = [.. Run(new Step("Measure-StratoVm", "web").With("Count", 2)).Output.Cast<Measurement>()];
        Assert.Equal(2, measured.Length);
        Assert.All(measured, one =>
        {
            Assert.Equal(("web", web.Id, "Running", DateTimeKind.Local), (one.VMName, one.VMId, one.State, one.Time.Kind));
            Assert.InRange(one.Interval, 0.5, 30);

            // A MiB by 10 requests of 2 ms, 1000 bytes and 500 exits each interval.
            Assert.InRange(one.DiskReadBytes * one.Interval, (1 << 20) - 1000, (1 << 20) + 1000);
            Assert.Equal((0, "root", 2, null), (one.DiskWriteBytes, Assert.Single(one.Drives).Id, one.Drives[0].ReadLatency, one.Drives[0].WriteLatency));
            Assert.InRange(one.DiskReads * one.Interval, 9, 11);
            Assert.InRange(one.Exits!.Value * one.Interval, 490, 510);
            Assert.InRange(one.NetworkAdapters[0].ReceiveBytes!.Value * one.Interval, 990, 1010);

            // Of the second adapter nobody tells, so there is no sum.
            Assert.Null(one.NetworkAdapters[1].SendBytes);
            Assert.Null(one.NetworkReceiveBytes);
            Assert.Equal((web.Memory, 200), (one.MemoryAssigned, one.MemoryDemand));
            Assert.True(one.MemoryResident > 0);
            Assert.InRange(one.CpuUsage!.Value, 0, 100);
        });
        Assert.True(measured[1].Time > measured[0].Time);
    }

    [Fact]
    public void ManyAreMeasuredAtOnceAndThoseThatDontRunAreLeftOut()
    {
        Start("a");
        Start("b");
        New("c");
        Assert.Equal(["a", "b"], Run(new Step("Measure-StratoVm").With("Count", 1)).Output.Cast<Measurement>().Select(one => one.VMName));
        Assert.Equal(["b", "a"], Run(new Step("Measure-StratoVm").With("Name", new[] { "b", "*" }).With("Count", 1)).Output.Cast<Measurement>().Select(one => one.VMName));
        Assert.Equal(["a"], Run(new Step("Get-StratoVm", "a"), new Step("Measure-StratoVm").With("Count", 1)).Output.Cast<Measurement>().Select(one => one.VMName));
        AssertError(Error(new Step("Measure-StratoVm", "c")), "VmNotRunning", ErrorCategory.InvalidOperation, "c");
        AssertError(Error(new Step("Measure-StratoVm", "nobody")), "VmNotFound", ErrorCategory.ObjectNotFound, "nobody");
    }

    [Fact]
    public void ItEndsWithTheVmAndInTime()
    {
        Vm web = Start();
        Assert.Empty(Run(new Step("Measure-StratoVm", "web").With("Timeout", 0)).Output);
        Task<HostResult> measuring = Task.Factory.StartNew(
            () => Host.Invoke(new Step("Measure-StratoVm", "web").With("Interval", 3600)), Store.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        ClientFixture.Until(
            () => System.IO.File.ReadLines("/proc/net/unix").Count(line => line.EndsWith(" " + web.QmpPath, StringComparison.Ordinal)) > 1, "a connection");
        ClientFixture.Signal(web.ProcessId!.Value, 9);
        ClientFixture.Until(() => measuring.IsCompleted, "the end of the measurement");
    }

    [Fact]
    public void AnEngineOfAnotherVersionAndOneThatHangsAreMeasuredAsFarAsTheyGo()
    {
        Vm old = Start("old", "old=");
        Assert.Null(Run(new Step("Measure-StratoVm", "old").With("Count", 1)).Single<Measurement>().Exits);
        Task<HostResult> measuring = Task.Factory.StartNew(
            () => Host.Invoke(new Step("Measure-StratoVm", "old").With("Count", 2)), Store.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        ClientFixture.Until(
            () => System.IO.File.ReadLines("/proc/net/unix").Count(line => line.EndsWith(" " + old.QmpPath, StringComparison.Ordinal)) > 1, "a connection");
        ClientFixture.Signal(old.ProcessId!.Value, 19);
        ClientFixture.Until(() => measuring.IsCompleted, "the measurement of an engine that hangs");
        ClientFixture.Signal(old.ProcessId!.Value, 18);
    }

    [Fact]
    public void AVmTellsWhatItsGuestNeedsAndWhenThatWas()
    {
        DateTime before = DateTime.Now;
        Vm web = Start();
        Assert.Equal(200, web.MemoryDemand);
        Assert.InRange(web.Time, before, DateTime.Now);
        DateTime then = web.Time;
        web.Refresh();
        Assert.True(web.Time > then);
        Assert.Equal(0, New("stopped").MemoryDemand);
    }
}
