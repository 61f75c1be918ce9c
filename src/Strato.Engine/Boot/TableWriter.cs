using System;
using System.Buffers.Binary;

namespace Strato.Engine.Boot;

/// <summary>Writes little-endian fields one after the other into guest memory or a buffer.</summary>
/// <remarks>Rooms are chosen in <see cref="Layout"/> for the most CPUs and devices: running over one is a fault of the engine, and throws.</remarks>
internal ref struct TableWriter(Span<byte> room)
{
    private readonly Span<byte> _room = room;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    public readonly Span<byte> Written => _room[..Length];

    public void U8(byte value) => _room[Length++] = value;

    public void U16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_room[Length..], value);
        Length += 2;
    }

    public void U32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_room[Length..], value);
        Length += 4;
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_room[Length..], value);
        Length += 8;
    }

    public void Bytes(ReadOnlySpan<byte> value)
    {
        value.CopyTo(_room[Length..]);
        Length += value.Length;
    }

    public void Zeros(int count)
    {
        _room.Slice(Length, count).Clear();
        Length += count;
    }

    /// <summary>Zeros up to the next multiple of <paramref name="alignment"/>, a power of two.</summary>
    public void Align(int alignment) => Zeros(-Length & (alignment - 1));

    /// <summary>The byte that makes the sum of <paramref name="table"/>, its checksum field being zero, a multiple of 256.</summary>
    public static byte Checksum(ReadOnlySpan<byte> table)
    {
        byte sum = 0;
        foreach (byte value in table)
        {
            sum += value;
        }

        return (byte)-sum;
    }
}
