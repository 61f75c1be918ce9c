namespace Strato.Client;

/// <summary>A segment register.</summary>
/// <param name="Selector">What the guest loaded.</param>
/// <param name="Base">Its first address.</param>
/// <param name="Limit">Its last offset.</param>
/// <param name="Flags">The second half of its descriptor: type in bits 8 to 11, S 12, DPL 13 and 14, P 15, AVL 20, L 21, D/B 22, G 23.</param>
public readonly record struct SegmentRegister(int Selector, ulong Base, long Limit, long Flags);

/// <summary>The registers of a virtual CPU at one moment.</summary>
public sealed record CpuRegisters
{
    public int Index { get; init; }

    public ulong Rax { get; init; }

    public ulong Rbx { get; init; }

    public ulong Rcx { get; init; }

    public ulong Rdx { get; init; }

    public ulong Rsi { get; init; }

    public ulong Rdi { get; init; }

    public ulong Rsp { get; init; }

    public ulong Rbp { get; init; }

    public ulong R8 { get; init; }

    public ulong R9 { get; init; }

    public ulong R10 { get; init; }

    public ulong R11 { get; init; }

    public ulong R12 { get; init; }

    public ulong R13 { get; init; }

    public ulong R14 { get; init; }

    public ulong R15 { get; init; }

    public ulong Rip { get; init; }

    public ulong Rflags { get; init; }

    public ulong Cr0 { get; init; }

    public ulong Cr2 { get; init; }

    public ulong Cr3 { get; init; }

    public ulong Cr4 { get; init; }

    public ulong Cr8 { get; init; }

    public ulong Efer { get; init; }

    public ulong ApicBase { get; init; }

    public ulong KernelGsBase { get; init; }

    public SegmentRegister Cs { get; init; }

    public SegmentRegister Ds { get; init; }

    public SegmentRegister Es { get; init; }

    public SegmentRegister Fs { get; init; }

    public SegmentRegister Gs { get; init; }

    public SegmentRegister Ss { get; init; }

    public SegmentRegister Ldt { get; init; }

    public SegmentRegister Tr { get; init; }

    public ulong GdtBase { get; init; }

    public long GdtLimit { get; init; }

    public ulong IdtBase { get; init; }

    public long IdtLimit { get; init; }
}
