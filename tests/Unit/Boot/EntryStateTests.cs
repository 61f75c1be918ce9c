using Strato.Engine.Boot;
using Strato.Engine.Kvm;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class EntryStateTests
{
    [Fact]
    public void LinuxIsEnteredInLongModeWithItsZeroPage()
    {
        KvmRegs regs = new() { Rax = 7 };
        KvmSregs sregs = new() { ApicBase = 0xFEE0_0900, Cr2 = 5 };
        new EntryState(EntryKind.Linux64, 0x100_0200).ApplyTo(ref regs, ref sregs);
        Assert.Equal((0x100_0200UL, 0x7000UL, 2UL, 0UL, 0UL), (regs.Rip, regs.Rsi, regs.Rflags, regs.Rbx, regs.Rax));
        Assert.Equal((0x8000_0011UL, 0x9000UL, 0x20UL, 0x500UL), (sregs.Cr0, sregs.Cr3, sregs.Cr4, sregs.Efer));
        Assert.Equal((0x500UL, (ushort)0x1F), (sregs.Gdt.Base, sregs.Gdt.Limit));
        Assert.Equal((ushort)0x10, sregs.Cs.Selector); // __BOOT_CS
        Assert.Equal((1, 0, 1), (sregs.Cs.L, sregs.Cs.Db, sregs.Cs.S));
        foreach (KvmSegment data in (KvmSegment[])[sregs.Ds, sregs.Es, sregs.Ss])
        {
            Assert.Equal(((ushort)0x18, 3, 0UL, 0xFFFF_FFFFu), (data.Selector, data.Type, data.Base, data.Limit));
        }

        Assert.Equal((11, 1, 0), (sregs.Tr.Type, sregs.Tr.Present, sregs.Tr.S));
        Assert.Equal(0xFEE0_0900UL, sregs.ApicBase); // not ours to change
    }

    [Fact]
    public void PvhIsEnteredInProtectedModeWithItsStartInfo()
    {
        KvmRegs regs = default;
        KvmSregs sregs = default;
        new EntryState(EntryKind.Pvh, 0x100_0000).ApplyTo(ref regs, ref sregs);
        Assert.Equal((0x100_0000UL, 0x6000UL, 2UL, 0UL), (regs.Rip, regs.Rbx, regs.Rflags, regs.Rsi));
        Assert.Equal((0x11UL, 0UL, 0UL, 0UL), (sregs.Cr0, sregs.Cr3, sregs.Cr4, sregs.Efer));
        Assert.Equal((0, 1, 11), (sregs.Cs.L, sregs.Cs.Db, sregs.Cs.Type));
        Assert.Equal((0UL, 0xFFFF_FFFFu, 1), (sregs.Cs.Base, sregs.Cs.Limit, sregs.Cs.G));
        Assert.Equal((11, 0x67u), (sregs.Tr.Type, sregs.Tr.Limit));
    }

    [Fact]
    public void PvhNeedsNoPageTables()
    {
        using GuestMemory memory = GuestMemory.Allocate(Layout.RamRanges(Layout.MinRam));
        new EntryState(EntryKind.Pvh, 0x100_0000).WriteTables(memory);
        Assert.True(memory.TryRead(Layout.Gdt + 0x10, out ulong code));
        Assert.Equal(0x00CF_9B00_0000_FFFFUL, code);
        Assert.True(memory.TryRead(Layout.Pml4, out ulong pml4));
        Assert.Equal(0UL, pml4);
    }

    [Fact]
    public void OnlyTheBootProcessorHearsThePic()
    {
        byte[] registers = new byte[1024];
        registers[0x23] = 7;
        LocalApic.SetLocalInterrupts(registers, isBootProcessor: true);
        Assert.Equal([0x00, 0x07, 0, 0], registers[0x350..0x354]); // ExtINT
        Assert.Equal([0x00, 0x04, 0, 0], registers[0x360..0x364]); // NMI
        LocalApic.SetLocalInterrupts(registers, isBootProcessor: false);
        Assert.Equal([0x00, 0x07, 1, 0], registers[0x350..0x354]); // masked
        Assert.Equal([0x00, 0x04, 0, 0], registers[0x360..0x364]);
        Assert.Equal(7, registers[0x23]);
    }

    [Fact]
    public void MsrsAreThoseOfAFirmwareThatLeft()
    {
        ulong Value(uint index)
        {
            foreach (KvmMsr msr in BootMsrs.All)
            {
                if (msr.Index == index)
                {
                    return msr.Data;
                }
            }

            Assert.Fail($"no MSR 0x{index:x}");
            return 0;
        }

        Assert.Equal(0x806UL, Value(0x2FF));
        Assert.Equal(1UL, Value(0x1A0));
        Assert.Equal(0UL, Value(0xC000_0082));
    }
}
