using System;
using System.Collections.Generic;
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
    private readonly KvmIrqchip[] _irqchips = new KvmIrqchip[KvmVm.IrqchipCount];
    private readonly KvmMsr[] _msrs;
    private KvmPit _pit;
    private KvmRegs _regs;
    private KvmSregs _sregs;
    private KvmLapic _lapic;
    private KvmVcpuEvents _events;
    private KvmDebugRegs _debugRegs;
    private KvmXsave _xsave;
    private KvmXcrs _xcrs;
    private KvmNestedState? _nested;

    /// <param name="system">The host's KVM.</param>
    /// <param name="cpuid">The guest's CPUID, which decides the MSRs that there are.</param>
    public PowerOnState(KvmSystem system, ReadOnlySpan<KvmCpuidEntry> cpuid)
    {
        using KvmVm vm = system.CreateVm();
        vm.CreateIrqchip();
        vm.CreatePit();
        for (uint chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            vm.GetIrqchip(chip, out _irqchips[chip]);
        }

        vm.GetPit(out _pit);
        using KvmVcpu vcpu = vm.CreateVcpu(0);
        vcpu.SetCpuid(cpuid);
        vcpu.GetRegs(out _regs);
        vcpu.GetSregs(out _sregs);
        vcpu.GetLapic(out _lapic);
        vcpu.GetEvents(out _events);
        vcpu.GetDebugRegs(out _debugRegs);
        vcpu.GetXsave(out _xsave);
        vcpu.GetXcrs(out _xcrs);
        if (system.CheckExtension(KvmAbi.KVM_CAP_NESTED_STATE) > 0)
        {
            vcpu.GetNestedState(out KvmNestedState nested);
            _nested = nested;
        }

        _msrs = ReadMsrs(system, vcpu);
    }

    /// <summary>Resets the chips that all vCPUs share. With all vCPUs parked.</summary>
    public void ApplyTo(KvmVm vm)
    {
        for (int chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            vm.SetIrqchip(ref _irqchips[chip]);
        }

        vm.SetPit(ref _pit);
    }

    /// <summary>Resets one vCPU, parked: the boot processor (APIC id 0) ready to run, the others waiting for their start-up IPI.</summary>
    public void ApplyTo(KvmVcpu vcpu, int apicId)
    {
        bool isBootProcessor = apicId == 0;
        KvmSregs sregs = _sregs;
        sregs.ApicBase = isBootProcessor
            ? sregs.ApicBase | KvmAbi.ApicBaseBootProcessor
            : sregs.ApicBase & ~KvmAbi.ApicBaseBootProcessor;
        KvmLapic lapic = _lapic;
        lapic[0x23] = (byte)apicId; // APIC ID register (offset 0x20): the id is its highest byte.

        // First out of the guest's modes (VMX operation or a guest of its own, paging, x2APIC), then MSRs that depend on them.
        // In VMX operation KVM refuses a CR4 without VMXE, and in a guest's guest the registers would be that one's.
        vcpu.SetMpState(KvmAbi.KVM_MP_STATE_RUNNABLE);
        if (_nested is { } nested)
        {
            vcpu.SetNestedState(ref nested);
        }

        vcpu.SetSregs(ref sregs);
        vcpu.SetRegs(ref _regs);
        if ((uint)_xcrs[0] != 0)
        {
            // nr_xcrs: a processor without XSAVE has none, and KVM refuses to set none.
            vcpu.SetXcrs(ref _xcrs);
        }

        vcpu.SetXsave(ref _xsave);
        vcpu.SetDebugRegs(ref _debugRegs);
        WriteMsrs(vcpu);
        vcpu.SetLapic(ref lapic);
        vcpu.SetEvents(ref _events);
        vcpu.SetMpState(isBootProcessor ? KvmAbi.KVM_MP_STATE_RUNNABLE : KvmAbi.KVM_MP_STATE_UNINITIALIZED);
    }

    private static KvmMsr[] ReadMsrs(KvmSystem system, KvmVcpu vcpu)
    {
        List<KvmMsr> readable = [];
        Span<KvmMsr> one = stackalloc KvmMsr[1];
        foreach (uint index in system.GetMsrIndexList())
        {
            // KVM takes a zero as "in step with the other vCPUs" (kvm_synchronize_tsc): the counter goes on, and Linux recalibrates.
            // It has to be written: on AMD a guest's triple fault clears the VMCB with its TSC offset in it, and a vCPU whose
            // counter is ahead of the others' makes kvmclock stand still for as long.
            if (index == TimeStampCounter)
            {
                readable.Add(new KvmMsr(index, 0));
                continue;
            }

            // KVM lists MSRs that this CPUID doesn't have; those can't be read, and so need no reset.
            one[0] = new KvmMsr(index, 0);
            if (vcpu.GetMsrs(one) == 1)
            {
                readable.Add(one[0]);
            }
        }

        return [.. readable];
    }

    private const uint TimeStampCounter = 0x10;

    private void WriteMsrs(KvmVcpu vcpu)
    {
        // The kernel stops at the first MSR it refuses (read-only ones): step over it and go on.
        for (int done = 0; done < _msrs.Length;)
        {
            done += vcpu.SetMsrs(_msrs.AsSpan(done)) + 1;
        }
    }
}
