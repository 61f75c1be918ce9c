using System;

namespace Strato.Engine.Boot;

/// <summary>The resource descriptors of a <c>_CRS</c> (ACPI 6.5, 6.4), without the end tag.</summary>
internal ref struct Resources(Span<byte> room)
{
    /// <summary>Room that the largest of our lists takes.</summary>
    public const int Room = 64;

    private TableWriter _writer = new(room);

    public readonly int Length => _writer.Length;

    public readonly ReadOnlySpan<byte> Bytes => _writer.Written;

    /// <summary>IO (Decode16, port, port, 1, length) (6.4.2.5).</summary>
    public void Io(ushort port, byte length)
    {
        _writer.U8(0x47);
        _writer.U8(1);
        _writer.U16(port);
        _writer.U16(port);
        _writer.U8(1);
        _writer.U8(length);
    }

    /// <summary>Memory32Fixed (ReadWrite, address, length) (6.4.3.4).</summary>
    public void Memory32(uint address, uint length)
    {
        _writer.U8(0x86);
        _writer.U16(9);
        _writer.U8(1);
        _writer.U32(address);
        _writer.U32(length);
    }

    /// <summary>Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { gsi } (6.4.3.6).</summary>
    /// <remarks>
    /// The extended descriptor, for ISA lines too: Linux takes it as it stands, while it looks the older IRQ descriptor
    /// up in the MADT's overrides, where hardware-reduced machines have nothing.
    /// </remarks>
    public void EdgeInterrupt(uint gsi) => Interrupt(gsi, 0b0011);

    /// <summary>As <see cref="EdgeInterrupt"/>, of an interrupt that stays asserted until its device takes it back: level, active high, exclusive.</summary>
    public void LevelInterrupt(uint gsi) => Interrupt(gsi, 0b0001);

    private void Interrupt(uint gsi, byte flags)
    {
        _writer.U8(0x89);
        _writer.U16(6);
        _writer.U8(flags);
        _writer.U8(1);
        _writer.U32(gsi);
    }
}
