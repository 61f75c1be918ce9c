using System;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Machine;

public class PowerOnStateTests
{
    [Fact]
    public void AResetVcpuEqualsAFreshOne()
    {
        // mov ax, 0x1234; mov ds, ax; out 0x10, al; hlt
        using PayloadVm vm = new([0xB8, 0x34, 0x12, 0x8E, 0xD8, 0xE6, 0x10, 0xF4]);
        KvmVcpu vcpu = vm.Threads[0].Vcpu;
        using KvmVm freshVm = vm.System.CreateVm();
        freshVm.CreateIrqchip();
        using KvmVcpu fresh = freshVm.CreateVcpu(0);
        fresh.SetCpuid(vm.Cpuid);
        fresh.GetSregs(out KvmSregs expectedSregs);
        fresh.GetRegs(out KvmRegs expectedRegs);
        fresh.GetLapic(out KvmLapic expectedLapic);

        // What a guest leaves behind: kvmclock enabled, a long-mode syscall entry, a masked APIC.
        KvmMsr[] dirty = [new(0x4b564d01, 0x3001), new(0xC0000082, 0xffffffff81000000), new(0x277, 0x0007010600070106)];
        Assert.Equal(3, vcpu.SetMsrs(dirty));
        using ManualResetEventSlim written = new();
        vm.Ports.Attach(0x10, 1, new Signal(() =>
        {
            vm.Threads[0].ParkSelf();
            written.Set();
        }));
        vm.Threads[0].Start();
        vm.Threads[0].Unpark();
        Assert.True(written.Wait(TimeSpan.FromSeconds(20)));
        vm.Threads[0].WaitParked();

        PowerOnState state = new(vm.System, vm.Cpuid);
        state.ApplyTo(vm.Vm);
        state.ApplyTo(vcpu, apicId: 0);

        vcpu.GetSregs(out KvmSregs sregs);
        vcpu.GetRegs(out KvmRegs regs);
        vcpu.GetLapic(out KvmLapic lapic);
        KvmMsr[] clean = [new(0x4b564d01, 1), new(0xC0000082, 1)];
        Assert.Equal(2, vcpu.GetMsrs(clean));
        Assert.Equal(0UL, clean[0].Data);
        Assert.Equal(0UL, clean[1].Data);
        Assert.Equal(expectedRegs.Rip, regs.Rip);
        Assert.Equal(expectedRegs.Rflags, regs.Rflags);
        Assert.Equal(0UL, regs.Rax);
        Assert.Equal(expectedSregs.Cs.Base, sregs.Cs.Base);
        Assert.Equal(expectedSregs.Ds.Selector, sregs.Ds.Selector);
        Assert.Equal(expectedSregs.Cr0, sregs.Cr0);
        Assert.Equal(expectedSregs.ApicBase, sregs.ApicBase);
        Assert.True(((ReadOnlySpan<byte>)lapic).SequenceEqual(expectedLapic), "the local APIC is as at power-on");
    }

    private sealed class Signal(Action action) : IBusDevice
    {
        public void Read(ulong offset, Span<byte> data) => data.Clear();

        public void Write(ulong offset, ReadOnlySpan<byte> data) => action();
    }
}
