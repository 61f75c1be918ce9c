using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>What a guest says of its machine.</summary>
internal static class GuestFacts
{
    public static void AssertCpus(DebianGuest guest, int count)
    {
        Assert.Equal($"{count}", guest.Check("nproc"));
        Assert.Equal(count == 1 ? "0" : $"0-{count - 1}", guest.Check("cat /sys/devices/system/cpu/online"));
    }

    /// <summary>MemTotal leaves out what the kernel took for itself: its code, and a 64th of memory for its page table.</summary>
    public static void AssertMemory(DebianGuest guest, int mebibytes)
    {
        string line = guest.Check("grep MemTotal /proc/meminfo");
        int total = int.Parse(Regex.Match(line, @"\d+").ValueSpan, CultureInfo.InvariantCulture) / 1024;
        Assert.InRange(total, mebibytes - (mebibytes / 32) - 64, mebibytes - 1);
    }

    /// <summary>The ranges of RAM in the memory map that the kernel was given.</summary>
    public static string UsableMemory(DebianGuest guest) => string.Join(
        ' ', Regex.Matches(guest.Check("dmesg | grep BIOS-e820"), @"BIOS-e820: \[mem (\S+)\] usable").Select(match => match.Groups[1].Value));

    /// <summary>The engine's threads by the names that a user sees in top.</summary>
    public static void AssertThreads(DebianGuest guest, int cpus)
    {
        string[] names = [.. Directory.GetDirectories($"/proc/{guest.Engine.Id}/task").Select(task => File.ReadAllText($"{task}/comm").TrimEnd())];
        for (int i = 0; i < cpus; i++)
        {
            Assert.Single(names, name => name == $"CPU {i}/KVM");
        }
    }
}
