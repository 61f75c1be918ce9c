using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Steps of the balloon's tests.</summary>
internal static class Ballooning
{
    /// <summary>Has the guest touch 200 MiB, which it keeps until <c>/tmp/fill</c> is removed.</summary>
    public const string Fill = "dd if=/dev/zero of=/tmp/fill bs=1M count=200 2>/dev/null";

    /// <summary>A process of 240 MiB, more than a guest of 512 MiB has left with half of it given back.</summary>
    public const string TakeMuch = "echo 1 >/proc/sys/vm/overcommit_memory; dd if=/dev/zero of=/dev/null bs=240M count=1 2>/dev/null";

    /// <summary>KiB that the host has again when <see cref="Fill"/>'s are free and given back; the rest is for what else the guest has.</summary>
    public const long Freed = 150 << 10;

    /// <summary>Asks the guest to have so much memory, and waits for the event that says so.</summary>
    public static void SetBalloon(DebianGuest guest, long bytes)
    {
        guest.Qmp.Call("balloon", new JsonObject { ["value"] = bytes });
        while ((long)guest.Qmp.WaitEvent("BALLOON_CHANGED")["data"]!["actual"]! != bytes || (long)guest.Qmp.Call("query-balloon")["actual"]! != bytes)
        {
            // On its way.
        }
    }

    /// <summary>KiB of the engine's memory that the host holds.</summary>
    public static long Resident(DebianGuest guest) =>
        long.Parse(Regex.Match(File.ReadAllText($"/proc/{guest.Engine.Id}/status"), @"VmRSS:\s+(\d+) kB").Groups[1].ValueSpan, null);

    /// <summary>Waits until the host holds at most so many KiB; the guest runs meanwhile.</summary>
    public static void WaitResident(DebianGuest guest, long most)
    {
        long deadline = Environment.TickCount64 + (long)DebianGuest.Limit.TotalMilliseconds;
        while (Resident(guest) > most)
        {
            Assert.True(Environment.TickCount64 < deadline, $"{Resident(guest)} KiB are resident; {most} at most are expected");
            guest.Check("true");
        }
    }
}
