using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Strato.Engine.Kvm;

/// <summary>struct kvm_regs of <c>asm/kvm.h</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmRegs
{
    public ulong Rax;
    public ulong Rbx;
    public ulong Rcx;
    public ulong Rdx;
    public ulong Rsi;
    public ulong Rdi;
    public ulong Rsp;
    public ulong Rbp;
    public ulong R8;
    public ulong R9;
    public ulong R10;
    public ulong R11;
    public ulong R12;
    public ulong R13;
    public ulong R14;
    public ulong R15;
    public ulong Rip;
    public ulong Rflags;
}

/// <summary>struct kvm_segment: a segment register with its hidden part.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSegment
{
    public ulong Base;
    public uint Limit;
    public ushort Selector;
    public byte Type;
    public byte Present;
    public byte Dpl;
    public byte Db;
    public byte S;
    public byte L;
    public byte G;
    public byte Avl;
    public byte Unusable;
    public byte Padding;
}

/// <summary>struct kvm_dtable: GDTR or IDTR.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmDescriptorTable
{
    public ulong Base;
    public ushort Limit;
    public ushort Padding0;
    public ushort Padding1;
    public ushort Padding2;
}

/// <summary>struct kvm_sregs of <c>asm/kvm.h</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmSregs
{
    public KvmSegment Cs;
    public KvmSegment Ds;
    public KvmSegment Es;
    public KvmSegment Fs;
    public KvmSegment Gs;
    public KvmSegment Ss;
    public KvmSegment Tr;
    public KvmSegment Ldt;
    public KvmDescriptorTable Gdt;
    public KvmDescriptorTable Idt;
    public ulong Cr0;
    public ulong Cr2;
    public ulong Cr3;
    public ulong Cr4;
    public ulong Cr8;
    public ulong Efer;
    public ulong ApicBase;
    public InterruptBitmapBuffer InterruptBitmap;

    [InlineArray(4)]
    internal struct InterruptBitmapBuffer
    {
        private ulong _element;
    }
}

/// <summary>struct kvm_cpuid_entry2: one leaf (or sub-leaf) of CPUID.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCpuidEntry
{
    /// <summary>Leaf.</summary>
    public uint Function;

    /// <summary>Sub-leaf, where <see cref="Flags"/> says it counts.</summary>
    public uint Index;
    public uint Flags;
    public uint Eax;
    public uint Ebx;
    public uint Ecx;
    public uint Edx;
    public uint Padding0;
    public uint Padding1;
    public uint Padding2;

    /// <summary>KVM_CPUID_FLAG_SIGNIFCANT_INDEX: the entry is for one sub-leaf only.</summary>
    public const uint SignificantIndex = 1;
}

/// <summary>struct kvm_msr_entry: a model-specific register and its value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsr(uint index, ulong data)
{
    public uint Index = index;
    public uint Reserved;
    public ulong Data = data;
}
