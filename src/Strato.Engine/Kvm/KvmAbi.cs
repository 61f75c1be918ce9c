namespace Strato.Engine.Kvm;

/// <summary>Requests and constants of <c>linux/kvm.h</c>, with its names. Proven against the header by tests/Unit/Abi.</summary>
internal static class KvmAbi
{
    public const int KVM_API_VERSION = 12;

    // System requests.
    public const uint KVM_GET_API_VERSION = 0xAE00;
    public const uint KVM_CREATE_VM = 0xAE01;
    public const uint KVM_GET_MSR_INDEX_LIST = 0xC004AE02;
    public const uint KVM_CHECK_EXTENSION = 0xAE03;
    public const uint KVM_GET_VCPU_MMAP_SIZE = 0xAE04;
    public const uint KVM_GET_SUPPORTED_CPUID = 0xC008AE05;

    // VM requests.
    public const uint KVM_CREATE_VCPU = 0xAE41;
    public const uint KVM_SET_USER_MEMORY_REGION = 0x4020AE46;
    public const uint KVM_SET_TSS_ADDR = 0xAE47;
    public const uint KVM_SET_IDENTITY_MAP_ADDR = 0x4008AE48;
    public const uint KVM_CREATE_IRQCHIP = 0xAE60;
    public const uint KVM_GET_IRQCHIP = 0xC208AE62;
    public const uint KVM_SET_IRQCHIP = 0x8208AE63;
    public const uint KVM_IRQ_LINE = 0x4008AE61;
    public const uint KVM_IRQFD = 0x4020AE76;
    public const uint KVM_CREATE_PIT2 = 0x4040AE77;
    public const uint KVM_IOEVENTFD = 0x4040AE79;
    public const uint KVM_SET_CLOCK = 0x4030AE7B;
    public const uint KVM_GET_CLOCK = 0x8030AE7C;
    public const uint KVM_GET_PIT2 = 0x8070AE9F;
    public const uint KVM_SET_PIT2 = 0x4070AEA0;

    // vCPU requests.
    public const uint KVM_RUN = 0xAE80;
    public const uint KVM_GET_REGS = 0x8090AE81;
    public const uint KVM_SET_REGS = 0x4090AE82;
    public const uint KVM_GET_SREGS = 0x8138AE83;
    public const uint KVM_SET_SREGS = 0x4138AE84;
    public const uint KVM_GET_MSRS = 0xC008AE88;
    public const uint KVM_SET_MSRS = 0x4008AE89;
    public const uint KVM_GET_LAPIC = 0x8400AE8E;
    public const uint KVM_SET_LAPIC = 0x4400AE8F;
    public const uint KVM_SET_CPUID2 = 0x4008AE90;
    public const uint KVM_NMI = 0xAE9A;
    public const uint KVM_GET_MP_STATE = 0x8004AE98;
    public const uint KVM_SET_MP_STATE = 0x4004AE99;
    public const uint KVM_GET_VCPU_EVENTS = 0x8040AE9F;
    public const uint KVM_SET_VCPU_EVENTS = 0x4040AEA0;
    public const uint KVM_GET_DEBUGREGS = 0x8080AEA1;
    public const uint KVM_SET_DEBUGREGS = 0x4080AEA2;
    public const uint KVM_GET_XSAVE = 0x9000AEA4;
    public const uint KVM_SET_XSAVE = 0x5000AEA5;
    public const uint KVM_GET_XCRS = 0x8188AEA6;
    public const uint KVM_SET_XCRS = 0x4188AEA7;
    public const uint KVM_SET_TSC_KHZ = 0xAEA2;
    public const uint KVM_GET_TSC_KHZ = 0xAEA3;
    public const uint KVM_KVMCLOCK_CTRL = 0xAEAD;
    public const uint KVM_GET_NESTED_STATE = 0xC080AEBE;
    public const uint KVM_SET_NESTED_STATE = 0x4080AEBF;

    // Of a VM and of a vCPU.
    public const uint KVM_GET_STATS_FD = 0xAECE;

    // Capabilities the engine asks for.
    public const int KVM_CAP_IRQCHIP = 0;
    public const int KVM_CAP_USER_MEMORY = 3;
    public const int KVM_CAP_EXT_CPUID = 7;
    public const int KVM_CAP_MP_STATE = 14;
    public const int KVM_CAP_IRQFD = 32;
    public const int KVM_CAP_PIT2 = 33;
    public const int KVM_CAP_PIT_STATE2 = 35;
    public const int KVM_CAP_IOEVENTFD = 36;
    public const int KVM_CAP_ADJUST_CLOCK = 39;
    public const int KVM_CAP_VCPU_EVENTS = 41;
    public const int KVM_CAP_DEBUGREGS = 50;
    public const int KVM_CAP_XSAVE = 55;
    public const int KVM_CAP_XCRS = 56;
    public const int KVM_CAP_TSC_CONTROL = 60;
    public const int KVM_CAP_MAX_VCPUS = 66;
    public const int KVM_CAP_TSC_DEADLINE_TIMER = 72;
    public const int KVM_CAP_IMMEDIATE_EXIT = 136;
    public const int KVM_CAP_NESTED_STATE = 157;

    // Exit reasons.
    public const uint KVM_EXIT_UNKNOWN = 0;
    public const uint KVM_EXIT_IO = 2;
    public const uint KVM_EXIT_HLT = 5;
    public const uint KVM_EXIT_MMIO = 6;
    public const uint KVM_EXIT_SHUTDOWN = 8;
    public const uint KVM_EXIT_FAIL_ENTRY = 9;
    public const uint KVM_EXIT_INTR = 10;
    public const uint KVM_EXIT_INTERNAL_ERROR = 17;
    public const uint KVM_EXIT_SYSTEM_EVENT = 24;

    public const byte KVM_EXIT_IO_OUT = 1;

    public const uint KVM_MP_STATE_RUNNABLE = 0;
    public const uint KVM_MP_STATE_UNINITIALIZED = 1;

    public const uint KVM_PIT_SPEAKER_DUMMY = 1;
    public const uint KVM_IOEVENTFD_FLAG_DATAMATCH = 1;
    public const uint KVM_IOEVENTFD_FLAG_DEASSIGN = 4;

    public const uint KVM_STATS_TYPE_LINEAR_HIST = 3;
    public const uint KVM_STATS_TYPE_MASK = 0xF;
    public const uint KVM_STATS_UNIT_BOOLEAN = 0x40;
    public const uint KVM_STATS_UNIT_MASK = 0xF0;

    /// <summary>Vendor-neutral MSR of the APIC's base: bit 8 marks the boot processor.</summary>
    public const ulong ApicBaseBootProcessor = 1 << 8;
}
