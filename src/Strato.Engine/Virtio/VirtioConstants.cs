using System;

namespace Strato.Engine.Virtio;

/// <summary>Feature bits that belong to queue and transport (VIRTIO 1.2, 6).</summary>
/// <remarks>VIRTIO_F_ACCESS_PLATFORM is not offered: devices reach all RAM by guest-physical address.</remarks>
internal static class VirtioFeature
{
    public const ulong IndirectDescriptors = 1UL << 28;
    public const ulong EventIndex = 1UL << 29;
    public const ulong Version1 = 1UL << 32;

    /// <summary>What each device offers beside its own features.</summary>
    public const ulong Common = IndirectDescriptors | EventIndex | Version1;
}

/// <summary>Bits of the device status register (VIRTIO 1.2, 2.1).</summary>
[Flags]
internal enum VirtioStatus : byte
{
    None = 0,
    Acknowledge = 1,
    Driver = 2,
    DriverOk = 4,
    FeaturesOk = 8,
    NeedsReset = 0x40,
    Failed = 0x80,
}

/// <summary>Kinds of devices (VIRTIO 1.2, 5; <c>linux/virtio_ids.h</c>).</summary>
internal static class VirtioType
{
    public const uint Network = 1;
    public const uint Block = 2;
    public const uint Console = 3;
    public const uint Entropy = 4;
    public const uint Balloon = 5;
    public const uint Socket = 19;
    public const uint FileSystem = 26;
}
