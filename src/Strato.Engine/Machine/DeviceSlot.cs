using System.Globalization;
using Strato.Engine.Linux;
using Strato.Engine.Virtio;

namespace Strato.Engine.Machine;

/// <summary>A place on the board for a disk or a network interface, which the guest's driver has found, whether something is in it or not.</summary>
/// <remarks>On the main loop's thread.</remarks>
/// <param name="transport">What the driver talks to.</param>
/// <param name="index">Which of its kind, from 0.</param>
internal abstract class DeviceSlot(MmioTransport transport, int index)
{
    /// <summary>The user's id of the device that is in it; null when it is empty.</summary>
    public string? DeviceId { get; protected set; }

    /// <summary>As <c>addr</c> has it: 0x0 and on.</summary>
    public string Address => "0x" + index.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>What the guest calls it, unless its driver names devices in another way.</summary>
    public abstract string GuestName { get; }

    /// <summary>Whether a transport is what the driver of this slot talks to.</summary>
    public bool IsBehind(MmioTransport other) => transport == other;

    /// <summary>Whether the driver has looked at what is in it now.</summary>
    public bool IsSeen => Device.IsConfigurationSeen;

    /// <summary>Whether the driver broke a rule: it looks at nothing before it has reset the slot.</summary>
    public bool NeedsReset => Device.NeedsReset;

    protected VirtioDevice Device => transport.Device;

    protected int Index => index;

    /// <summary>Empties the slot: requests under way are finished, and the guest is told. What was in it is the caller's to dispose.</summary>
    /// <exception cref="LinuxException">The host refuses; the device is in the slot as before.</exception>
    public virtual VirtioDevice Clear()
    {
        VirtioDevice old = Device;
        Put(CreateEmpty(), transport.Loop);
        DeviceId = null;
        return old;
    }

    /// <summary>A device that does nothing and fits the slot.</summary>
    protected abstract VirtioDevice CreateEmpty();

    /// <summary>Puts a device into the empty slot and tells the guest. The slot owns it from now on, even where this fails.</summary>
    /// <exception cref="LinuxException">The host refuses; the slot is empty as before.</exception>
    protected void Fill(string id, VirtioDevice device, EventLoop loop)
    {
        VirtioDevice empty = Device;
        Put(device, loop);
        empty.Dispose();
        DeviceId = id;
    }

    private void Put(VirtioDevice device, EventLoop loop)
    {
        try
        {
            transport.Replace(device, loop);
        }
        catch (LinuxException)
        {
            device.Dispose();
            throw;
        }
    }
}
