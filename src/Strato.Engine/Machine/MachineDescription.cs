using System.Collections.Generic;

namespace Strato.Engine.Machine;

/// <summary>What a snapshot tells of a machine beside what QMP does: the processor as the guest sees it, what it stands on, and its devices with their options.</summary>
/// <param name="CpuVendor">Who made the processor.</param>
/// <param name="CpuModel">Its name; empty where it has none.</param>
/// <param name="CpuFeatures">Those that the guest was told of, KVM's own among them.</param>
/// <param name="Capabilities">What KVM of this host can do.</param>
/// <param name="Devices">By their slots; empty places are left out.</param>
internal sealed record MachineDescription(
    string CpuVendor, string CpuModel, IReadOnlyList<string> CpuFeatures, IReadOnlyList<KvmCapability> Capabilities, IReadOnlyList<DeviceDescription> Devices);

/// <summary>One device.</summary>
/// <param name="Slot">Number of its virtio slot.</param>
/// <param name="Driver">As <c>-device</c> has it.</param>
/// <param name="Id">The user's.</param>
/// <param name="Queues">How many the guest's driver finds.</param>
/// <param name="QueueSize">Entries of the first at most.</param>
/// <param name="Options">By their names and values on the command line.</param>
internal sealed record DeviceDescription(int Slot, string Driver, string Id, int Queues, int QueueSize, IReadOnlyList<(string Name, string Value)> Options);
