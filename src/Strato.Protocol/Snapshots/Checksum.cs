using System;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Strato.Protocol.Snapshots;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4), which processors compute eight bytes at a time.</summary>
public static class Checksum
{
    /// <summary>The checksum of some bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes) => ~Continue(uint.MaxValue, bytes);

    /// <summary>The checksum of zeros.</summary>
    /// <param name="length">How many.</param>
    public static uint OfZeros(long length)
    {
        uint crc = uint.MaxValue;
        for (; length >= sizeof(ulong); length -= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, 0UL);
        }

        for (; length > 0; length--)
        {
            crc = BitOperations.Crc32C(crc, (byte)0);
        }

        return ~crc;
    }

    private static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte rest in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return crc;
    }
}
