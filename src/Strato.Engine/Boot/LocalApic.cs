using System;
using System.Buffers.Binary;

namespace Strato.Engine.Boot;

/// <summary>The local interrupt lines of a vCPU's APIC, as firmware leaves them.</summary>
internal static class LocalApic
{
    private const int LvtLint0 = 0x350;
    private const int LvtLint1 = 0x360;
    private const uint Masked = 1 << 16;
    private const uint DeliveryMode = 7 << 8;
    private const uint Nmi = 4 << 8;
    private const uint ExtInt = 7 << 8;

    /// <summary>LINT0 is ExtINT, open on the boot processor alone (virtual wire mode, MP spec 3.6.2.2), LINT1 NMI; all else is kept.</summary>
    /// <param name="registers">struct kvm_lapic_state: 1024 bytes.</param>
    /// <param name="isBootProcessor">Whether the vCPU is the first one.</param>
    public static void SetLocalInterrupts(Span<byte> registers, bool isBootProcessor)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(registers[LvtLint0..], isBootProcessor ? ExtInt : ExtInt | Masked);
        BinaryPrimitives.WriteUInt32LittleEndian(registers[LvtLint1..], Nmi);
    }

    /// <summary>Whether LINT1 brings NMIs: it isn't masked, and its delivery mode is NMI.</summary>
    /// <param name="registers">struct kvm_lapic_state: 1024 bytes.</param>
    public static bool TakesNmi(ReadOnlySpan<byte> registers) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(registers[LvtLint1..]) & (Masked | DeliveryMode)) == Nmi;
}
