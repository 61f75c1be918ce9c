using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using Strato.Tests.Guest.Harness;
using Xunit;

namespace Strato.Tests.Guest.Debian;

/// <summary>What a stock kernel, and lscpu on it, makes of the CPUs that the user asked for.</summary>
public sealed class CpuTests
{
    /// <summary>Counts that aren't powers of two leave gaps between APIC ids; CPUs that may come aren't online. Few are there: each costs a virtual host seconds.</summary>
    public static TheoryData<string, int[]> Shapes => new()
    {
        // -smp; then CPUs that are there, CPUs that there can be, and dies of a socket, cores of a die, threads of a core.
        { "2", [2, 2, 1, 1, 1] },
        { "2,sockets=1,cores=2", [2, 2, 1, 2, 1] },
        { "2,threads=2", [2, 2, 1, 1, 2] },
        { "3,sockets=1,cores=3", [3, 3, 1, 3, 1] },
        { "3,maxcpus=6,sockets=3,threads=2", [3, 6, 1, 1, 2] },
        { "3,maxcpus=12,sockets=2,dies=3,cores=2", [3, 12, 3, 2, 1] },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void The_guest_has_the_shape_that_was_given(string smp, int[] shape)
    {
        TestHost.RequireGuests();
        DebianTools.Require();
        (int there, int most, int dies, int cores, int threads) = (shape[0], shape[1], shape[2], shape[3], shape[4]);
        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { Smp = smp, Disks = DebianTools.Disks });
        DebianTools.Mount(guest, "vda");
        int[] cpus = [.. Enumerable.Range(0, there)];

        // lscpu numbers cores and sockets in their order.
        Assert.Equal(
            cpus.Select(cpu => $"{cpu},{cpu / threads},{cpu / (dies * cores * threads)}"),
            guest.Check("chroot /debian lscpu -p=CPU,CORE,SOCKET | grep -v '#'").Split('\n'));
        Dictionary<string, string> facts = Facts(guest);
        Assert.Equal(
            ($"{there}", $"{Math.Min(there, threads)}", $"{1 + ((there - 1) / (dies * cores * threads))}"),
            (facts["CPU(s)"], facts["Thread(s) per core"], facts["Socket(s)"]));

        // Those on one core, die and socket, as the scheduler has them.
        foreach (int cpu in cpus)
        {
            string folder = $"/sys/devices/system/cpu/cpu{cpu}/topology";
            Assert.Equal(
                $"{cpu}: {Others(threads)} {Others(cores * threads)} {Others(dies * cores * threads)} {cpu / (dies * cores * threads)}",
                $"{cpu}: " + guest.Check($"echo $(cat {folder}/core_cpus_list {folder}/die_cpus_list {folder}/package_cpus_list {folder}/physical_package_id)"));

            string Others(int group)
            {
                (int first, int last) = (cpu / group * group, Math.Min(there, (cpu / group * group) + group) - 1);
                return first == last ? $"{first}" : $"{first}-{last}";
            }
        }

        Assert.Equal($"0-{most - 1}", guest.Check("cat /sys/devices/system/cpu/possible"));
        Assert.Equal($"0-{there - 1}", guest.Check("cat /sys/devices/system/cpu/online"));
        KernelLog.AssertClean(guest);
        AssertTold(guest, there, most, dies * cores * threads);
    }

    [Theory]
    [InlineData("x86-64-v2,+aes,-popcnt", "Strato x86-64-v2", "ssse3 sse4_2 cx16 aes lm hypervisor", "popcnt avx avx2 xsave bmi1 svm nonstop_tsc")]
    [InlineData("x86-64-v3", "Strato x86-64-v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave popcnt", "aes svm rdrand pku sha_ni nonstop_tsc")]
    [InlineData("host,-popcnt,-aes", "", "sse4_2 ssse3 lm hypervisor", "popcnt aes nonstop_tsc")]
    public void The_guest_has_the_features_of_its_model(string model, string name, string has, string hasNot)
    {
        TestHost.RequireGuests();
        string[] offered = Command.Check(TestHost.Engine, "-cpu", "help").Split((char[])[' ', '\n']);
        if (model == "x86-64-v3" && has.Split(' ').Any(flag => !offered.Contains(flag)))
        {
            using EngineProcess refused = EngineProcess.Start("-kernel", TestHost.CloudKernel, "-force", "-cpu", model);
            Assert.Equal("CpuFeatureNotOffered", refused.WaitError().Id);
            Assert.Skip($"this host has no {model}, and the engine said so");
        }

        using DebianGuest guest = DebianGuest.Boot(new GuestOptions { More = ["-cpu", model] });
        string[] flags = guest.Check("sed -n 's/^flags.*: //p' /proc/cpuinfo").Split(' ');
        Assert.Empty(has.Split(' ').Except(flags));
        Assert.Empty(hasNot.Split(' ').Intersect(flags));
        Assert.Contains(name, guest.Check("sed -n 's/^model name.*: //p' /proc/cpuinfo"), StringComparison.Ordinal);
        KernelLog.AssertClean(guest);
    }

    /// <summary>lscpu's lines, by what stands before the colon.</summary>
    private static Dictionary<string, string> Facts(DebianGuest guest) =>
        guest.Check("chroot /debian lscpu").Split('\n').Select(line => line.Split(':', 2)).DistinctBy(pair => pair[0].Trim()).ToDictionary(pair => pair[0].Trim(), pair => pair[^1].Trim());

    /// <summary>QMP tells the same as the guest, with the threads that there are.</summary>
    private static void AssertTold(DebianGuest guest, int there, int most, int perSocket)
    {
        JsonArray cpus = guest.Qmp.Call("query-cpus").AsArray();
        Assert.Equal(Enumerable.Range(0, there), cpus.Select(cpu => (int)cpu!["CPU"]!));
        foreach (JsonNode? cpu in cpus)
        {
            Assert.Equal($"CPU {(int)cpu!["CPU"]!}/KVM", File.ReadAllText($"/proc/{guest.Engine.Id}/task/{(int)cpu["thread_id"]!}/comm").TrimEnd('\n'));
        }

        JsonArray possible = guest.Qmp.Call("query-hotpluggable-cpus").AsArray();
        Assert.Equal((most, there), (possible.Count, possible.Count(cpu => cpu!["qom-path"] is not null)));
        Assert.Equal(most / perSocket, possible.Select(cpu => (int)cpu!["props"]!["socket-id"]!).Distinct().Count());
    }
}
