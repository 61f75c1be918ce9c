using System;
using Strato.Engine.Bus;
using Strato.Engine.Kvm;
using Strato.Engine.Linux;
using Strato.Engine.Machine;
using Strato.Engine.Memory;
using Xunit;

namespace Strato.Tests.Unit.Machine;

/// <summary>A VM of 2 MiB that runs a few bytes of real-mode code: what any /dev/kvm can do, an emulating one too.</summary>
internal sealed class PayloadVm : IDisposable, IVcpuEvents
{
    public const ushort CodeAddress = 0x1000;

    private readonly KvmSystem _system;

    public PayloadVm(ReadOnlySpan<byte> code, int cpus = 1)
    {
        _system = OpenOrSkip();
        Memory = GuestMemory.Allocate([(0, 2 << 20)]);
        Memory.TryWrite(CodeAddress, code);
        Vm = _system.CreateVm();
        Vm.SetIdentityMapAddress(0xFEF0_C000);
        Vm.SetTssAddress(0xFEF0_D000);
        Vm.CreateIrqchip();
        Vm.CreatePit();
        Vm.SetMemoryRegion(0, 0, Memory.Size, Memory.Regions[0].HostAddress);
        Cpuid = _system.GetSupportedCpuid();
        Threads = new VcpuThread[cpus];
        for (int i = 0; i < cpus; i++)
        {
            KvmVcpu vcpu = Vm.CreateVcpu(i);
            vcpu.SetCpuid(Cpuid);
            PointAtCode(vcpu);
            vcpu.SetMpState(KvmAbi.KVM_MP_STATE_RUNNABLE);
            Threads[i] = new VcpuThread(i, vcpu, Ports, Mmio, this);
        }
    }

    public KvmSystem System => _system;

    public KvmVm Vm { get; }

    public KvmCpuidEntry[] Cpuid { get; }

    public GuestMemory Memory { get; }

    public AddressSpace Ports { get; } = new("ports");

    public AddressSpace Mmio { get; } = new("memory");

    public VcpuThread[] Threads { get; }

    public Action<int> TripleFault { get; set; } = _ => { };

    public Action<string> Failure { get; set; } = _ => { };

    public static void PointAtCode(KvmVcpu vcpu)
    {
        vcpu.GetSregs(out KvmSregs sregs);
        sregs.Cs.Base = 0;
        sregs.Cs.Selector = 0;
        vcpu.SetSregs(ref sregs);
        KvmRegs regs = new() { Rip = CodeAddress, Rsp = 0x8000, Rflags = 2 };
        vcpu.SetRegs(ref regs);
    }

    public void OnTripleFault(int index) => TripleFault(index);

    public void OnFailure(int index, string reason) => Failure(reason);

    public void Dispose()
    {
        foreach (VcpuThread thread in Threads)
        {
            thread.Dispose();
        }

        Vm.Dispose();
        Memory.Dispose();
        _system.Dispose();
    }

    public static KvmSystem OpenOrSkip()
    {
        try
        {
            return KvmSystem.Open();
        }
        catch (LinuxException error)
        {
            Assert.Skip($"needs /dev/kvm: {error.Message}");
            throw;
        }
    }
}
