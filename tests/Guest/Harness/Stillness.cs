using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;

namespace Strato.Tests.Guest.Harness;

/// <summary>That a guest doesn't run: its vCPUs' threads take no processor time, and nothing new comes from it.</summary>
internal static class Stillness
{
    /// <summary>Watches a machine for as long as a burst of QMP requests takes, in which one that runs would be seen.</summary>
    public static void Assert(EngineProcess engine, QmpConnection qmp, ByteLog console)
    {
        TimeSpan watch = TimeSpan.FromMilliseconds(300);
        int length = console.Length;
        long before = VcpuNanoseconds(engine, qmp);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 200 || Stopwatch.GetElapsedTime(start) < watch; i++)
        {
            qmp.Call("query-status");
        }

        Xunit.Assert.Equal("", console.Text(length));

        // A thread that parks may have its last few instructions still before it; a guest would take most of the time.
        Xunit.Assert.InRange(VcpuNanoseconds(engine, qmp) - before, 0, 2_000_000);
    }

    /// <summary>The time that all vCPUs' threads have run (the first number of schedstat).</summary>
    private static long VcpuNanoseconds(EngineProcess engine, QmpConnection qmp) => qmp.Call("query-cpus").AsArray().Sum(cpu =>
        long.Parse(File.ReadAllText($"/proc/{engine.Id}/task/{cpu!["thread_id"]}/schedstat").Split(' ')[0], CultureInfo.InvariantCulture));
}
