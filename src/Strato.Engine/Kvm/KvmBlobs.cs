using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Strato.Engine.Kvm;

/// <summary>struct kvm_lapic_state: the local APIC's register page, each register in the first 4 of 16 bytes.</summary>
[InlineArray(1024)]
internal struct KvmLapic
{
    private byte _element;
}

/// <summary>struct kvm_irqchip: which chip, and 512 bytes of its state.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqchip
{
    /// <summary>0 the first PIC, 1 the second, 2 the IOAPIC.</summary>
    public uint ChipId;
    public uint Padding;
    public Buffer State;

    [InlineArray(64)]
    internal struct Buffer
    {
        private ulong _element;
    }
}

/// <summary>struct kvm_pit_state2.</summary>
[InlineArray(112)]
internal struct KvmPit
{
    private byte _element;
}

/// <summary>struct kvm_vcpu_events.</summary>
[InlineArray(64)]
internal struct KvmVcpuEvents
{
    private byte _element;
}

/// <summary>struct kvm_debugregs.</summary>
[InlineArray(16)]
internal struct KvmDebugRegs
{
    private ulong _element;
}

/// <summary>struct kvm_xcrs.</summary>
[InlineArray(49)]
internal struct KvmXcrs
{
    private ulong _element;
}

/// <summary>struct kvm_xsave: the first 4 KiB of the extended state.</summary>
[InlineArray(512)]
internal struct KvmXsave
{
    private ulong _element;
}

/// <summary>struct kvm_nested_state without its data: all there is of a vCPU that has not entered VMX operation or a guest of its own.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmNestedState
{
    public ushort Flags;
    public ushort Format;
    public uint Size;
    public Buffer Header;

    [InlineArray(15)]
    internal struct Buffer
    {
        private ulong _element;
    }
}

/// <summary>struct kvm_userspace_memory_region.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMemoryRegion
{
    public uint Slot;
    public uint Flags;
    public ulong GuestPhysicalAddress;
    public ulong MemorySize;
    public ulong UserspaceAddress;
}

/// <summary>struct kvm_irqfd: an eventfd whose signal is an edge on a GSI.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct KvmIrqfd
{
    public uint Fd;
    public uint Gsi;
    public uint Flags;
    public uint ResampleFd;
}

/// <summary>struct kvm_irq_level: whether a GSI is asserted.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmIrqLevel
{
    public uint Irq;
    public uint Level;
}

/// <summary>struct kvm_ioeventfd: an eventfd that a guest's write signals.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct KvmIoeventfd
{
    public ulong DataMatch;
    public ulong Address;
    public uint Length;
    public int Fd;
    public uint Flags;
}

/// <summary>struct kvm_pit_config.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct KvmPitConfig
{
    public uint Flags;
}

/// <summary>struct kvm_clock_data: what the guest's kvmclock reads, in nanoseconds.</summary>
[StructLayout(LayoutKind.Sequential, Size = 48)]
internal struct KvmClockData
{
    public ulong Clock;
    public uint Flags;
}
