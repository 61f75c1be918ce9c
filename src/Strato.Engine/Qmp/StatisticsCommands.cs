using System;
using System.Collections.Generic;
using System.Text.Json;
using Strato.Engine.Machine;
using Strato.Engine.Virtio;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that tell what was counted since the machine, or a device, began. Who wants rates asks twice.</summary>
internal static class StatisticsCommands
{
    private const string Provider = "kvm";

    /// <summary>As QEMU's query-blockstats: drives of devices, with a flush's time and a discard's ("unmap") apart from reads and writes.</summary>
    public static void Block(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach ((DriveStatus drive, string device, BlockStatistics statistics) in call.Machine.HotPlug.DriveStatistics)
        {
            json.WriteStartObject();
            json.WriteString("device", drive.Id);
            json.WriteString("node-name", drive.Id);
            json.WriteString("qdev", device);
            json.WriteStartObject("stats");
            Write(json, "flush", statistics.Of(BlockKind.Flush), hasBytes: false);
            Write(json, "rd", statistics.Of(BlockKind.Read), hasBytes: true);
            Write(json, "unmap", statistics.Of(BlockKind.Discard), hasBytes: true);
            Write(json, "wr", statistics.Of(BlockKind.Write), hasBytes: true);
            json.WriteNumber("wr_highest_offset", statistics.HighestWrite);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Of each interface whose frames the engine moves; of others the name of the tap, at which the host's kernel counts.</summary>
    public static void Net(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (NetStatus net in call.Machine.HotPlug.Nets)
        {
            json.WriteStartObject();
            if (net.Tap is { } tap)
            {
                json.WriteString("ifname", tap);
            }

            json.WriteString("name", net.Id);
            json.WriteString("netdev", net.Netdev);
            if (net.Traffic is { } traffic)
            {
                json.WriteStartObject("stats");
                json.WriteNumber("rx-bytes", traffic.ReceivedBytes);
                json.WriteNumber("rx-packets", traffic.ReceivedPackets);
                json.WriteNumber("tx-bytes", traffic.SentBytes);
                json.WriteNumber("tx-packets", traffic.SentPackets);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>QEMU's query-stats, of KVM's counters: of the machine, or of its CPUs. Empty where the host's kernel tells none (before Linux 5.14).</summary>
    public static void Kvm(QmpCall call)
    {
        bool ofCpus = call.Arguments.Text("target") == "vcpu";
        HashSet<string>? paths = Cpus(call, ofCpus);
        Predicate<string> isWanted = Names(call);
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        if (!ofCpus)
        {
            WriteSet(json, null, call.Machine.Counters.OfVm(isWanted));
        }
        else
        {
            foreach (CpuStatus cpu in call.Machine.Cpus)
            {
                string path = QueryCommands.CpuPath(cpu);
                if (paths is null || paths.Contains(path))
                {
                    WriteSet(json, path, call.Machine.Counters.OfCpu(cpu.Index, isWanted));
                }
            }
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string kind, in BlockCount count, bool hasBytes)
    {
        json.WriteNumber($"failed_{kind}_operations", count.Failed);
        json.WriteNumber($"invalid_{kind}_operations", count.Invalid);
        if (hasBytes)
        {
            json.WriteNumber($"{kind}_bytes", count.Bytes);
        }

        json.WriteNumber($"{kind}_operations", count.Done);
        json.WriteNumber($"{kind}_total_time_ns", count.Nanoseconds);
    }

    private static void WriteSet(Utf8JsonWriter json, string? cpu, IReadOnlyList<KvmCounter>? counters)
    {
        if (counters is null)
        {
            return;
        }

        json.WriteStartObject();
        json.WriteString("provider", Provider);
        if (cpu is not null)
        {
            json.WriteString("qom-path", cpu);
        }

        json.WriteStartArray("stats");
        foreach (KvmCounter counter in counters)
        {
            json.WriteStartObject();
            json.WriteString("name", counter.Figure.Name);
            if (counter.Figure.IsHistogram)
            {
                json.WriteStartArray("value");
                foreach (ulong value in counter.Values)
                {
                    json.WriteNumberValue(Whole(value));
                }

                json.WriteEndArray();
            }
            else if (counter.Figure.IsFlag)
            {
                json.WriteBoolean("value", counter.Values[0] != 0);
            }
            else
            {
                json.WriteNumber("value", Whole(counter.Values[0]));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    // QMP's whole numbers have a sign.
    private static long Whole(ulong value) => (long)Math.Min(value, long.MaxValue);

    /// <summary>The CPUs that are asked for, by their paths; null for all.</summary>
    private static HashSet<string>? Cpus(QmpCall call, bool ofCpus)
    {
        ReadOnlySpan<byte> given = call.Argument("vcpus");
        if (given.IsEmpty)
        {
            return null;
        }

        if (!ofCpus)
        {
            throw new QmpException("Parameter 'vcpus' is unexpected with target vm; it goes with target vcpu");
        }

        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (CpuStatus cpu in call.Machine.Cpus)
        {
            known.Add(QueryCommands.CpuPath(cpu));
        }

        using JsonDocument paths = JsonDocument.Parse(given.ToArray());
        HashSet<string> wanted = new(StringComparer.Ordinal);
        foreach (JsonElement path in paths.RootElement.EnumerateArray())
        {
            string text = path.GetString()!;
            wanted.Add(known.Contains(text)
                ? text
                : throw new QmpException(QmpErrorClass.DeviceNotFound, $"CPU '{ConfigurationLimits.Printable(text)}' not found; allowed: {string.Join(", ", known)}"));
        }

        return wanted;
    }

    /// <summary>Which figures are asked for, by their names.</summary>
    private static Predicate<string> Names(QmpCall call)
    {
        ReadOnlySpan<byte> given = call.Argument("providers");
        if (given.IsEmpty)
        {
            return _ => true;
        }

        using JsonDocument providers = JsonDocument.Parse(given.ToArray());
        HashSet<string> names = new(StringComparer.Ordinal);
        bool all = false;
        foreach (JsonElement provider in providers.RootElement.EnumerateArray())
        {
            if (!provider.TryGetProperty("names", out JsonElement list))
            {
                all = true;
                continue;
            }

            foreach (JsonElement name in list.EnumerateArray())
            {
                names.Add(name.GetString()!);
            }
        }

        return name => all || names.Contains(name);
    }
}
