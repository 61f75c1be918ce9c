using System;
using System.Buffers.Binary;
using Strato.Engine.Kvm;
using Strato.Engine.Memory;

namespace Strato.Engine.Boot;

/// <summary>The registers with which the first CPU enters the kernel. The other CPUs wait in their reset state for a start-up IPI.</summary>
/// <remarks>
/// 64-bit boot protocol of Linux: long mode, paging with an identity map, flat segments with selectors 0x10 and 0x18,
/// interrupts off, RSI = zero page. PVH: protected mode, no paging, flat 32-bit segments, a 32-bit TSS, EBX = start info.
/// GDT: 0x00 null, 0x08 null, 0x10 code, 0x18 data. The task register needs a busy TSS to enter at all (VMX), but
/// nothing loads it again, so it has no descriptor.
/// </remarks>
/// <param name="Kind">Decides modes and segments.</param>
/// <param name="Entry">First instruction.</param>
internal readonly record struct EntryState(EntryKind Kind, ulong Entry)
{
    private const ulong Cr0ProtectedMode = 1 << 0;
    private const ulong Cr0ExtensionType = 1 << 4;
    private const ulong Cr0Paging = 1UL << 31;
    private const ulong Cr4PhysicalAddressExtension = 1 << 5;
    private const ulong EferLongModeEnable = 1 << 8;
    private const ulong EferLongModeActive = 1 << 10;
    private const ulong PagePresentWritable = 0b11;
    private const ulong PageLarge = 1 << 7;
    private const ushort CodeSelector = 0x10;
    private const ushort DataSelector = 0x18;
    private const byte CodeType = 0xB; // execute, read, accessed
    private const byte DataType = 0x3; // read, write, accessed
    private const byte BusyTssType = 0xB;

    private bool Is64 => Kind == EntryKind.Linux64;

    /// <summary>Writes the GDT and, for a 64-bit entry, page tables that map the first 4 GiB to themselves.</summary>
    /// <remarks>
    /// 2 MiB pages, which every 64-bit CPU has; 1 GiB pages would save 16 KiB of writes, some microseconds, and fail
    /// where the guest's CPUID lacks them under shadow paging.
    /// </remarks>
    public void WriteTables(GuestMemory memory)
    {
        KvmSegment code = Code();
        KvmSegment data = Data();
        if (!memory.TryGetSpan(Layout.Gdt, 0x28, out Span<byte> gdt))
        {
            throw new InvalidOperationException("no RAM at the GDT's address");
        }

        gdt.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(gdt[CodeSelector..], Descriptor(code));
        BinaryPrimitives.WriteUInt64LittleEndian(gdt[DataSelector..], Descriptor(data));
        if (!Is64)
        {
            return;
        }

        if (!memory.TryGetSpan(Layout.Pml4, 6 * (int)GuestMemory.PageSize, out Span<byte> tables))
        {
            throw new InvalidOperationException("no RAM at the page tables' address");
        }

        tables.Clear();
        TableWriter pml4 = new(tables);
        pml4.U64((Layout.Pml4 + 0x1000) | PagePresentWritable);
        TableWriter pdpt = new(tables[0x1000..]);
        TableWriter directories = new(tables[0x2000..]);
        for (ulong gigabyte = 0; gigabyte < 4; gigabyte++)
        {
            pdpt.U64((Layout.Pml4 + 0x2000 + (gigabyte * 0x1000)) | PagePresentWritable);
            for (ulong page = 0; page < 512; page++)
            {
                directories.U64((gigabyte << 30) | (page << 21) | PageLarge | PagePresentWritable);
            }
        }
    }

    /// <summary>Sets the registers that the entry needs; the rest is left as KVM resets it.</summary>
    public void ApplyTo(ref KvmRegs regs, ref KvmSregs sregs)
    {
        regs = new KvmRegs
        {
            Rip = Entry,
            Rflags = 2, // bit 1 is always set; interrupts off
            Rsp = Is64 ? Layout.BootStack : 0,
            Rbp = Is64 ? Layout.BootStack : 0,
            Rsi = Is64 ? Layout.ZeroPage : 0,
            Rbx = Is64 ? 0 : Layout.PvhStartInfo,
        };
        sregs.Cs = Code();
        sregs.Ds = sregs.Es = sregs.Fs = sregs.Gs = sregs.Ss = Data();
        sregs.Tr = new KvmSegment { Limit = 0x67, Type = BusyTssType, Present = 1 };
        sregs.Gdt = new KvmDescriptorTable { Base = Layout.Gdt, Limit = 0x1F };
        sregs.Idt = new KvmDescriptorTable { Base = Layout.Idt, Limit = 7 };
        sregs.Cr0 = Cr0ProtectedMode | Cr0ExtensionType | (Is64 ? Cr0Paging : 0);
        sregs.Cr3 = Is64 ? Layout.Pml4 : 0;
        sregs.Cr4 = Is64 ? Cr4PhysicalAddressExtension : 0;
        sregs.Efer = Is64 ? EferLongModeEnable | EferLongModeActive : 0;
    }

    private KvmSegment Code() => new()
    {
        Selector = CodeSelector,
        Limit = 0xFFFF_FFFF,
        Type = CodeType,
        Present = 1,
        S = 1,
        G = 1,
        L = (byte)(Is64 ? 1 : 0),
        Db = (byte)(Is64 ? 0 : 1),
    };

    private static KvmSegment Data() => new()
    {
        Selector = DataSelector,
        Limit = 0xFFFF_FFFF,
        Type = DataType,
        Present = 1,
        S = 1,
        G = 1,
        Db = 1,
    };

    /// <summary>The 8-byte descriptor of a flat segment (Intel SDM 3, 3.4.5), base 0 and limit 0xFFFFF pages.</summary>
    private static ulong Descriptor(KvmSegment segment) =>
        0x000F_0000_0000_FFFF
        | ((ulong)segment.Type << 40)
        | ((ulong)segment.S << 44)
        | ((ulong)segment.Present << 47)
        | ((ulong)segment.L << 53)
        | ((ulong)segment.Db << 54)
        | ((ulong)segment.G << 55);
}
