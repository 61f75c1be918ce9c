using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text.Json;
using System.Threading;
using Strato.Client;
using Strato.Client.Linux;
using Strato.Client.Measuring;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Xunit;

namespace Strato.Tests.Unit.Client;

/// <summary>From what was counted to what is told.</summary>
public sealed class RatesTests
{
    private static readonly VmMeasurement Empty = new() { Id = "i", Name = "web", State = VmState.Running, Time = DateTimeOffset.UnixEpoch, Interval = TimeSpan.Zero };

    [Fact]
    public void RatesAreDifferencesBySeconds()
    {
        EngineSample before = Sample(0, cpu: 5_000_000_000, exits: 100, [10, 20, 1, 2, 3, 1_000_000, 0], [1000, 10, 0, 0]);
        EngineSample after = Sample(2, cpu: 6_000_000_000, exits: 1100, [4106, 20, 5, 2, 4, 9_000_000, 0], [3000, 20, 500, 1]);
        VmMeasurement measured = Rates.Between(before, after, Empty, definedCpus: 8);
        Assert.Equal(TimeSpan.FromSeconds(2), measured.Interval);

        // A second of processor in two seconds, on two CPUs: a quarter.
        Assert.Equal((25, 500), (measured.CpuUsage, measured.Exits));
        Assert.Equal(new DriveRates("d", ReadBytes: 2048, WriteBytes: 0, Reads: 2, Writes: 0, Flushes: 0.5, ReadLatency: 2, WriteLatency: null), Assert.Single(measured.Drives));
        Assert.Equal(new NetworkRates("n", ReceiveBytes: 1000, SendBytes: 250, ReceivePackets: 5, SendPackets: 0.5), Assert.Single(measured.NetworkAdapters));
    }

    [Fact]
    public void ADeviceThatCameOrBeganAnewCountsFromZero()
    {
        EngineSample before = Sample(0, cpu: null, exits: null, [1000, 0, 10, 0, 0, 0, 0], null);
        EngineSample after = Sample(1, cpu: 7, exits: 9, [300, 0, 3, 0, 0, 6_000_000, 0], [5, 5, 5, 5]);
        VmMeasurement measured = Rates.Between(before, after, Empty, definedCpus: 1);
        Assert.Null(measured.CpuUsage);
        Assert.Null(measured.Exits);
        Assert.Equal((300, 3, 2), (measured.Drives[0].ReadBytes, measured.Drives[0].Reads, measured.Drives[0].ReadLatency));

        // What nobody told before has no rate yet.
        Assert.Null(measured.NetworkAdapters[0].ReceiveBytes);
        EngineSample none = new() { Timestamp = 0, State = VmState.Running };
        Assert.Equal(5, Rates.Between(none, after, Empty, 1).NetworkAdapters[0].SendPackets);
    }

    [Fact]
    public void AnswersOfAnotherVersionAreNothing()
    {
        foreach (string odd in (string[])["null", "{}", "[]", "[1,{},{\"device\":5},{\"name\":null}]", "\"x\""])
        {
            Assert.Empty(EngineSample.ReadDrives(Parse(odd)));
            Assert.Empty(EngineSample.ReadAdapters(Parse(odd)));
            Assert.Null(EngineSample.ReadExits(Parse(odd)).Exits);
            Assert.Null(GuestMemory.Used(Parse(odd)));
            Assert.Null(GuestMemory.Actual(Parse(odd)));
        }

        Assert.Equal((30, 2), EngineSample.ReadExits(Parse("""[{"stats":[{"name":"exits","value":10}]},{"stats":[{"name":"x","value":1},{"name":"exits","value":20}]}]""")));
    }

    [Fact]
    public void AKernelsInterfaceIsReadAtItsTap()
    {
        string classes = Directory.CreateTempSubdirectory("strato-net-").FullName;
        string folder = Directory.CreateDirectory(Path.Combine(classes, "tap7", "statistics")).FullName;
        foreach ((string name, int value) in (IEnumerable<(string, int)>)[("tx_bytes", 1), ("tx_packets", 2), ("rx_bytes", 3), ("rx_packets", 4)])
        {
            File.WriteAllText(Path.Combine(folder, name), $"{value}\n");
        }

        JsonElement answer = Parse("""[{"name":"net0","ifname":"tap7","netdev":"n"},{"name":"net1","ifname":"../tap7","netdev":"n"},{"name":"net2","ifname":"gone","netdev":"n"}]""");
        List<EngineSample.Adapter> adapters = EngineSample.ReadAdapters(answer, classes);
        Directory.Delete(classes, recursive: true);
        Assert.Equal([1, 2, 3, 4], adapters[0].Values!);
        Assert.Equal([1, 2, 3, 4], adapters[1].Values!);
        Assert.Null(adapters[2].Values);
    }

    [Theory]
    [InlineData("""{"last-update":5,"stats":{"stat-total-memory":1000,"stat-available-memory":400}}""", 600L)]
    [InlineData("""{"last-update":5,"stats":{"stat-total-memory":1000,"stat-available-memory":2000}}""", 0L)]
    [InlineData("""{"last-update":0,"stats":{"stat-total-memory":1000,"stat-available-memory":400}}""", null)]
    [InlineData("""{"last-update":5,"stats":{"stat-total-memory":1000,"stat-available-memory":-1}}""", null)]
    [InlineData("""{"last-update":5,"stats":{"stat-total-memory":1000}}""", null)]
    public void WhatAGuestUsesIsItsTotalLessWhatIsAvailable(string answer, long? used) => Assert.Equal(used, GuestMemory.Used(Parse(answer)));

    [Fact]
    public void TheDemandIsTheGuestsWordElseWhatTheEngineOccupies()
    {
        Assert.Equal(600, GuestMemory.Demand(600, assigned: 1000, resident: 900));
        Assert.Equal(900, GuestMemory.Demand(null, assigned: 1000, resident: 900));
        Assert.Equal(1000, GuestMemory.Demand(null, assigned: 1000, resident: 1006));
    }

    [Fact]
    public void WhatWasCountedIsOfTheMomentOfTheAnswer()
    {
        using ClientFixture fixture = new();
        VmInfo vm = fixture.Start();
        using MeasuredVm measured = new(vm.Definition, new EngineRegistry(fixture.Paths).TryOpen(vm.Id)!);
        long start = Stopwatch.GetTimestamp();
        Answer();
        Assert.Null(measured.Measure());
        Answer();
        long answered = Stopwatch.GetTimestamp();

        // As while others are waited for that don't answer.
        SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(start) > 2 * Stopwatch.GetElapsedTime(start, answered));
        VmMeasurement rates = measured.Measure()!;
        Assert.InRange(rates.Interval, TimeSpan.Zero, Stopwatch.GetElapsedTime(start, answered));
        Assert.Equal(VmState.Running, rates.State);

        void Answer()
        {
            measured.Ask();
            using Waiter waiter = new(fixture.Token);
            while (measured.Fd >= 0)
            {
                Assert.True(waiter.WaitReadable(Deadline.After(TimeSpan.FromSeconds(20)), measured.Fd) == 0);
                measured.Take();
            }

            Assert.True(measured.IsAnswered);
        }
    }

    private static EngineSample Sample(int seconds, long? cpu, long? exits, long[] drive, long[]? net) => new()
    {
        Timestamp = seconds * Stopwatch.Frequency,
        State = VmState.Running,
        CpuNanoseconds = cpu,
        Exits = exits,
        Cpus = 2,
        Drives = [new EngineSample.Drive("d", drive)],
        Adapters = [new EngineSample.Adapter("n", net)],
    };

    private static JsonElement Parse(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
