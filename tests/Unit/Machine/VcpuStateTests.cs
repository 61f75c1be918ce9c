using System;
using System.Linq;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A real vCPU's state: read, set in another, and read again.</summary>
public sealed class VcpuStateTests
{
    /// <summary>Those that go on by themselves, or that each read changes: the counter, and what follows from it.</summary>
    private static readonly uint[] Moving = [VcpuState.TimeStampCounter, 0x6E0, 0x3B, 0xE7, 0xE8];

    [Fact]
    public void AStateThatIsSetIsReadAgain()
    {
        using PayloadVm vm = new([0xF4]);
        KvmVcpu vcpu = vm.Threads[0].Vcpu;
        uint[] msrs = VcpuState.ListMsrs(vm.System);
        Dirty(vcpu);
        VcpuState first = VcpuState.Read(vm.System, vcpu, msrs, hasNested: true);
        using KvmVm other = vm.System.CreateVm();
        other.SetIdentityMapAddress(0xFEF0_C000);
        other.SetTssAddress(0xFEF0_D000);
        other.CreateIrqchip();
        other.CreatePit();
        using KvmVcpu fresh = other.CreateVcpu(0);
        fresh.SetCpuid(vm.Cpuid);
        VcpuState parsed = Parse(Write(first));
        Assert.Null(parsed.MatchTsc(vm.System, fresh));
        Assert.Null(parsed.ApplyTo(fresh));
        VcpuState second = VcpuState.Read(vm.System, fresh, msrs, hasNested: true);
        AssertSame(first, second);
        fresh.GetRegs(out KvmRegs regs);
        Assert.Equal((0x1122334455667788ul, 0x1000ul), (regs.R15, regs.Rip));

        // Once more over what is there, as a second restore would.
        Assert.Null(parsed.ApplyTo(fresh));
        AssertSame(first, VcpuState.Read(vm.System, fresh, msrs, hasNested: true));
    }

    /// <summary>The guest itself goes on in the other vCPU with what it had in its registers.</summary>
    [Fact]
    public void TheGuestGoesOnInAnother()
    {
        // mov ax, 0x1234; mov ds, ax; out 0x10, al; add ax, 1; out 0x11, ax; hlt
        byte[] code = [0xB8, 0x34, 0x12, 0x8E, 0xD8, 0xE6, 0x10, 0x83, 0xC0, 0x01, 0xE7, 0x11, 0xF4];
        VcpuState state;
        KvmCpuidEntry[] cpuid;
        using (PayloadVm vm = new(code))
        {
            using ManualResetEventSlim there = new();
            vm.Ports.Attach(0x10, 1, new Port(_ =>
            {
                vm.Threads[0].ParkSelf();
                there.Set();
            }));
            vm.Threads[0].Start();
            vm.Threads[0].Unpark();
            Assert.True(there.Wait(TimeSpan.FromSeconds(20)));
            vm.Threads[0].WaitParked();
            cpuid = vm.Cpuid;
            state = Parse(Write(VcpuState.Read(vm.System, vm.Threads[0].Vcpu, VcpuState.ListMsrs(vm.System), hasNested: true)));
        }

        Assert.NotEmpty(cpuid);
        using PayloadVm next = new(code);
        Assert.Null(state.ApplyTo(next.Threads[0].Vcpu));
        using ManualResetEventSlim told = new();
        int value = 0;
        next.Ports.Attach(0x11, 2, new Port(data =>
        {
            value = BitConverter.ToUInt16(data);
            next.Threads[0].ParkSelf();
            told.Set();
        }));
        next.Threads[0].Start();
        next.Threads[0].Unpark();
        Assert.True(told.Wait(TimeSpan.FromSeconds(20)));
        next.Threads[0].WaitParked();
        Assert.Equal(0x1235, value);
        next.Threads[0].Vcpu.GetSregs(out KvmSregs sregs);
        Assert.Equal(0x1234, sregs.Ds.Selector);
    }

    [Fact]
    public void TheInterruptControllersAreReadAgain()
    {
        using PayloadVm vm = new([0xF4]);
        InterruptState first = InterruptState.Read(vm.Vm);
        byte[] bytes = Write(first);
        using PayloadVm other = new([0xF4]);
        StateReader reader = new SnapshotSection("interrupts", 1, bytes).Read();
        InterruptState.Parse(reader).ApplyTo(other.Vm);
        reader.End();
        Assert.Equal(bytes.Length, Write(InterruptState.Read(other.Vm)).Length);

        // Chips in another order are none: the first begins behind its length with its number.
        bytes[4] ^= 1;
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => InterruptState.Parse(new SnapshotSection("interrupts", 1, bytes).Read())).Id);
    }

    /// <summary>Linux measures a processor's speed a little differently at each boot: as much as guests' clocks bear is the same.</summary>
    [Fact]
    public void ACounterOfAnotherSpeedIsScaledOrRefused()
    {
        Assert.Null(VcpuState.SpeedFor(2_000_000, 2_000_499, () => false));
        Assert.Null(VcpuState.SpeedFor(2_000_000, 1_999_501, () => false));
        Assert.Null(VcpuState.SpeedFor(0, 2_000_000, () => false));
        Assert.Null(VcpuState.SpeedFor(2_000_000, 0, () => false));
        Assert.Equal(3_000_000, VcpuState.SpeedFor(3_000_000, 2_000_000, () => true));
        Assert.Equal(1_000_000, VcpuState.SpeedFor(1_000_000, 2_000_000, () => true));

        // Linux takes a higher speed also where it can't scale, and a lower one neither.
        Assert.All((uint[])[3_000_000, 1_000_000, 2_000_501, uint.MaxValue], saved =>
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => VcpuState.SpeedFor(saved, 2_000_000, () => saved > int.MaxValue));
            Assert.Equal(("SnapshotMismatch", $"The snapshot's processor counts {saved / 1000} million cycles a second and this host's 2000, which this host's can't be scaled to."), (error.Id, error.Message));
        });
    }

    /// <summary>Of a guest that can't have guests of its own nothing is kept of them: a host whose KVM keeps none takes it.</summary>
    [Fact]
    public void WithoutVirtualizationThereIsNoNestedState()
    {
        using PayloadVm vm = new([0xF4]);
        KvmVcpu vcpu = vm.Threads[0].Vcpu;
        uint[] msrs = VcpuState.ListMsrs(vm.System);
        byte[] without = Write(VcpuState.Read(vm.System, vcpu, msrs, hasNested: false));
        Assert.Equal(0, BitConverter.ToInt32(without, without.Length - 4));
        byte[] with = Write(VcpuState.Read(vm.System, vcpu, msrs, hasNested: true));
        Assert.Equal(vm.System.CheckExtension(KvmAbi.KVM_CAP_NESTED_STATE) > 0, with.Length > without.Length);

        // One that an older engine saved.
        VcpuState older = Parse(with);
        older.ForgetNested();
        Assert.Equal(without.Length, Write(older).Length);
        Assert.Null(older.ApplyTo(vcpu));
    }

    [Fact]
    public void WhatIsCutIsDamaged()
    {
        using PayloadVm vm = new([0xF4]);
        byte[] bytes = Write(VcpuState.Read(vm.System, vm.Threads[0].Vcpu, VcpuState.ListMsrs(vm.System), hasNested: true));
        for (int length = 0; length < bytes.Length; length += 61)
        {
            Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => Parse(bytes[..length])).Id);
        }
    }

    private static void Dirty(KvmVcpu vcpu)
    {
        KvmMsr[] msrs = [new(0x4b564d01, 0x3001), new(0xC0000082, 0xffffffff81000000), new(0x277, 0x0007010600070106), new(0x174, 0x10)];
        Assert.Equal(4, vcpu.SetMsrs(msrs));
        vcpu.GetRegs(out KvmRegs regs);
        regs.R15 = 0x1122334455667788;
        regs.Rflags = 0x246;
        vcpu.SetRegs(ref regs);
    }

    private static void AssertSame(VcpuState first, VcpuState second)
    {
        Assert.Equal(Fixed(first), Fixed(second));

        // All else, with the MSRs that move made equal.
        Assert.Equal(Convert.ToHexString(Still(first)), Convert.ToHexString(Still(second)));
    }

    private static (uint, ulong)[] Fixed(VcpuState state) =>
        [.. state.Msrs.ToArray().Where(msr => !Moving.Contains(msr.Index)).Select(msr => (msr.Index, msr.Data))];

    private static byte[] Still(VcpuState state)
    {
        VcpuState copy = Parse(Write(state));
        copy.SetTimeStampCounter(0);
        copy.MpState = 0;
        byte[] bytes = Write(copy);
        foreach (KvmMsr msr in copy.Msrs)
        {
            if (Moving.Contains(msr.Index))
            {
                byte[] entry = [.. BitConverter.GetBytes(msr.Index), 0, 0, 0, 0];
                int at = bytes.AsSpan().LastIndexOf(entry);
                bytes.AsSpan(at + 8, 8).Clear();
            }
        }

        return bytes;
    }

    private static byte[] Write(VcpuState state)
    {
        StateWriter writer = new();
        state.Write(writer);
        return writer.ToSection("cpu 0").Data.ToArray();
    }

    private static byte[] Write(InterruptState state)
    {
        StateWriter writer = new();
        state.Write(writer);
        return writer.ToSection("interrupts").Data.ToArray();
    }

    private static VcpuState Parse(byte[] bytes)
    {
        StateReader reader = new SnapshotSection("cpu 0", 1, bytes).Read();
        VcpuState state = VcpuState.Parse(reader);
        reader.End();
        return state;
    }

    private sealed class Port(Action<byte[]> written) : IBusDevice
    {
        public void Read(ulong offset, Span<byte> data) => data.Clear();

        public void Write(ulong offset, ReadOnlySpan<byte> data) => written(data.ToArray());
    }
}
