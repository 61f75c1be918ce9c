using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>The smallest machine: Debian's cloud kernel and the initrd on one vCPU and 256 MiB; pauses and QMP on it.</summary>
public sealed class CloudKernelTests(CloudKernelTests.Shared shared) : IClassFixture<CloudKernelTests.Shared>
{
    public sealed class Shared : SharedGuest
    {
        internal override GuestOptions Options => new() { CommandLine = "initcall_debug log_buf_len=1M" };
    }

    [Fact]
    public void One_cpu_and_256_MiB()
    {
        GuestFacts.AssertCpus(shared.Guest, 1);
        GuestFacts.AssertMemory(shared.Guest, 256);
        Assert.Equal("0x0000000000000000-0x000000000009fbff 0x0000000000100000-0x000000000fffffff", GuestFacts.UsableMemory(shared.Guest));
    }

    [Fact]
    public void Kernel_log_is_clean()
    {
        KernelLog.AssertClean(shared.Guest);
        KernelLog.AssertNoStall(shared.Guest);
    }

    [Fact]
    public void Clock_is_kvms_and_the_date_is_the_hosts()
    {
        Assert.Equal("kvm-clock", shared.Guest.Check("cat /sys/devices/system/clocksource/clocksource0/current_clocksource"));
        long guest = long.Parse(shared.Guest.Check("date +%s"), CultureInfo.InvariantCulture);
        Assert.InRange(guest - DateTimeOffset.UtcNow.ToUnixTimeSeconds(), -60, 60);
    }

    [Fact]
    public void Threads_bear_their_names() => GuestFacts.AssertThreads(shared.Guest, 1);

    [Fact]
    public void Queries_answer()
    {
        QmpConnection qmp = shared.Guest.Qmp;
        Assert.NotNull(qmp.Greeting["QMP"]!["version"]!["qemu"]);
        Assert.Equal("running", qmp.Status());
        Assert.Equal("guest", (string?)qmp.Call("query-name")["name"]);
        JsonNode kvm = qmp.Call("query-kvm");
        Assert.True((bool)kvm["enabled"]! && (bool)kvm["present"]!);
        JsonNode cpu = Assert.Single(qmp.Call("query-cpus").AsArray())!;
        Assert.True(Directory.Exists($"/proc/{shared.Guest.Engine.Id}/task/{cpu["thread_id"]}"));
        Assert.Equal("CommandNotFound", (string?)qmp.Answer("no-such-command")["error"]!["class"]);
    }

    [Fact]
    public void Several_clients_see_each_event()
    {
        using QmpConnection second = QmpConnection.Open(shared.Guest.QmpPath);
        using QmpConnection third = QmpConnection.Open(shared.Guest.QmpPath);
        second.Call("stop");
        Assert.Equal("paused", third.Status());
        foreach (QmpConnection client in new[] { second, third, shared.Guest.Qmp })
        {
            client.WaitEvent("STOP");
        }

        third.Call("cont");
        foreach (QmpConnection client in new[] { second, third, shared.Guest.Qmp })
        {
            client.WaitEvent("RESUME");
        }

        Assert.Equal("running", second.Status());
    }

    [Fact]
    public void Time_stands_still_while_paused()
    {
        DebianGuest guest = shared.Guest;
        guest.StartBeat();
        double before = guest.NextBeat();
        guest.Qmp.Call("stop");
        int from = guest.Console.Length;
        using (ManualResetEventSlim never = new())
        {
            _ = never.Wait(TimeSpan.FromSeconds(3)); // the time that must not pass in the guest
        }

        // What was on its way at the stop may still come.
        string whilePaused = guest.Console.Text(from);
        guest.Qmp.Call("cont");
        double after = guest.NextBeat();
        guest.StopBeat();
        Assert.InRange(after - before, 0, 2);
        Assert.InRange(whilePaused.Split("beat").Length, 1, 4);
    }

    [Fact]
    public void Two_hundred_pauses_under_load()
    {
        DebianGuest guest = shared.Guest;
        guest.Check("sh -c 'while :; do :; done' & load=$!");
        guest.StartBeat();
        guest.NextBeat();
        for (int i = 0; i < 200; i++)
        {
            guest.Qmp.Call("stop");
            guest.Qmp.Call("cont");
        }

        for (int i = 0; i < 5; i++)
        {
            guest.NextBeat();
        }

        guest.StopBeat();
        guest.Check("kill $load");
        Assert.Equal("running", guest.Qmp.Status());
    }

    [Fact]
    public void Output_comes_whole()
    {
        int lines = TestHost.Long ? 150_000 : 3_000;
        string output = shared.Guest.Check($"seq 1 {lines}", DebianGuest.Limit * 3);
        Assert.Equal(string.Join('\n', Enumerable.Range(1, lines)), output);
    }

    [Fact]
    public void Kernel_log_is_still_clean() => KernelLog.AssertClean(shared.Guest);

    [Fact]
    public void Power_off_ends_the_engine_with_0()
    {
        shared.Guest.PowerOff();
        Assert.False(Path.Exists(shared.Guest.QmpPath), "the socket is left");
    }
}
