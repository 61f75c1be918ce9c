using System;
using System.Reflection;
using Strato.Engine.Kvm;
using Xunit;

namespace Strato.Tests.Unit.Abi;

public class KvmAbiTests
{
    [Fact]
    public void ConstantsAreThoseOfTheHeader()
    {
        AbiProof proof = new("linux/kvm.h");
        int count = 0;
        foreach (FieldInfo field in typeof(KvmAbi).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            if (field.Name.StartsWith("KVM_", StringComparison.Ordinal))
            {
                proof.Equal($"(long long)({field.Name})", Convert.ToInt64(field.GetRawConstantValue(), System.Globalization.CultureInfo.InvariantCulture));
                count++;
            }
        }

        Assert.True(count > 60, $"only {count} constants were found");
        proof.Equal("KVM_CPUID_FLAG_SIGNIFCANT_INDEX", KvmCpuidEntry.SignificantIndex).Check();
    }

    [Fact]
    public void NestedStateLiesWhereTheHeaderSays() => new AbiProof("linux/kvm.h")
        .Size<KvmNestedState>("struct kvm_nested_state")
        .Field("struct kvm_nested_state", "flags", (ref KvmNestedState v) => ref v.Flags)
        .Field("struct kvm_nested_state", "format", (ref KvmNestedState v) => ref v.Format)
        .Field("struct kvm_nested_state", "size", (ref KvmNestedState v) => ref v.Size)
        .Field("struct kvm_nested_state", "hdr", (ref KvmNestedState v) => ref v.Header)
        .Check();

    [Fact]
    public void StatisticsLieWhereTheHeaderSays() => new AbiProof("linux/kvm.h")
        .Size<KvmStatsHeader>("struct kvm_stats_header")
        .Field("struct kvm_stats_header", "flags", (ref KvmStatsHeader v) => ref v.Flags)
        .Field("struct kvm_stats_header", "name_size", (ref KvmStatsHeader v) => ref v.NameSize)
        .Field("struct kvm_stats_header", "num_desc", (ref KvmStatsHeader v) => ref v.Count)
        .Field("struct kvm_stats_header", "id_offset", (ref KvmStatsHeader v) => ref v.IdOffset)
        .Field("struct kvm_stats_header", "desc_offset", (ref KvmStatsHeader v) => ref v.DescriptorOffset)
        .Field("struct kvm_stats_header", "data_offset", (ref KvmStatsHeader v) => ref v.DataOffset)
        .Size<KvmStatsDescriptor>("struct kvm_stats_desc")
        .Field("struct kvm_stats_desc", "flags", (ref KvmStatsDescriptor v) => ref v.Flags)
        .Field("struct kvm_stats_desc", "exponent", (ref KvmStatsDescriptor v) => ref v.Exponent)
        .Field("struct kvm_stats_desc", "size", (ref KvmStatsDescriptor v) => ref v.Size)
        .Field("struct kvm_stats_desc", "offset", (ref KvmStatsDescriptor v) => ref v.Offset)
        .Field("struct kvm_stats_desc", "bucket_size", (ref KvmStatsDescriptor v) => ref v.BucketSize)
        .Check();

    [Fact]
    public void RegistersLieWhereTheHeaderSays() => new AbiProof("linux/kvm.h")
        .Size<KvmRegs>("struct kvm_regs")
        .Field("struct kvm_regs", "rax", (ref KvmRegs v) => ref v.Rax)
        .Field("struct kvm_regs", "rbx", (ref KvmRegs v) => ref v.Rbx)
        .Field("struct kvm_regs", "rcx", (ref KvmRegs v) => ref v.Rcx)
        .Field("struct kvm_regs", "rsi", (ref KvmRegs v) => ref v.Rsi)
        .Field("struct kvm_regs", "rsp", (ref KvmRegs v) => ref v.Rsp)
        .Field("struct kvm_regs", "rbp", (ref KvmRegs v) => ref v.Rbp)
        .Field("struct kvm_regs", "r8", (ref KvmRegs v) => ref v.R8)
        .Field("struct kvm_regs", "r15", (ref KvmRegs v) => ref v.R15)
        .Field("struct kvm_regs", "rip", (ref KvmRegs v) => ref v.Rip)
        .Field("struct kvm_regs", "rflags", (ref KvmRegs v) => ref v.Rflags)
        .Size<KvmSegment>("struct kvm_segment")
        .Field("struct kvm_segment", "base", (ref KvmSegment v) => ref v.Base)
        .Field("struct kvm_segment", "limit", (ref KvmSegment v) => ref v.Limit)
        .Field("struct kvm_segment", "selector", (ref KvmSegment v) => ref v.Selector)
        .Field("struct kvm_segment", "type", (ref KvmSegment v) => ref v.Type)
        .Field("struct kvm_segment", "present", (ref KvmSegment v) => ref v.Present)
        .Field("struct kvm_segment", "dpl", (ref KvmSegment v) => ref v.Dpl)
        .Field("struct kvm_segment", "db", (ref KvmSegment v) => ref v.Db)
        .Field("struct kvm_segment", "s", (ref KvmSegment v) => ref v.S)
        .Field("struct kvm_segment", "l", (ref KvmSegment v) => ref v.L)
        .Field("struct kvm_segment", "g", (ref KvmSegment v) => ref v.G)
        .Field("struct kvm_segment", "avl", (ref KvmSegment v) => ref v.Avl)
        .Field("struct kvm_segment", "unusable", (ref KvmSegment v) => ref v.Unusable)
        .Size<KvmDescriptorTable>("struct kvm_dtable")
        .Field("struct kvm_dtable", "base", (ref KvmDescriptorTable v) => ref v.Base)
        .Field("struct kvm_dtable", "limit", (ref KvmDescriptorTable v) => ref v.Limit)
        .Size<KvmSregs>("struct kvm_sregs")
        .Field("struct kvm_sregs", "cs", (ref KvmSregs v) => ref v.Cs)
        .Field("struct kvm_sregs", "ss", (ref KvmSregs v) => ref v.Ss)
        .Field("struct kvm_sregs", "tr", (ref KvmSregs v) => ref v.Tr)
        .Field("struct kvm_sregs", "ldt", (ref KvmSregs v) => ref v.Ldt)
        .Field("struct kvm_sregs", "gdt", (ref KvmSregs v) => ref v.Gdt)
        .Field("struct kvm_sregs", "idt", (ref KvmSregs v) => ref v.Idt)
        .Field("struct kvm_sregs", "cr0", (ref KvmSregs v) => ref v.Cr0)
        .Field("struct kvm_sregs", "cr3", (ref KvmSregs v) => ref v.Cr3)
        .Field("struct kvm_sregs", "cr4", (ref KvmSregs v) => ref v.Cr4)
        .Field("struct kvm_sregs", "efer", (ref KvmSregs v) => ref v.Efer)
        .Field("struct kvm_sregs", "apic_base", (ref KvmSregs v) => ref v.ApicBase)
        .Field("struct kvm_sregs", "interrupt_bitmap", (ref KvmSregs v) => ref v.InterruptBitmap)
        .Size<KvmCpuidEntry>("struct kvm_cpuid_entry2")
        .Field("struct kvm_cpuid_entry2", "function", (ref KvmCpuidEntry v) => ref v.Function)
        .Field("struct kvm_cpuid_entry2", "index", (ref KvmCpuidEntry v) => ref v.Index)
        .Field("struct kvm_cpuid_entry2", "flags", (ref KvmCpuidEntry v) => ref v.Flags)
        .Field("struct kvm_cpuid_entry2", "eax", (ref KvmCpuidEntry v) => ref v.Eax)
        .Field("struct kvm_cpuid_entry2", "edx", (ref KvmCpuidEntry v) => ref v.Edx)
        .Size<KvmMsr>("struct kvm_msr_entry")
        .Field("struct kvm_msr_entry", "index", (ref KvmMsr v) => ref v.Index)
        .Field("struct kvm_msr_entry", "data", (ref KvmMsr v) => ref v.Data)
        .Check();

    [Fact]
    public void RequestsAndStatesAreAsLongAsTheHeaderSays() => new AbiProof("linux/kvm.h")
        .Size<KvmLapic>("struct kvm_lapic_state")
        .Size<KvmIrqchip>("struct kvm_irqchip")
        .Field("struct kvm_irqchip", "chip_id", (ref KvmIrqchip v) => ref v.ChipId)
        .Field("struct kvm_irqchip", "chip", (ref KvmIrqchip v) => ref v.State)
        .Size<KvmPit>("struct kvm_pit_state2")
        .Size<KvmClockData>("struct kvm_clock_data")
        .Field("struct kvm_clock_data", "clock", (ref KvmClockData v) => ref v.Clock)
        .Field("struct kvm_clock_data", "flags", (ref KvmClockData v) => ref v.Flags)
        .Size<KvmVcpuEvents>("struct kvm_vcpu_events")
        .Size<KvmDebugRegs>("struct kvm_debugregs")
        .Size<KvmXcrs>("struct kvm_xcrs")
        .Size<KvmXsave>("struct kvm_xsave")
        .Size<KvmMemoryRegion>("struct kvm_userspace_memory_region")
        .Field("struct kvm_userspace_memory_region", "slot", (ref KvmMemoryRegion v) => ref v.Slot)
        .Field("struct kvm_userspace_memory_region", "flags", (ref KvmMemoryRegion v) => ref v.Flags)
        .Field("struct kvm_userspace_memory_region", "guest_phys_addr", (ref KvmMemoryRegion v) => ref v.GuestPhysicalAddress)
        .Field("struct kvm_userspace_memory_region", "memory_size", (ref KvmMemoryRegion v) => ref v.MemorySize)
        .Field("struct kvm_userspace_memory_region", "userspace_addr", (ref KvmMemoryRegion v) => ref v.UserspaceAddress)
        .Size<KvmIrqLevel>("struct kvm_irq_level")
        .Field("struct kvm_irq_level", "irq", (ref KvmIrqLevel v) => ref v.Irq)
        .Field("struct kvm_irq_level", "level", (ref KvmIrqLevel v) => ref v.Level)
        .Size<KvmIrqfd>("struct kvm_irqfd")
        .Field("struct kvm_irqfd", "fd", (ref KvmIrqfd v) => ref v.Fd)
        .Field("struct kvm_irqfd", "gsi", (ref KvmIrqfd v) => ref v.Gsi)
        .Field("struct kvm_irqfd", "flags", (ref KvmIrqfd v) => ref v.Flags)
        .Size<KvmIoeventfd>("struct kvm_ioeventfd")
        .Field("struct kvm_ioeventfd", "datamatch", (ref KvmIoeventfd v) => ref v.DataMatch)
        .Field("struct kvm_ioeventfd", "addr", (ref KvmIoeventfd v) => ref v.Address)
        .Field("struct kvm_ioeventfd", "len", (ref KvmIoeventfd v) => ref v.Length)
        .Field("struct kvm_ioeventfd", "fd", (ref KvmIoeventfd v) => ref v.Fd)
        .Field("struct kvm_ioeventfd", "flags", (ref KvmIoeventfd v) => ref v.Flags)
        .Size<KvmPitConfig>("struct kvm_pit_config")
        .Field("struct kvm_pit_config", "flags", (ref KvmPitConfig v) => ref v.Flags)
        .Check();

    [Fact]
    public void TheRunStructureLiesWhereTheHeaderSays() => new AbiProof("linux/kvm.h")
        .Field("struct kvm_run", "immediate_exit", (ref KvmRun v) => ref v.ImmediateExit)
        .Field("struct kvm_run", "exit_reason", (ref KvmRun v) => ref v.ExitReason)
        .Field("struct kvm_run", "io.direction", (ref KvmRun v) => ref v.IoDirection)
        .Field("struct kvm_run", "io.size", (ref KvmRun v) => ref v.IoSize)
        .Field("struct kvm_run", "io.port", (ref KvmRun v) => ref v.IoPort)
        .Field("struct kvm_run", "io.count", (ref KvmRun v) => ref v.IoCount)
        .Field("struct kvm_run", "io.data_offset", (ref KvmRun v) => ref v.IoDataOffset)
        .Field("struct kvm_run", "mmio.phys_addr", (ref KvmRun v) => ref v.MmioAddress)
        .Offset("struct kvm_run", "mmio.data", 40)
        .Field("struct kvm_run", "mmio.len", (ref KvmRun v) => ref v.MmioLength)
        .Field("struct kvm_run", "mmio.is_write", (ref KvmRun v) => ref v.MmioIsWrite)
        .Field("struct kvm_run", "fail_entry.hardware_entry_failure_reason", (ref KvmRun v) => ref v.FailEntryReason)
        .Field("struct kvm_run", "internal.suberror", (ref KvmRun v) => ref v.InternalSuberror)
        .Field("struct kvm_run", "system_event.type", (ref KvmRun v) => ref v.SystemEventType)
        .Check();
}
