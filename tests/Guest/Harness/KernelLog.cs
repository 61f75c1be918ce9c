using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>A guest's <c>dmesg -r</c>: what the kernel found wrong, and how long it waited for whom. The guest picks the lines; a serial port is slow.</summary>
internal static class KernelLog
{
    /// <summary>Warnings and errors of stock kernels that have nothing to do with the machine, each with its reason.</summary>
    private static readonly (string Pattern, string Reason)[] Allowed =
    [
        ("PCI: Fatal: No config space access function found|PCI: System does not support PCI", "the machine has no PCI bus, and Linux goes on without"),
        ("clocksource: Long readout interval", "the host gave the vCPU no time; the clock is right"),
        (@"clocksource: timekeeping watchdog on CPU\d+: .*(retried \d+ times|read-back delay)", "the same, between the two clocks that Linux compares"),
        ("hrtimer: interrupt took", "the same: a vCPU that the host let wait within a timer's interrupt"),
        ("XSAVE consistency problem", "QEMU's emulated SVM, below the virtual KVM host, doesn't tell KVM of XSETBV; QEMU's own guests warn there too"),
    ];

    /// <summary>A warning with its registers and call trace: many lines, of which the one behind "cut here" says what it is.</summary>
    private static readonly Regex Trace = new(@"<4>\[[^\n]*cut here \]-+\n(?<head>[^\n]*)\n.*?end trace [^\n]*\n(<4>[^\n]*CPUID\[0d[^\n]*\n)*", RegexOptions.Singleline | RegexOptions.ExplicitCapture);

    /// <summary>Initialisers of drivers for devices that the machine has, or that a PC has and this machine doesn't.</summary>
    private static readonly Regex Devices = new("i8042|serial|8250|pnp|virtio|rtc|cmos|tpm|pci|ged|parport|floppy|ide|fb_|vga|speaker", RegexOptions.None);

    /// <summary>Asserts that there's no line of level warning or worse that isn't allowed, and that none has a text that is expected of this guest.</summary>
    public static void AssertClean(DebianGuest guest, string except = "^$")
    {
        // <facility * 8 + level>[time] text
        string log = guest.Check($"dmesg -r | awk -F '[<>]' '$2 % 8 <= 4' | grep -v '{except}' || true");
        List<string> bad = [];
        log = Trace.Replace(log, trace => IsAllowed(trace.Groups["head"].Value) ? "" : trace.Value);
        foreach (string line in log.Split('\n'))
        {
            if (line.Length > 0 && !IsAllowed(line))
            {
                bad.Add(line);
            }
        }

        Assert.True(bad.Count == 0, $"the kernel warns:\n{string.Join('\n', bad)}");
    }

    private static bool IsAllowed(string line) => Array.Exists(Allowed, allowed => Regex.IsMatch(line, allowed.Pattern));

    /// <summary>Asserts, in the log of a kernel with initcall_debug, that none of its drivers waited long for a device of the machine.</summary>
    /// <remarks>
    /// On a busy host an initialiser that waits for nothing takes long, too. So none of a device may take longer than the longest of
    /// those, nor than a second; and one that does must do so again after a reset, as a wait for a device does and the host's hiccup doesn't.
    /// </remarks>
    public static void AssertNoStall(DebianGuest guest)
    {
        Dictionary<string, string> first = Stalls(guest);
        if (first.Count == 0)
        {
            return;
        }

        int from = guest.Console.Length;
        guest.Qmp.Call("system_reset");
        guest.WaitShell(from);
        string[] both = [.. Stalls(guest).Where(stall => first.ContainsKey(stall.Key)).Select(stall => $"{first[stall.Key]}\n{stall.Value}")];
        Assert.True(both.Length == 0, $"drivers that took long in two boots:\n{string.Join('\n', both)}");
    }

    /// <summary>Initialisers of devices that took long: their names, and their lines.</summary>
    private static Dictionary<string, string> Stalls(DebianGuest guest)
    {
        // initcall NAME returned CODE after TIME usecs
        Assert.InRange(int.Parse(guest.Check("dmesg | grep -c 'initcall .* returned'"), CultureInfo.InvariantCulture), 300, 10_000);
        string[] slow = guest.Check("dmesg | awk '/initcall .* returned/ && $(NF - 1) > 300000' || true").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        int limit = Math.Min(1_000_000, slow.Where(line => !Devices.IsMatch(line)).Select(Microseconds).DefaultIfEmpty().Max());
        return slow.Where(line => Devices.IsMatch(line) && Microseconds(line) > limit).DistinctBy(Name).ToDictionary(Name);
    }

    private static string Name(string line) => Regex.Match(line, @"initcall (\S+)").Groups[1].Value;

    private static int Microseconds(string line) => int.Parse(line.Split(' ')[^2], CultureInfo.InvariantCulture);
}
