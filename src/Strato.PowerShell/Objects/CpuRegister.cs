using System.Globalization;
using Strato.Client;
using Strato.PowerShell;

namespace Strato;

/// <summary>The registers of a virtual CPU at one moment.</summary>
public sealed class CpuRegister
{
    private readonly CpuRegisters _registers;

    internal CpuRegister(VmTarget vm, CpuRegisters registers)
    {
        VMName = vm.Name;
        VMId = vm.Id;
        _registers = registers;
    }

    /// <summary>Name of the VM it belongs to.</summary>
    public string VMName { get; }

    /// <summary>Id of that VM.</summary>
    public string VMId { get; }

    /// <summary>Number of the CPU, from 0.</summary>
    public int Index => _registers.Index;

    /// <summary>What the CPU understands: real, protected, compatibility (32-bit code in long mode) or long.</summary>
    public string Mode => (_registers.Cr0 & 1) == 0 ? "real" : (_registers.Efer & 0x400) == 0 ? "protected" : (_registers.Cs.Flags & 0x20_0000) == 0 ? "compatibility" : "long";

    /// <summary>Privilege: 0 in a kernel, 3 in programs.</summary>
    public int Ring => _registers.Cs.Selector & 3;

    /// <summary>Address of the next instruction.</summary>
    public ulong Rip => _registers.Rip;

    /// <summary>Flags.</summary>
    public ulong Rflags => _registers.Rflags;

    /// <summary>General register.</summary>
    public ulong Rax => _registers.Rax;

    /// <summary>General register.</summary>
    public ulong Rbx => _registers.Rbx;

    /// <summary>General register.</summary>
    public ulong Rcx => _registers.Rcx;

    /// <summary>General register.</summary>
    public ulong Rdx => _registers.Rdx;

    /// <summary>General register.</summary>
    public ulong Rsi => _registers.Rsi;

    /// <summary>General register.</summary>
    public ulong Rdi => _registers.Rdi;

    /// <summary>Stack pointer.</summary>
    public ulong Rsp => _registers.Rsp;

    /// <summary>General register, often the frame pointer.</summary>
    public ulong Rbp => _registers.Rbp;

    /// <summary>General register.</summary>
    public ulong R8 => _registers.R8;

    /// <summary>General register.</summary>
    public ulong R9 => _registers.R9;

    /// <summary>General register.</summary>
    public ulong R10 => _registers.R10;

    /// <summary>General register.</summary>
    public ulong R11 => _registers.R11;

    /// <summary>General register.</summary>
    public ulong R12 => _registers.R12;

    /// <summary>General register.</summary>
    public ulong R13 => _registers.R13;

    /// <summary>General register.</summary>
    public ulong R14 => _registers.R14;

    /// <summary>General register.</summary>
    public ulong R15 => _registers.R15;

    /// <summary>Control register: mode and paging.</summary>
    public ulong Cr0 => _registers.Cr0;

    /// <summary>Address of the last page fault.</summary>
    public ulong Cr2 => _registers.Cr2;

    /// <summary>Physical address of the page tables.</summary>
    public ulong Cr3 => _registers.Cr3;

    /// <summary>Control register: extensions.</summary>
    public ulong Cr4 => _registers.Cr4;

    /// <summary>Priority of the local APIC.</summary>
    public ulong Cr8 => _registers.Cr8;

    /// <summary>Extended features: long mode.</summary>
    public ulong Efer => _registers.Efer;

    /// <summary>Base and state of the local APIC.</summary>
    public ulong ApicBase => _registers.ApicBase;

    /// <summary>Selector.</summary>
    public int Cs => _registers.Cs.Selector;

    /// <summary>Selector.</summary>
    public int Ds => _registers.Ds.Selector;

    /// <summary>Selector.</summary>
    public int Es => _registers.Es.Selector;

    /// <summary>Selector.</summary>
    public int Fs => _registers.Fs.Selector;

    /// <summary>Selector.</summary>
    public int Gs => _registers.Gs.Selector;

    /// <summary>Selector.</summary>
    public int Ss => _registers.Ss.Selector;

    /// <summary>Selector.</summary>
    public int Tr => _registers.Tr.Selector;

    /// <summary>Selector.</summary>
    public int Ldt => _registers.Ldt.Selector;

    /// <summary>First address of the code segment.</summary>
    public ulong CsBase => _registers.Cs.Base;

    /// <summary>First address of FS: thread-local data of Linux programs.</summary>
    public ulong FsBase => _registers.Fs.Base;

    /// <summary>First address of GS: data of the CPU in the Linux kernel.</summary>
    public ulong GsBase => _registers.Gs.Base;

    /// <summary>What swapgs exchanges GsBase for.</summary>
    public ulong KernelGsBase => _registers.KernelGsBase;

    /// <summary>Address of the task state.</summary>
    public ulong TrBase => _registers.Tr.Base;

    /// <summary>Address of the global descriptor table.</summary>
    public ulong GdtBase => _registers.GdtBase;

    /// <summary>Address of the interrupt descriptor table.</summary>
    public ulong IdtBase => _registers.IdtBase;

    /// <summary>Last byte of the global descriptor table.</summary>
    public long GdtLimit => _registers.GdtLimit;

    /// <summary>Last byte of the interrupt descriptor table.</summary>
    public long IdtLimit => _registers.IdtLimit;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{VMName} {Index}");
}
