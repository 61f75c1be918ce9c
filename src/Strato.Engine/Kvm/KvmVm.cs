using System;
using System.Collections.Generic;
using Strato.Engine.Linux;

namespace Strato.Engine.Kvm;

/// <summary>A VM of the kernel: memory slots, interrupt controllers, event descriptors, vCPUs.</summary>
internal sealed unsafe class KvmVm(KvmSystem system, FileDescriptor vm) : IDisposable
{
    /// <summary>Chips of KVM_GET_IRQCHIP: two PICs and the IOAPIC.</summary>
    public const int IrqchipCount = 3;

    private readonly Dictionary<int, FileDescriptor> _unmapped = [];

    /// <summary>Where KVM keeps the three pages of a task-state segment for guests in real mode. Below 4 GiB, outside RAM.</summary>
    public void SetTssAddress(uint address) =>
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_SET_TSS_ADDR, (nint)address), "KVM_SET_TSS_ADDR");

    /// <summary>Where KVM keeps the identity page table for guests in real mode. Before the first vCPU.</summary>
    public void SetIdentityMapAddress(ulong address) =>
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_SET_IDENTITY_MAP_ADDR, &address), "KVM_SET_IDENTITY_MAP_ADDR");

    /// <summary>Two PICs, the IOAPIC, and a local APIC for each vCPU made after this.</summary>
    public void CreateIrqchip() => Check(Libc.ioctl(vm.Value, KvmAbi.KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");

    /// <summary>The PIT, with port 0x61 answered by the kernel.</summary>
    public void CreatePit()
    {
        KvmPitConfig config = new() { Flags = KvmAbi.KVM_PIT_SPEAKER_DUMMY };
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_CREATE_PIT2, &config), "KVM_CREATE_PIT2");
    }

    /// <summary>Puts host memory at a guest-physical address.</summary>
    public void SetMemoryRegion(uint slot, ulong guestAddress, ulong length, nint hostAddress)
    {
        KvmMemoryRegion region = new()
        {
            Slot = slot,
            GuestPhysicalAddress = guestAddress,
            MemorySize = length,
            UserspaceAddress = (ulong)hostAddress,
        };
        Check(
            Libc.ioctl(vm.Value, KvmAbi.KVM_SET_USER_MEMORY_REGION, &region),
            $"KVM_SET_USER_MEMORY_REGION of {length} bytes at 0x{guestAddress:x}");
    }

    /// <summary>From now on a signal of the eventfd is an edge on the GSI.</summary>
    public void AssignIrqfd(int eventFd, uint gsi)
    {
        KvmIrqfd request = new() { Fd = (uint)eventFd, Gsi = gsi };
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_IRQFD, &request), $"KVM_IRQFD of GSI {gsi}");
    }

    /// <summary>Asserts a GSI of the interrupt controllers, or takes that back.</summary>
    public void SetInterruptLevel(uint gsi, bool asserted)
    {
        KvmIrqLevel level = new() { Irq = gsi, Level = asserted ? 1u : 0 };
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_IRQ_LINE, &level), $"KVM_IRQ_LINE of GSI {gsi}");
    }

    /// <summary>From now on a guest's 4-byte write of <paramref name="value"/> at the address signals the eventfd, without an exit.</summary>
    public void AssignIoeventfd(ulong address, uint value, int eventFd) => Ioeventfd(address, value, eventFd, 0);

    public void DeassignIoeventfd(ulong address, uint value, int eventFd) =>
        Ioeventfd(address, value, eventFd, KvmAbi.KVM_IOEVENTFD_FLAG_DEASSIGN);

    /// <summary>What KVM counts for it; null where the kernel doesn't tell.</summary>
    public KvmStatistics? OpenStatistics() => KvmStatistics.TryOpen(vm.Value);

    /// <summary>Makes a vCPU whose APIC id is <paramref name="apicId"/>. Where that fails halfway it may be called again.</summary>
    /// <exception cref="LinuxException">The host refuses.</exception>
    public KvmVcpu CreateVcpu(int apicId) => CreateVcpu(apicId, system.VcpuMapSize);

    /// <param name="apicId">The vCPU's.</param>
    /// <param name="mapSize">Bytes of its page of exits.</param>
    internal KvmVcpu CreateVcpu(int apicId, int mapSize)
    {
        // KVM makes a vCPU once and never forgets it: one whose page couldn't be mapped waits here to be used again.
        if (!_unmapped.Remove(apicId, out FileDescriptor? made))
        {
            int fd = Libc.ioctl(vm.Value, KvmAbi.KVM_CREATE_VCPU, apicId);
            made = fd >= 0 ? new FileDescriptor(fd) : throw LinuxException.Last($"KVM_CREATE_VCPU of APIC id {apicId}");
        }

        try
        {
            return new KvmVcpu(made, mapSize);
        }
        catch (LinuxException)
        {
            _unmapped.Add(apicId, made);
            throw;
        }
    }

    public void GetIrqchip(uint chipId, out KvmIrqchip state)
    {
        state = new KvmIrqchip { ChipId = chipId };
        fixed (KvmIrqchip* pointer = &state)
        {
            Check(Libc.ioctl(vm.Value, KvmAbi.KVM_GET_IRQCHIP, pointer), "KVM_GET_IRQCHIP");
        }
    }

    public void SetIrqchip(ref KvmIrqchip state)
    {
        fixed (KvmIrqchip* pointer = &state)
        {
            Check(Libc.ioctl(vm.Value, KvmAbi.KVM_SET_IRQCHIP, pointer), "KVM_SET_IRQCHIP");
        }
    }

    public void GetPit(out KvmPit state)
    {
        fixed (KvmPit* pointer = &state)
        {
            Check(Libc.ioctl(vm.Value, KvmAbi.KVM_GET_PIT2, pointer), "KVM_GET_PIT2");
        }
    }

    public void SetPit(ref KvmPit state)
    {
        fixed (KvmPit* pointer = &state)
        {
            Check(Libc.ioctl(vm.Value, KvmAbi.KVM_SET_PIT2, pointer), "KVM_SET_PIT2");
        }
    }

    /// <summary>The guest's kvmclock now, in nanoseconds.</summary>
    public ulong GetClock()
    {
        KvmClockData data;
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_GET_CLOCK, &data), "KVM_GET_CLOCK");
        return data.Clock;
    }

    /// <summary>Lets the guest's kvmclock go on from <paramref name="nanoseconds"/>. With no vCPU in the guest.</summary>
    public void SetClock(ulong nanoseconds)
    {
        KvmClockData data = new() { Clock = nanoseconds };
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_SET_CLOCK, &data), "KVM_SET_CLOCK");
    }

    public void Dispose()
    {
        foreach (FileDescriptor vcpu in _unmapped.Values)
        {
            vcpu.Dispose();
        }

        _unmapped.Clear();
        vm.Dispose();
    }

    private static void Check(int result, string call)
    {
        if (result < 0)
        {
            throw LinuxException.Last(call);
        }
    }

    private void Ioeventfd(ulong address, uint value, int eventFd, uint flags)
    {
        KvmIoeventfd request = new()
        {
            Address = address,
            DataMatch = value,
            Length = 4,
            Fd = eventFd,
            Flags = KvmAbi.KVM_IOEVENTFD_FLAG_DATAMATCH | flags,
        };
        Check(Libc.ioctl(vm.Value, KvmAbi.KVM_IOEVENTFD, &request), $"KVM_IOEVENTFD at 0x{address:x}");
    }
}
