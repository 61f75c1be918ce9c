using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>CPUs that come and go under Debian's cloud kernel, by its own ACPI.</summary>
public sealed class CpuHotPlugTests
{
    [Fact]
    public void Cpus_come_work_go_and_come_again()
    {
        TestHost.RequireGuests();
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Smp = "1,maxcpus=4,sockets=2,cores=2" });
        Assert.Equal("0\n0-3", guest.Check("cat /sys/devices/system/cpu/online /sys/devices/system/cpu/possible"));
        Assert.Equal([0], Present(guest));

        // The last one first, which leaves a gap, and the other socket.
        Add(guest, 3);
        Assert.Equal([0, 3], Present(guest));
        Assert.Equal("1", guest.Check("cat /sys/devices/system/cpu/cpu1/topology/physical_package_id"));
        AssertWorks(guest, 1);
        Add(guest, 1);
        Assert.Equal("0-2", guest.Check("cat /sys/devices/system/cpu/online"));
        AssertWorks(guest, 2);
        JsonArray cpus = guest.Qmp.Call("query-cpus").AsArray();
        Assert.Equal([0, 1, 3], cpus.Select(cpu => (int)cpu!["CPU"]!));
        Assert.All(cpus, cpu => Assert.Equal($"CPU {(int)cpu!["CPU"]!}/KVM\n", File.ReadAllText($"/proc/{guest.Engine.Id}/task/{(int)cpu["thread_id"]!}/comm")));

        // Over a reset those that are there stay, and are the next kernel's from its start.
        int from = guest.Console.Length;
        guest.Qmp.Call("system_reset");
        guest.WaitShell(from);
        Assert.Equal("0-2", guest.Check("cat /sys/devices/system/cpu/online"));
        Remove(guest, 1);
        Remove(guest, 3);
        Assert.Equal([0], Present(guest));
        Assert.Equal("0", guest.Check("cat /sys/devices/system/cpu/online"));
        KernelLog.AssertClean(guest);
    }

    [Fact]
    public void Twenty_rounds_leave_nothing_behind()
    {
        TestHost.RequireGuests();
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Smp = "1,maxcpus=2" });
        string process = $"/proc/{guest.Engine.Id}";
        (int Files, int Threads) before = default;
        for (int round = 0; round < 20; round++)
        {
            Add(guest, 1);
            if (round == 2)
            {
                before = Count(process);
            }

            AssertWorks(guest, 1);
            Remove(guest, 1);
        }

        Add(guest, 1);
        (int Files, int Threads) after = Count(process);
        Assert.InRange(after.Files, 0, before.Files + 1);
        Assert.InRange(after.Threads, 0, before.Threads + 1);
        KernelLog.AssertClean(guest);
    }

    /// <summary>Each at another moment of the boot: some the guest's own scan finds, others it hears of when it can.</summary>
    [Fact]
    public void Cpus_that_come_while_the_guest_boots_are_taken()
    {
        TestHost.RequireGuests();
        string[] moments = ["Linux version", "NR_IRQS", "ACPI: Core revision", "Brought up", "ACPI: Interpreter enabled", "workingset", "as init process"];
        using DebianGuest guest = DebianGuest.Start(new GuestOptions { Smp = $"1,maxcpus={moments.Length + 1}", CommandLine = "ignore_loglevel earlyprintk=ttyS0" });
        int from = 0;
        for (int i = 0; i < moments.Length; i++)
        {
            from = guest.Console.WaitFor(moments[i], from, DebianGuest.Limit);
            guest.Qmp.Call("device_add", new JsonObject { ["id"] = $"vcpu{i + 1}", ["driver"] = "host-x86-cpu", ["cpu-id"] = i + 1 });
        }

        HashSet<string> waiting = [.. Enumerable.Range(1, moments.Length).Select(cpu => $"vcpu{cpu}")];
        while (waiting.Count > 0)
        {
            JsonNode answer = guest.Qmp.WaitEvent("ACPI_DEVICE_OST")["data"]!["info"]!;
            Assert.Equal((1, 0, true), ((int)answer["source"]!, (int)answer["status"]!, waiting.Remove((string)answer["device"]!)));
        }

        guest.WaitShell(0);
        Assert.Equal($"0-{moments.Length}", guest.Check("cat /sys/devices/system/cpu/present"));
        guest.Check("cd /sys/devices/system/cpu && for c in cpu[1-9]*; do [ $(cat $c/online) = 1 ] || echo 1 >$c/online || exit 1; done; cd /root");
        for (int cpu = 1; cpu <= moments.Length; cpu++)
        {
            AssertWorks(guest, cpu);
        }
    }

    [Fact]
    public void A_guest_without_acpi_takes_none()
    {
        TestHost.RequireGuests();
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Smp = "1,maxcpus=2", CommandLine = "acpi=off" });
        JsonNode answer = guest.Qmp.Answer("device_add", new JsonObject { ["id"] = "cpu1", ["driver"] = "host-x86-cpu", ["cpu-id"] = 1 });
        Assert.Contains("has no ACPI, by which CPUs come and go", (string?)answer["error"]?["desc"], StringComparison.Ordinal);
        Assert.Equal([0], Present(guest));
    }

    /// <summary>Adds a CPU and waits until the guest has it; its own user space puts it into use.</summary>
    private static void Add(DebianGuest guest, int cpu)
    {
        int there = int.Parse(guest.Check("ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l"), null);
        guest.Qmp.Call("device_add", new JsonObject { ["id"] = $"vcpu{cpu}", ["driver"] = "host-x86-cpu", ["cpu-id"] = cpu });
        guest.Qmp.WaitEvent("CPU_RESIZE");
        JsonNode answer = guest.Qmp.WaitEvent("ACPI_DEVICE_OST")["data"]!["info"]!;
        Assert.Equal(($"vcpu{cpu}", 1, 0), ((string)answer["device"]!, (int)answer["source"]!, (int)answer["status"]!));
        guest.Check($"[ $(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l) = {there + 1} ] && cd /sys/devices/system/cpu && for c in cpu[0-9]*; do [ ! -f $c/online ] || [ $(cat $c/online) = 1 ] || echo 1 >$c/online || exit 1; done; cd /root");
    }

    private static void Remove(DebianGuest guest, int cpu)
    {
        guest.Qmp.Call("device_del", new JsonObject { ["id"] = $"vcpu{cpu}" });
        Assert.Equal($"vcpu{cpu}", (string?)guest.Qmp.WaitEvent("DEVICE_DELETED")["data"]!["device"]);
        guest.Qmp.WaitEvent("CPU_RESIZE");
    }

    /// <summary>A process on a CPU, by the guest's number of it, counts.</summary>
    private static void AssertWorks(DebianGuest guest, int cpu) =>
        Assert.Equal($"{cpu} 5050", guest.Check($"taskset -c {cpu} sh -c 's=0; for i in $(seq 100); do s=$((s + i)); done; read a </proc/self/stat; set -- ${{a##*)}}; shift 36; echo $1 $s'"));

    private static int[] Present(DebianGuest guest)
    {
        JsonArray cpus = guest.Qmp.Call("query-hotpluggable-cpus").AsArray();
        return [.. Enumerable.Range(0, cpus.Count).Where(cpu => cpus[cpu]!["qom-path"] is not null)];
    }

    private static (int Files, int Threads) Count(string process) =>
        (Directory.GetFileSystemEntries($"{process}/fd").Length, Directory.GetDirectories($"{process}/task").Length);
}
