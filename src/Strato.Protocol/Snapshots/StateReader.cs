using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Strato.Protocol.Snapshots;

/// <summary>Reads a section's contents as <see cref="StateWriter"/> wrote them.</summary>
/// <remarks>The bytes' checksum is right, and yet they may be anything: whoever reads checks each value.</remarks>
public sealed class StateReader
{
    private readonly SnapshotSection _section;
    private int _at;

    internal StateReader(SnapshotSection section) => _section = section;

    /// <summary>The section's name.</summary>
    public string Name => _section.Name;

    /// <summary>The section's version.</summary>
    public ushort Version => _section.Version;

    public bool Bool() => U8() switch
    {
        0 => false,
        1 => true,
        byte other => throw Damaged($"{other} stands where 0 or 1 is expected"),
    };

    public byte U8() => Take(sizeof(byte))[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(sizeof(ushort)));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(sizeof(uint)));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong)));

    /// <summary>A number that may not be above <paramref name="most"/>.</summary>
    public int Count(int most)
    {
        uint count = U32();
        return count <= (uint)most ? (int)count : throw Damaged($"{count} stands where at most {most} is expected");
    }

    public ReadOnlySpan<byte> Bytes() => Take(Count(int.MaxValue));

    public string Text()
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Damaged("a text isn't UTF-8");
    }

    /// <summary>A structure of the kernel's ABI; one of another size is refused.</summary>
    public T Struct<T>()
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return bytes.Length == Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(bytes) : throw Damaged($"{bytes.Length} bytes stand where {Unsafe.SizeOf<T>()} are expected");
    }

    /// <summary>Structures of the kernel's ABI.</summary>
    public T[] Structs<T>()
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = Bytes();
        return bytes.Length % Unsafe.SizeOf<T>() == 0 ? MemoryMarshal.Cast<byte, T>(bytes).ToArray() : throw Damaged($"{bytes.Length} bytes are no multiple of {Unsafe.SizeOf<T>()}");
    }

    /// <summary>Everything has to have been read.</summary>
    public void End()
    {
        if (_at != _section.Data.Length)
        {
            throw Damaged($"{_section.Data.Length - _at} bytes are left");
        }
    }

    /// <summary>What is thrown for a value that can't be.</summary>
    public UserErrorException Damaged(string what) => new("SnapshotDamaged", $"The snapshot's section '{Name}' is damaged: {what}.");

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _section.Data.Length - _at)
        {
            throw Damaged($"it ends after {_section.Data.Length} bytes");
        }

        ReadOnlySpan<byte> taken = _section.Data.Span.Slice(_at, length);
        _at += length;
        return taken;
    }
}
