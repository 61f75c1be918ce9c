using Strato.Protocol.Configuration;

namespace Strato.Engine.Machine;

/// <summary>A disk or network interface to be plugged in (device_add).</summary>
/// <param name="Id">The user's id of the device.</param>
/// <param name="Backend">Node or netdev; null for that of the same id.</param>
/// <param name="Address">Which slot, from 0; null for the first that is free and fits.</param>
internal sealed record DeviceRequest(string Id, string? Backend, long? Address)
{
    /// <summary>Id of the iothread that is to serve it; null for the main loop.</summary>
    public string? IoThread { get; init; }

    /// <summary>Of a disk: what the guest reads; null for none.</summary>
    public string? Serial { get; init; }

    /// <summary>Of a disk: queues; null for one.</summary>
    public int? QueueCount { get; init; }

    /// <summary>Of a disk: entries of a queue; null for 256.</summary>
    public int? QueueSize { get; init; }

    /// <summary>Of a disk: whether a write may be answered before it is stable.</summary>
    public bool WriteCache { get; init; } = true;

    public DriveErrorAction WriteError { get; init; }

    public DriveErrorAction ReadError { get; init; }

    /// <summary>Of a network interface: its address; null for the slot's.</summary>
    public string? Mac { get; init; }

    /// <summary>Of a network interface: whether its link is up from the start.</summary>
    public bool LinkUp { get; init; } = true;
}

/// <summary>One slot as it is now.</summary>
/// <param name="IsDisk">For a disk; else for a network interface.</param>
/// <param name="Address">As device_add's <c>addr</c>.</param>
/// <param name="GuestName">What the guest calls it, unless its driver names devices in another way.</param>
/// <param name="Device">Id of the device in it; null when it is empty.</param>
internal readonly record struct SlotStatus(bool IsDisk, string Address, string GuestName, string? Device)
{
    /// <summary>Id of the drive or netdev of the device; null when it is empty.</summary>
    public string? Backend { get; init; }

    /// <summary>Whether the guest has looked at what is in it now.</summary>
    public bool IsSeen { get; init; }

    /// <summary>Whether the guest's driver broke a rule, and looks at nothing before it has reset the slot.</summary>
    public bool NeedsReset { get; init; }

    /// <summary>Of a disk's.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Of a network interface's.</summary>
    public string? Mac { get; init; }
}
