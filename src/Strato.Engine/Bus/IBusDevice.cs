using System;

namespace Strato.Engine.Bus;

/// <summary>Something that answers port or memory-mapped accesses. It sees offsets into its range, never addresses.</summary>
/// <remarks>
/// Called on vCPU threads, several at once: the device guards its state. Any offset below the attached length, any
/// length of 1, 2, 4 or 8, aligned or not, may come: answer what the device's specification says, or zeros.
/// An access never throws.
/// </remarks>
internal interface IBusDevice
{
    void Read(ulong offset, Span<byte> data);

    void Write(ulong offset, ReadOnlySpan<byte> data);
}
