using System;
using System.Buffers.Binary;
using System.Diagnostics;
using System.IO;
using System.Numerics;
using System.Runtime.InteropServices;
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
                BinaryPrimitives.WriteUInt32LittleEndian(state.AsSpan(end), Sum(state.AsSpan(at..end)));
            }

            at = end + 4;
        }

        File.WriteAllBytes(path, state);
    }

    /// <summary>Names of a folder's files, in order.</summary>
    public static string[] Names(string folder)
    {
        string[] names = Array.ConvertAll(Directory.GetFiles(folder), path => Path.GetFileName(path));
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    }

    /// <summary>Asserts that a folder's snapshot is whole, each mebibyte of its memory by its checksum; gives its id.</summary>
    public static string AssertWhole(string folder)
    {
        byte[] state = File.ReadAllBytes(Path.Combine(folder, "state"));
        string id = Convert.ToHexString(state, 24, 16);
        Assert.Equal(Sum(state.AsSpan(0, 40)), BinaryPrimitives.ReadUInt32LittleEndian(state.AsSpan(40)));
        byte[] memory = ReadMemoryOf(folder, id);
        bool found = false;
        for (int at = 44; at < state.Length;)
        {
            int name = BinaryPrimitives.ReadUInt16LittleEndian(state.AsSpan(at + 6));
            int end = at + 8 + name + BinaryPrimitives.ReadInt32LittleEndian(state.AsSpan(at));
            Assert.Equal(Sum(state.AsSpan(at..end)), BinaryPrimitives.ReadUInt32LittleEndian(state.AsSpan(end)));
            if (Encoding.UTF8.GetString(state, at + 8, name) == "memory")
            {
                found = true;
                AssertChunks(memory, state.AsSpan((at + 8 + name)..end));
            }

            at = end + 4;
        }

        Assert.True(found, "the state says nothing of the memory");
        return id;
    }

    /// <summary>The memory of a state: a kill may have left it where it was put aside.</summary>
    private static byte[] ReadMemoryOf(string folder, string id)
    {
        foreach (string name in (string[])["memory", "memory.old"])
        {
            string path = Path.Combine(folder, name);
            byte[] memory = File.Exists(path) ? File.ReadAllBytes(path) : [];
            if (memory.Length > 4096 && Convert.ToHexString(memory, memory.Length - 4096 + 8, 16) == id)
            {
                return memory;
            }
        }

        Assert.Fail($"no memory of the state {id} is in {folder}: {string.Join(", ", Names(folder))}");
        return [];
    }

    /// <summary>The section: number of ranges, start and bytes of each, bytes of a chunk, the length of the checksums, and those.</summary>
    private static void AssertChunks(ReadOnlySpan<byte> memory, ReadOnlySpan<byte> section)
    {
        int at = 4 + (16 * BinaryPrimitives.ReadInt32LittleEndian(section));
        int chunk = BinaryPrimitives.ReadInt32LittleEndian(section[at..]);
        ReadOnlySpan<byte> sums = section[(at + 8)..];
        ReadOnlySpan<byte> ram = memory[..^4096];
        Assert.Equal((ram.Length + chunk - 1) / chunk, sums.Length / 4);
        for (int i = 0; i < sums.Length / 4; i++)
        {
            int start = i * chunk;
            Assert.Equal(Sum(ram[start..Math.Min(start + chunk, ram.Length)]), BinaryPrimitives.ReadUInt32LittleEndian(sums[(4 * i)..]));
        }
    }

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = uint.MaxValue;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            sum = BitOperations.Crc32C(sum, word);
        }

        foreach (byte rest in bytes[(bytes.Length / 8 * 8)..])
        {
            sum = BitOperations.Crc32C(sum, rest);
        }

        return ~sum;
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
