using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace Strato.Tests.Fuzz;

/// <summary>Damages inputs, the same way for the same seed.</summary>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> words)
{
    private const int LongestInput = 64 << 10;

    private static readonly ulong[] Numbers =
    [
        0, 1, 2, 3, 7, 8, 16, 63, 64, 127, 128, 255, 256, 511, 512, 1023, 4095, 4096, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0xF_FFFF, 0x10_0000,
        0x7FFF_FFFF, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, ulong.MaxValue,
    ];

    /// <summary>A damaged copy.</summary>
    /// <param name="input">What is copied.</param>
    /// <param name="other">Another input, of which a piece may be taken.</param>
    public byte[] Mutate(byte[] input, byte[] other)
    {
        List<byte> bytes = [.. input];
        for (int count = 1 << random.Next(4); count > 0; count--)
        {
            MutateOnce(bytes, other);
        }

        if (bytes.Count > LongestInput)
        {
            bytes.RemoveRange(LongestInput, bytes.Count - LongestInput);
        }

        return [.. bytes];
    }

    private void MutateOnce(List<byte> bytes, byte[] other)
    {
        int at = random.Next(bytes.Count + 1);
        int rest = bytes.Count - at;
        switch (random.Next(9))
        {
            case 0 when rest > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when rest > 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 or 3:
                Overwrite(bytes, at, Number());
                break;
            case 4:
                bytes.RemoveRange(at, Length(rest));
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, Length(rest)));
                break;
            case 6 when other.Length > 0:
                int from = random.Next(other.Length);
                bytes.InsertRange(at, other[from..(from + Length(other.Length - from))]);
                break;
            case 7 when words.Count > 0:
                bytes.InsertRange(at, words[random.Next(words.Count)]);
                break;
            default:
                bytes.Insert(at, (byte)random.Next(256));
                break;
        }
    }

    /// <summary>Short pieces mostly, and all there is at times.</summary>
    private int Length(int most) => random.Next(8) == 0 ? most : Math.Min(most, random.Next(1, 33));

    private byte[] Number()
    {
        byte[] number = new byte[1 << random.Next(4)];
        Span<byte> all = stackalloc byte[sizeof(ulong)];
        ulong value = Numbers[random.Next(Numbers.Length)] + (ulong)random.Next(-1, 2);
        BinaryPrimitives.WriteUInt64LittleEndian(all, value);
        all[..number.Length].CopyTo(number);
        return number;
    }

    private static void Overwrite(List<byte> bytes, int at, byte[] value)
    {
        for (int i = 0; i < value.Length && at + i < bytes.Count; i++)
        {
            bytes[at + i] = value[i];
        }
    }
}
