using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace Strato.Tests.Guest.Harness;

/// <summary>Saves running machines by QMP.</summary>
internal static class Snapshots
{
    /// <summary>Begins to save a machine into a folder.</summary>
    public static void Begin(QmpConnection qmp, string folder, bool staysPaused = false) =>
        qmp.Call("migrate", new JsonObject { ["uri"] = "file:" + folder, ["stay-paused"] = staysPaused });

    /// <summary>Saves a machine into a folder, and waits until it is saved.</summary>
    public static void Save(QmpConnection qmp, string folder, bool staysPaused = false)
    {
        Begin(qmp, folder, staysPaused);
        Assert.Equal("completed", WaitEnd(qmp));
    }

    /// <summary>Makes a snapshot older: as if it had been saved so much before.</summary>
    public static void Age(string folder, TimeSpan age)
    {
        // docs/snapshot-format.md: a header of 44 bytes; each section has 8 bytes of header, its name, contents, checksum.
        string path = Path.Combine(folder, "state");
        byte[] state = File.ReadAllBytes(path);
        for (int at = 44; at < state.Length;)
        {
            int name = BinaryPrimitives.ReadUInt16LittleEndian(state.AsSpan(at + 6));
            int end = at + 8 + name + BinaryPrimitives.ReadInt32LittleEndian(state.AsSpan(at));
            if (Encoding.UTF8.GetString(state, at + 8, name) == "clock")
            {
                // Contents: the guest's clock, and the host's time when it stopped, in nanoseconds.
                Span<byte> stopped = state.AsSpan(at + 8 + name + 8);
                BinaryPrimitives.WriteInt64LittleEndian(stopped, BinaryPrimitives.ReadInt64LittleEndian(stopped) - (long)age.TotalNanoseconds);
                uint sum = uint.MaxValue;
                foreach (byte value in state.AsSpan(at..end))
                {
                    sum = BitOperations.Crc32C(sum, value);
                }

                BinaryPrimitives.WriteUInt32LittleEndian(state.AsSpan(end), ~sum);
            }

            at = end + 4;
        }

        File.WriteAllBytes(path, state);
    }

    /// <summary>Waits until nothing is being saved any more: how that ended.</summary>
    public static string WaitEnd(QmpConnection qmp)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            JsonNode answer = qmp.Call("query-migrate");
            string status = (string)answer["status"]!;
            if (status is not ("setup" or "active"))
            {
                return status;
            }

            Assert.True(Stopwatch.GetElapsedTime(start) < DebianGuest.Limit, $"the save doesn't end: {answer.ToJsonString()}");
            Thread.Yield();
        }
    }
}
