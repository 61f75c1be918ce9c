using System;
using Strato.Engine.Kvm;

namespace Strato.Engine.Boot;

/// <summary>Model-specific registers at the start of a vCPU; to be set after its CPUID, which decides what there is.</summary>
/// <remarks>
/// Not the time-stamp counter: KVM starts it at zero, alike on all vCPUs that are made together, and a write on each
/// could only take them apart. It goes on through a reset.
/// </remarks>
internal static class BootMsrs
{
    private static readonly KvmMsr[] Entries =
    [
        new(0x174, 0), // IA32_SYSENTER_CS, _ESP, _EIP
        new(0x175, 0),
        new(0x176, 0),
        new(0xC000_0081, 0), // STAR, LSTAR, CSTAR, SYSCALL_MASK
        new(0xC000_0082, 0),
        new(0xC000_0083, 0),
        new(0xC000_0084, 0),
        new(0xC000_0102, 0), // KERNEL_GS_BASE
        new(0x1A0, 1), // IA32_MISC_ENABLE: fast strings
        new(0x2FF, 0x806), // IA32_MTRR_DEF_TYPE: MTRRs on, write-back where none says otherwise
    ];

    /// <summary>The registers and their values.</summary>
    public static ReadOnlySpan<KvmMsr> All => Entries;
}
