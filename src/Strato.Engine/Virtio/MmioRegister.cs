namespace Strato.Engine.Virtio;

/// <summary>Registers of virtio over MMIO, version 2 (VIRTIO 1.2, 4.2.2; <c>linux/virtio_mmio.h</c>). R read, W write.</summary>
/// <remarks>
/// <code>
/// 000 R  magic            030  W queue select       060 R  interrupt status    0ac  W shared memory select
/// 004 R  version          034 R  queue size max     064  W interrupt ack       0b0 R  shared memory length, 64 bits
/// 008 R  device type      038  W queue size         070 RW status              0b8 R  shared memory base, 64 bits
/// 00c R  vendor           044 RW queue ready        080  W descriptors, 64     0fc R  configuration generation
/// 010 R  device features  050  W queue notify       090  W available, 64       100 RW configuration space
/// 014  W … word select                              0a0  W used, 64
/// 020  W driver features
/// 024  W … word select
/// </code>
/// </remarks>
internal static class MmioRegister
{
    public const uint MagicValue = 0x000;
    public const uint Version = 0x004;
    public const uint DeviceId = 0x008;
    public const uint VendorId = 0x00c;
    public const uint DeviceFeatures = 0x010;
    public const uint DeviceFeaturesSelect = 0x014;
    public const uint DriverFeatures = 0x020;
    public const uint DriverFeaturesSelect = 0x024;
    public const uint QueueSelect = 0x030;
    public const uint QueueSizeMaximum = 0x034;
    public const uint QueueSize = 0x038;
    public const uint QueueReady = 0x044;
    public const uint QueueNotify = 0x050;
    public const uint InterruptStatus = 0x060;
    public const uint InterruptAcknowledge = 0x064;
    public const uint Status = 0x070;
    public const uint DescriptorLow = 0x080;
    public const uint DescriptorHigh = 0x084;
    public const uint AvailableLow = 0x090;
    public const uint AvailableHigh = 0x094;
    public const uint UsedLow = 0x0a0;
    public const uint UsedHigh = 0x0a4;
    public const uint SharedMemorySelect = 0x0ac;
    public const uint SharedMemoryLengthLow = 0x0b0;
    public const uint SharedMemoryLengthHigh = 0x0b4;
    public const uint SharedMemoryBaseLow = 0x0b8;
    public const uint SharedMemoryBaseHigh = 0x0bc;
    public const uint ConfigurationGeneration = 0x0fc;
    public const uint Configuration = 0x100;

    /// <summary>"virt".</summary>
    public const uint Magic = 0x74726976;

    public const uint CurrentVersion = 2;

    /// <summary>"STRA": drivers ignore it, people read it.</summary>
    public const uint Vendor = 0x41525453;

    /// <summary>InterruptStatus: chains were used.</summary>
    public const uint InterruptQueue = 1;

    /// <summary>InterruptStatus: the configuration changed, or the device needs a reset.</summary>
    public const uint InterruptConfiguration = 2;
}
