using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using Strato.Client;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Anywhere;

/// <summary>Weight and quota by the kernel's own cgroup v2, with a guest that never rests.</summary>
public sealed class CpuShareTests
{
    private const string Root = "/sys/fs/cgroup";

    [Fact]
    public void A_busy_vm_gets_what_it_was_given_and_its_group_goes_with_it()
    {
        TestHost.RequireKvm();
        Assert.SkipUnless(
            File.Exists($"{Root}/cgroup.controllers") && File.ReadAllText($"{Root}/cgroup.controllers").Split(' ', '\n').Contains("cpu") && Environment.UserName == "root",
            $"{Root} has no cgroup v2 with the cpu controller for root (in the lab it has)");
        string folder = TestHost.NewPath("share");
        StratoClient client = new(new StratoPaths($"{folder}/state", $"{folder}/run"), TestHost.Engine);
        string id = client.Create(new VmSettings { Name = "busy", Kernel = Payload.Make(PayloadEnd.Echo), Memory = 256 << 20 }).Id;
        try
        {
            client.SetCpuShare(id, weight: 250, quota: 50, TestContext.Current.CancellationToken);
            int pid = Start(client, id);
            string group = Root + File.ReadLines($"/proc/{pid}/cgroup").First(line => line.StartsWith("0::", StringComparison.Ordinal))[3..];
            Assert.EndsWith($"/strato-{id}", group, StringComparison.Ordinal);
            Assert.Equal(("250", "50000 100000"), (Read($"{group}/cpu.weight"), Read($"{group}/cpu.max")));
            Assert.InRange(Usage(group, seconds: 2), 0.2, 0.6);
            Assert.True(Stat(group, "nr_throttled") > 0);

            // While it runs, more; and then as much as it likes.
            client.SetCpuShare(id, weight: null, quota: 80, TestContext.Current.CancellationToken);
            Assert.Equal(("250", "80000 100000"), (Read($"{group}/cpu.weight"), Read($"{group}/cpu.max")));
            client.SetCpuShare(id, weight: 0, quota: 0, TestContext.Current.CancellationToken);
            Assert.Equal(("100", "max 100000"), (Read($"{group}/cpu.weight"), Read($"{group}/cpu.max")));
            Stop(client, id);
            Assert.False(Directory.Exists(group));

            // One that runs already is moved; one that is killed leaves its group to the next who looks.
            pid = Start(client, id);
            Assert.Null(Groups().FirstOrDefault(path => path.EndsWith(id, StringComparison.Ordinal)));
            client.SetCpuShare(id, weight: 20, quota: null, TestContext.Current.CancellationToken);
            Assert.Equal("20", Read($"{group}/cpu.weight"));
            Assert.Contains(pid.ToString(CultureInfo.InvariantCulture), File.ReadLines($"{group}/cgroup.procs"));
            using (Process engine = Process.GetProcessById(pid))
            {
                engine.Kill();
                engine.WaitForExit();
            }

            Assert.Equal(VmState.Stopped, client.Snapshot(id, TestContext.Current.CancellationToken).State);
            Assert.False(Directory.Exists(group));
        }
        finally
        {
            Stop(client, id);
        }
    }

    private static int Start(StratoClient client, string id) =>
        client.Start(id, new StartOptions { Force = true }, TestContext.Current.CancellationToken).ProcessId!.Value;

    private static void Stop(StratoClient client, string id) => client.Stop(id, new StopOptions { TurnOff = true }, TestContext.Current.CancellationToken);

    private static string[] Groups() => Directory.GetDirectories(Root, "strato-*", SearchOption.AllDirectories);

    private static string Read(string path) => File.ReadAllText(path).Trim();

    private static long Stat(string group, string name) =>
        long.Parse(File.ReadLines($"{group}/cpu.stat").First(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);

    /// <summary>The part of one CPU that a group uses, over so many seconds of the CPU's.</summary>
    private static double Usage(string group, int seconds)
    {
        long before = Stat(group, "usage_usec");
        long start = Stopwatch.GetTimestamp();
        long used;
        do
        {
            used = Stat(group, "usage_usec") - before;
            Assert.True(Stopwatch.GetElapsedTime(start) < DebianGuest.Limit, $"{used} µs used in {DebianGuest.Limit}");
        }
        while (used < seconds * 1_000_000L);
        return used / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
