using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Protocol.Configuration;

namespace Strato.Protocol.Snapshots;

/// <summary>What a snapshot's file <c>memory</c> holds: the guest's RAM, one range behind the other, then a page that says whose it is.</summary>
/// <remarks>
/// <code>
/// memory     0  range 0, then range 1; pages of zeros are holes
///            n  magic "STRATOMM", id of the snapshot (16 bytes), CRC-32C of those 24 bytes, zeros up to 4096
/// </code>
/// Its checksums, one for each chunk, are in the state's section <see cref="SectionName"/>.
/// </remarks>
public sealed class MemoryMap
{
    /// <summary>The file's name in a snapshot's folder.</summary>
    public const string FileName = "memory";

    /// <summary>The state's section that describes it.</summary>
    public const string SectionName = "memory";

    /// <summary>Bytes that have one checksum.</summary>
    public const int ChunkBytes = 1 << 20;

    /// <summary>Bytes behind the RAM.</summary>
    public const int TrailerBytes = 4096;

    private const int TrailerChecksumAt = 24;

    /// <summary>No machine has more: two are all that a PC's hole makes.</summary>
    private const int MostRanges = 16;

    /// <param name="ranges">Start and bytes of each range of RAM, by rising address.</param>
    /// <param name="checksums">One for each <see cref="ChunkBytes"/> of the file, the last for what is left.</param>
    public MemoryMap(IReadOnlyList<(ulong Start, ulong Length)> ranges, uint[] checksums)
    {
        Ranges = ranges;
        Checksums = checksums;
    }

    /// <summary>Start and bytes of each range of RAM, by rising address.</summary>
    public IReadOnlyList<(ulong Start, ulong Length)> Ranges { get; }

    /// <summary>CRC-32C of each chunk.</summary>
    public uint[] Checksums { get; }

    /// <summary>Bytes of RAM.</summary>
    public long Size => SizeOf(Ranges);

    private static ReadOnlySpan<byte> Magic => "STRATOMM"u8;

    /// <summary>The guest's address of what stands at an offset of the file, which is one of RAM.</summary>
    public ulong AddressOf(long offset)
    {
        foreach ((ulong start, ulong length) in Ranges)
        {
            if ((ulong)offset < length)
            {
                return start + (ulong)offset;
            }

            offset -= (long)length;
        }

        throw new ArgumentOutOfRangeException(nameof(offset), offset, "not in RAM");
    }

    /// <summary>Bytes of ranges in all.</summary>
    public static long SizeOf(IReadOnlyList<(ulong Start, ulong Length)> ranges)
    {
        long size = 0;
        foreach ((_, ulong length) in ranges)
        {
            size += (long)length;
        }

        return size;
    }

    /// <summary>Chunks of a file with this much RAM.</summary>
    public static int ChunksOf(long size) => (int)((size + ChunkBytes - 1) / ChunkBytes);

    /// <summary>What stands behind the RAM.</summary>
    public static byte[] Trailer(Guid id)
    {
        byte[] trailer = new byte[TrailerBytes];
        Magic.CopyTo(trailer);
        id.TryWriteBytes(trailer.AsSpan(Magic.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(TrailerChecksumAt), Checksum.Of(trailer.AsSpan(0, TrailerChecksumAt)));
        return trailer;
    }

    /// <summary>Whose memory a file is, by its trailer; null when it is nobody's.</summary>
    public static Guid? IdOf(ReadOnlySpan<byte> trailer) =>
        trailer.Length == TrailerBytes && trailer[..Magic.Length].SequenceEqual(Magic)
        && BinaryPrimitives.ReadUInt32LittleEndian(trailer[TrailerChecksumAt..]) == Checksum.Of(trailer[..TrailerChecksumAt])
        && !trailer[(TrailerChecksumAt + sizeof(uint))..].ContainsAnyExcept((byte)0)
            ? new Guid(trailer.Slice(Magic.Length, 16))
            : null;

    /// <summary>The state's section of it.</summary>
    public SnapshotSection ToSection()
    {
        StateWriter writer = new();
        writer.U32((uint)Ranges.Count);
        foreach ((ulong start, ulong length) in Ranges)
        {
            writer.U64(start);
            writer.U64(length);
        }

        writer.U32(ChunkBytes);
        writer.Structs<uint>(Checksums);
        return writer.ToSection(SectionName);
    }

    /// <exception cref="UserErrorException">SnapshotDamaged, SnapshotVersion.</exception>
    public static MemoryMap Parse(StateFile state)
    {
        StateReader reader = state.Require(SectionName).Read();
        List<(ulong, ulong)> ranges = [];
        int count = reader.Count(MostRanges);
        for (int i = 0; i < count; i++)
        {
            (ulong start, ulong length) = (reader.U64(), reader.U64());
            if (length > ConfigurationLimits.MaxMemory || start + length < start)
            {
                throw reader.Damaged($"a range of {length} bytes at 0x{start:x} can't be RAM");
            }

            ranges.Add((start, length));
        }

        uint chunk = reader.U32();
        uint[] checksums = reader.Structs<uint>();
        reader.End();
        return chunk == ChunkBytes && checksums.Length == ChunksOf(SizeOf(ranges))
            ? new MemoryMap(ranges, checksums)
            : throw reader.Damaged($"{checksums.Length} checksums of {chunk} bytes don't fit {SizeOf(ranges)} bytes of memory");
    }
}
