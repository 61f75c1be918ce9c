using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using Strato.Client.Linux;
using Strato.Client.Qmp;

namespace Strato.Client.Measuring;

/// <summary>What an engine and the host have counted for a VM, up to a moment.</summary>
internal sealed class EngineSample
{
    private const string NetworkClass = "/sys/class/net";

    /// <param name="Id">The drive's.</param>
    /// <param name="Values">Bytes read, written; requests to read, write, flush; nanoseconds of those to read, write.</param>
    internal readonly record struct Drive(string Id, long[] Values);

    /// <param name="Id">The adapter's.</param>
    /// <param name="Values">Bytes and packets received, bytes and packets sent; null where nobody tells.</param>
    internal readonly record struct Adapter(string Id, long[]? Values);

    /// <summary>When, on the monotonic clock.</summary>
    internal required long Timestamp { get; init; }

    internal required string State { get; init; }

    /// <summary>Bytes that the guest has, where a balloon tells; else null.</summary>
    internal long? Memory { get; init; }

    /// <summary>Bytes that the guest uses, where it tells; else null.</summary>
    internal long? Used { get; init; }

    /// <summary>Of all virtual CPUs; null where the kernel doesn't tell.</summary>
    internal long? Exits { get; init; }

    /// <summary>How many virtual CPUs there are; null where the engine doesn't tell.</summary>
    internal int? Cpus { get; init; }

    /// <summary>Nanoseconds that the engine's threads have run, or null.</summary>
    internal long? CpuNanoseconds { get; init; }

    internal IReadOnlyList<Drive> Drives { get; init; } = [];

    internal IReadOnlyList<Adapter> Adapters { get; init; } = [];

    /// <summary>The drives of query-blockstats. Nothing of what isn't as it should be.</summary>
    internal static List<Drive> ReadDrives(JsonElement answer)
    {
        List<Drive> drives = [];
        foreach (JsonElement drive in Each(answer))
        {
            if (QmpCommand.Text(drive, "device") is { } id && drive.TryGetProperty("stats", out JsonElement stats))
            {
                drives.Add(new Drive(
                    id,
                    [
                        Number(stats, "rd_bytes"), Number(stats, "wr_bytes"), Number(stats, "rd_operations"), Number(stats, "wr_operations"),
                        Number(stats, "flush_operations"), Number(stats, "rd_total_time_ns"), Number(stats, "wr_total_time_ns"),
                    ]));
            }
        }

        return drives;
    }

    /// <summary>The adapters of query-netstats; those whose frames the kernel moves by what it counts at the tap.</summary>
    internal static List<Adapter> ReadAdapters(JsonElement answer, string classes = NetworkClass)
    {
        List<Adapter> adapters = [];
        foreach (JsonElement adapter in Each(answer))
        {
            if (QmpCommand.Text(adapter, "name") is not { } id)
            {
                continue;
            }

            long[]? values = null;
            if (adapter.TryGetProperty("stats", out JsonElement stats))
            {
                values = [Number(stats, "rx-bytes"), Number(stats, "rx-packets"), Number(stats, "tx-bytes"), Number(stats, "tx-packets")];
            }
            else if (QmpCommand.Text(adapter, "ifname") is { } tap)
            {
                values = TryReadTap(classes, tap);
            }

            adapters.Add(new Adapter(id, values));
        }

        return adapters;
    }

    /// <summary>Exits of all virtual CPUs in query-stats, and how many those are.</summary>
    internal static (long? Exits, int? Cpus) ReadExits(JsonElement answer)
    {
        long? exits = null;
        int cpus = 0;
        foreach (JsonElement cpu in Each(answer))
        {
            cpus++;
            foreach (JsonElement figure in cpu.ValueKind == JsonValueKind.Object && cpu.TryGetProperty("stats", out JsonElement stats) ? Each(stats) : [])
            {
                if (QmpCommand.Text(figure, "name") == "exits")
                {
                    exits = (exits ?? 0) + Number(figure, "value");
                }
            }
        }

        return (exits, cpus == 0 ? null : cpus);
    }

    /// <summary>What the host sent to a tap is what its guest received.</summary>
    private static long[]? TryReadTap(string classes, string tap)
    {
        long[] values = new long[4];
        string[] names = ["tx_bytes", "tx_packets", "rx_bytes", "rx_packets"];
        for (int i = 0; i < names.Length; i++)
        {
            // The name is the engine's word: it is no path.
            string text = Procfs.ReadText(Path.Combine(classes, Path.GetFileName(tap), "statistics", names[i])) ?? "";
            if (!long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out values[i]))
            {
                return null;
            }
        }

        return values;
    }

    private static IEnumerable<JsonElement> Each(JsonElement array) => array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : [];

    private static long Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out JsonElement number) && number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out long whole) ? whole : 0;
}
