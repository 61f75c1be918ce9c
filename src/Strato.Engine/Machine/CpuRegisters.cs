using Strato.Engine.Kvm;

namespace Strato.Engine.Machine;

/// <summary>The registers of a CPU that stands still.</summary>
/// <param name="Index">The CPU's number.</param>
/// <param name="General">rax and on, rip, rflags.</param>
/// <param name="Special">Segments, tables, control registers.</param>
/// <param name="KernelGsBase">What swapgs brings; 0 where KVM doesn't tell.</param>
internal readonly record struct CpuRegisters(int Index, KvmRegs General, KvmSregs Special, ulong KernelGsBase)
{
    /// <summary>IA32_KERNEL_GS_BASE.</summary>
    public const uint KernelGsBaseMsr = 0xC000_0102;
}
