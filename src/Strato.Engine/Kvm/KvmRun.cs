using System.Runtime.InteropServices;

namespace Strato.Engine.Kvm;

/// <summary>The head of struct kvm_run, which the kernel shares with the vCPU's thread.</summary>
/// <remarks>
/// <code>
///  0  request_interrupt_window  immediate_exit  padding[6]
///  8  exit_reason               ready_for_interrupt_injection, if_flag, flags
/// 16  cr8
/// 24  apic_base
/// 32  union, by exit_reason:
///       IO              direction u8, size u8, port u16, count u32, data_offset u64
///       MMIO            phys_addr u64, data u8[8], len u32, is_write u8
///       FAIL_ENTRY      hardware_entry_failure_reason u64, cpu u32
///       INTERNAL_ERROR  suberror u32, ndata u32, data u64[16]
///       SYSTEM_EVENT    type u32, ndata u32, data u64[16]
/// </code>
/// </remarks>
[StructLayout(LayoutKind.Explicit)]
internal unsafe struct KvmRun
{
    [FieldOffset(1)]
    public byte ImmediateExit;

    [FieldOffset(8)]
    public uint ExitReason;

    [FieldOffset(32)]
    public byte IoDirection;

    [FieldOffset(33)]
    public byte IoSize;

    [FieldOffset(34)]
    public ushort IoPort;

    [FieldOffset(36)]
    public uint IoCount;

    [FieldOffset(40)]
    public ulong IoDataOffset;

    [FieldOffset(32)]
    public ulong MmioAddress;

    [FieldOffset(40)]
    public fixed byte MmioData[8];

    [FieldOffset(48)]
    public uint MmioLength;

    [FieldOffset(52)]
    public byte MmioIsWrite;

    [FieldOffset(32)]
    public ulong FailEntryReason;

    [FieldOffset(32)]
    public uint InternalSuberror;

    [FieldOffset(32)]
    public uint SystemEventType;
}
