using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Strato.Engine.Kvm;

namespace Strato.Engine.Machine;

/// <summary>The head of an ELF core file of a machine: all before the first byte of its memory.</summary>
/// <remarks>
/// As QEMU's dump-guest-memory makes it, which crash(8) and gdb(1) read: memory by guest-physical addresses, one PT_LOAD a region, and for
/// each CPU the notes CORE (NT_PRSTATUS, struct elf_prstatus) and, behind those of all, QEMU (its QEMUCPUState: what crash needs to find a
/// kernel that moved, CR3 and the IDT among it).
/// <code>
/// Elf64_Ehdr 64 | Elf64_Phdr of the notes 56 | of each region 56 | notes | up to a page | region | region …
/// </code>
/// </remarks>
internal static class CoreFile
{
    private const int FileHeaderLength = 64;
    private const int ProgramHeaderLength = 56;
    private const int PageBytes = 4096;
    private const ushort Core = 4;
    private const ushort X86_64 = 62;
    private const uint PtLoad = 1;
    private const uint PtNote = 4;
    private const uint ReadWriteExecute = 7;

    // The type's name in elf.h; a note's owner is padded to 4 bytes.
    private const uint PrStatus = 1;
    private const int NoteHeaderLength = 12;
    private const int OwnerLength = 8;

    /// <summary>struct elf_prstatus of x86-64: 32 bytes, pid, 76 bytes, 27 registers, 8 bytes.</summary>
    private const int PrStatusLength = 336;
    private const int PrStatusPid = 32;
    private const int PrStatusRegisters = 112;

    /// <summary>QEMUCPUState: version and size, 18 registers, 10 segments of 24 bytes, CR0 to CR4, kernel_gs_base.</summary>
    private const int QemuStateLength = 440;

    /// <summary>Makes the head.</summary>
    /// <param name="regions">Start and length of each, by rising address.</param>
    /// <param name="cpus">All CPUs.</param>
    /// <param name="offset">Where in the file the first region begins; the others follow it without a gap.</param>
    public static byte[] MakeHead(IReadOnlyList<(ulong Start, ulong Length)> regions, IReadOnlyList<CpuRegisters> cpus, out ulong offset)
    {
        int notesAt = FileHeaderLength + (ProgramHeaderLength * (1 + regions.Count));
        int notesLength = cpus.Count * (NoteHeaderLength + OwnerLength + PrStatusLength + NoteHeaderLength + OwnerLength + QemuStateLength);
        int length = (notesAt + notesLength + PageBytes - 1) / PageBytes * PageBytes;
        byte[] head = new byte[length];
        Writer writer = new(head);
        writer.Bytes([0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        writer.U16(Core);
        writer.U16(X86_64);
        writer.U32(1);
        writer.U64(0);
        writer.U64(FileHeaderLength);
        writer.U64(0);
        writer.U32(0);
        writer.U16(FileHeaderLength);
        writer.U16(ProgramHeaderLength);
        writer.U16((ushort)(1 + regions.Count));
        writer.U16(0);
        writer.U16(0);
        writer.U16(0);
        ProgramHeader(ref writer, PtNote, 0, (ulong)notesAt, 0, (ulong)notesLength);
        offset = (ulong)length;
        ulong at = offset;
        foreach ((ulong start, ulong size) in regions)
        {
            ProgramHeader(ref writer, PtLoad, ReadWriteExecute, at, start, size);
            at += size;
        }

        foreach (CpuRegisters cpu in cpus)
        {
            Note(ref writer, "CORE"u8, PrStatus, PrStatusLength);
            WriteStatus(writer.Take(PrStatusLength), cpu);
        }

        foreach (CpuRegisters cpu in cpus)
        {
            Note(ref writer, "QEMU"u8, 0, QemuStateLength);
            WriteQemuState(writer.Take(QemuStateLength), cpu);
        }

        return head;
    }

    private static void ProgramHeader(ref Writer writer, uint type, uint flags, ulong offset, ulong address, ulong length)
    {
        writer.U32(type);
        writer.U32(flags);
        writer.U64(offset);
        writer.U64(0);
        writer.U64(address);
        writer.U64(length);
        writer.U64(length);
        writer.U64(0);
    }

    private static void Note(ref Writer writer, ReadOnlySpan<byte> owner, uint type, int length)
    {
        writer.U32((uint)owner.Length + 1);
        writer.U32((uint)length);
        writer.U32(type);
        owner.CopyTo(writer.Take(OwnerLength));
    }

    private static void WriteStatus(Span<byte> status, in CpuRegisters cpu)
    {
        // As a process's threads: numbers from 1.
        BinaryPrimitives.WriteUInt32LittleEndian(status[PrStatusPid..], (uint)cpu.Index + 1);
        KvmRegs r = cpu.General;
        KvmSregs s = cpu.Special;
        Writer writer = new(status[PrStatusRegisters..]);

        // struct user_regs_struct; no system call is under way (orig_rax).
        writer.All(r.R15, r.R14, r.R13, r.R12, r.Rbp, r.Rbx, r.R11, r.R10, r.R9, r.R8, r.Rax, r.Rcx, r.Rdx, r.Rsi, r.Rdi, 0);
        writer.All(r.Rip, s.Cs.Selector, r.Rflags, r.Rsp, s.Ss.Selector, s.Fs.Base, s.Gs.Base, s.Ds.Selector, s.Es.Selector, s.Fs.Selector, s.Gs.Selector);
    }

    private static void WriteQemuState(Span<byte> state, in CpuRegisters cpu)
    {
        KvmRegs r = cpu.General;
        KvmSregs s = cpu.Special;
        Writer writer = new(state);
        writer.U32(1);
        writer.U32(QemuStateLength);
        writer.All(r.Rax, r.Rbx, r.Rcx, r.Rdx, r.Rsi, r.Rdi, r.Rsp, r.Rbp, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rip, r.Rflags);
        foreach (KvmSegment segment in (ReadOnlySpan<KvmSegment>)[s.Cs, s.Ds, s.Es, s.Fs, s.Gs, s.Ss, s.Ldt, s.Tr])
        {
            Segment(ref writer, segment.Selector, segment.Limit, FlagsOf(segment), segment.Base);
        }

        Segment(ref writer, 0, s.Gdt.Limit, 0, s.Gdt.Base);
        Segment(ref writer, 0, s.Idt.Limit, 0, s.Idt.Base);
        writer.All(s.Cr0, 0, s.Cr2, s.Cr3, s.Cr4, cpu.KernelGsBase);
    }

    private static void Segment(ref Writer writer, uint selector, uint limit, uint flags, ulong address)
    {
        writer.U32(selector);
        writer.U32(limit);
        writer.U32(flags);
        writer.U32(0);
        writer.U64(address);
    }

    /// <summary>The second half of a descriptor as the processor has it: type in bits 8 to 11, S, DPL, P, AVL, L, D/B, G.</summary>
    internal static uint FlagsOf(in KvmSegment segment) =>
        ((uint)segment.Type << 8) | ((uint)segment.S << 12) | ((uint)segment.Dpl << 13) | ((uint)segment.Present << 15)
        | ((uint)segment.Avl << 20) | ((uint)segment.L << 21) | ((uint)segment.Db << 22) | ((uint)segment.G << 23);

    private ref struct Writer(Span<byte> rest)
    {
        private Span<byte> _rest = rest;

        /// <summary>The next bytes, to be filled.</summary>
        public Span<byte> Take(int count)
        {
            Span<byte> taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }

        public void Bytes(scoped ReadOnlySpan<byte> value) => value.CopyTo(Take(value.Length));

        public void U16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(sizeof(ushort)), value);

        public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(sizeof(uint)), value);

        public void U64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(sizeof(ulong)), value);

        public void All(params scoped ReadOnlySpan<ulong> values)
        {
            foreach (ulong value in values)
            {
                U64(value);
            }
        }
    }
}
