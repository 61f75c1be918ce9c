using System;
using System.Collections.Generic;
using System.Diagnostics;

namespace Strato.Client.Measuring;

/// <summary>What happened between two samples, per second.</summary>
internal static class Rates
{
    /// <summary>The measurement of a VM, as far as its samples tell; the state and the figures of memory are those of the later.</summary>
    internal static VmMeasurement Between(EngineSample before, EngineSample after, VmMeasurement measurement, int definedCpus)
    {
        TimeSpan span = Stopwatch.GetElapsedTime(before.Timestamp, after.Timestamp);
        double seconds = Math.Max(span.TotalSeconds, 0.001);
        return measurement with
        {
            Interval = span,
            CpuUsage = before.CpuNanoseconds is { } start && after.CpuNanoseconds is { } end
                ? Math.Round(Math.Clamp((end - start) / (seconds * 1e9 * Math.Max(1, after.Cpus ?? definedCpus)) * 100, 0, 100), 1)
                : null,
            Exits = before.Exits is { } first && after.Exits is { } last ? Rate(first, last, seconds) : null,
            Drives = OfDrives(before, after, seconds),
            NetworkAdapters = OfAdapters(before, after, seconds),
        };
    }

    private static List<DriveRates> OfDrives(EngineSample before, EngineSample after, double seconds)
    {
        List<DriveRates> drives = [];
        foreach (EngineSample.Drive drive in after.Drives)
        {
            long[] old = new long[drive.Values.Length];
            foreach (EngineSample.Drive other in before.Drives)
            {
                old = other.Id == drive.Id ? other.Values : old;
            }

            double[] rates = All(old, drive.Values, seconds);
            drives.Add(new DriveRates(drive.Id, rates[0], rates[1], rates[2], rates[3], rates[4], Latency(2, 5), Latency(3, 6)));

            double? Latency(int requests, int time)
            {
                long count = Difference(old[requests], drive.Values[requests]);
                return count == 0 ? null : Math.Round(Difference(old[time], drive.Values[time]) / (count * 1e6), 3);
            }
        }

        return drives;
    }

    private static List<NetworkRates> OfAdapters(EngineSample before, EngineSample after, double seconds)
    {
        List<NetworkRates> adapters = [];
        foreach (EngineSample.Adapter adapter in after.Adapters)
        {
            long[]? old = new long[4];
            foreach (EngineSample.Adapter other in before.Adapters)
            {
                old = other.Id == adapter.Id ? other.Values : old;
            }

            double[]? rates = adapter.Values is null || old is null ? null : All(old, adapter.Values, seconds);
            adapters.Add(new NetworkRates(adapter.Id, rates?[0], rates?[2], rates?[1], rates?[3]));
        }

        return adapters;
    }

    private static double[] All(long[] before, long[] after, double seconds)
    {
        double[] rates = new double[after.Length];
        for (int i = 0; i < rates.Length; i++)
        {
            rates[i] = Rate(before[i], after[i], seconds);
        }

        return rates;
    }

    private static double Rate(long before, long after, double seconds) => Math.Round(Difference(before, after) / seconds, 1);

    /// <summary>A device that was taken out and put in again under its old name has begun anew.</summary>
    private static long Difference(long before, long after) => after >= before ? after - before : after;
}
