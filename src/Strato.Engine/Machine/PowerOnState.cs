using System;
using Strato.Engine.Boot;
using Strato.Engine.Kvm;

namespace Strato.Engine.Machine;

/// <summary>The state of processors and interrupt controllers at power-on, to give it back to a machine that resets.</summary>
/// <remarks>
/// KVM has no request that resets a VM. It makes every new VM in its power-on state, though: so this is read from a
/// scratch VM made when a reset is due, which costs a machine that never resets nothing. MSRs matter most: a guest's
/// kvmclock, steal-time and page-fault areas (0x4b564d00…) left set would let KVM write into the memory of the next kernel.
/// </remarks>
internal sealed class PowerOnState
{
    private readonly InterruptState _interrupts;
    private readonly VcpuState _cpu;

    /// <param name="system">The host's KVM.</param>
    /// <param name="cpuid">The guest's CPUID, which decides the MSRs that there are.</param>
    public PowerOnState(KvmSystem system, ReadOnlySpan<KvmCpuidEntry> cpuid)
    {
        using KvmVm vm = system.CreateVm();
        vm.CreateIrqchip();
        vm.CreatePit();
        _interrupts = InterruptState.Read(vm);
        using KvmVcpu vcpu = vm.CreateVcpu(0);
        vcpu.SetCpuid(cpuid);
        _cpu = VcpuState.Read(system, vcpu, VcpuState.ListMsrs(system), hasNested: CpuFilter.HasNested(cpuid.ToArray()));

        // The counter goes on, in step with the other vCPUs', and Linux recalibrates. It has to be written: on AMD a guest's triple
        // fault clears the VMCB with its TSC offset in it, and a vCPU whose counter is ahead of the others' makes kvmclock stand
        // still for as long.
        _cpu.SetTimeStampCounter(0);
    }

    /// <summary>Resets the chips that all vCPUs share. With all vCPUs parked.</summary>
    public void ApplyTo(KvmVm vm) => _interrupts.ApplyTo(vm);

    /// <summary>Resets one vCPU, parked: the boot processor (APIC id 0) ready to run, the others waiting for their start-up IPI.</summary>
    public void ApplyTo(KvmVcpu vcpu, int apicId)
    {
        bool isBootProcessor = apicId == 0;
        KvmSregs sregs = _cpu.Sregs;
        sregs.ApicBase = isBootProcessor
            ? sregs.ApicBase | KvmAbi.ApicBaseBootProcessor
            : sregs.ApicBase & ~KvmAbi.ApicBaseBootProcessor;
        KvmLapic lapic = _cpu.Lapic;
        lapic[0x23] = (byte)apicId; // APIC ID register (offset 0x20): the id is its highest byte.
        (_cpu.Sregs, _cpu.Lapic) = (sregs, lapic);
        _cpu.MpState = isBootProcessor ? KvmAbi.KVM_MP_STATE_RUNNABLE : KvmAbi.KVM_MP_STATE_UNINITIALIZED;
        _ = _cpu.ApplyTo(vcpu);
    }
}
