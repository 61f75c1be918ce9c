using System;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>Hands some of a device's queues to vhost and takes them back. Under the device's gate.</summary>
/// <remarks>
/// Between the two the kernel reads and writes the rings; our <see cref="VirtQueue"/> only keeps where they are. The doorbell's
/// eventfd is vhost's kick, the transport's interrupt its call.
/// </remarks>
/// <param name="vhost">What serves them, as its own from 0 on.</param>
/// <param name="first">Number of the first in the device.</param>
/// <param name="count">How many.</param>
internal sealed class VhostQueues(IVhost vhost, int first, int count)
{
    private VhostRegion[] _regions = [];
    private GuestMemory? _memory;

    /// <summary>The memory that the queues lie in.</summary>
    public void Plug(GuestMemory memory)
    {
        _memory = memory;
        _regions = Array.ConvertAll(
            memory.Regions.ToArray(), region => new VhostRegion(region.Start, region.Length, region.HostAddress, region.File, region.FileOffset));
    }

    /// <summary>Whether the driver made all of them ready.</summary>
    public bool AreEnabled(VirtioDevice device)
    {
        foreach (VirtQueue queue in device.Queues.Slice(first, count))
        {
            if (!queue.Enabled)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Tells vhost of all queues, which are enabled, to be served from where they were left; what starts them is the device's own call.</summary>
    /// <exception cref="LinuxException">The kernel refuses.</exception>
    public void SetUp(VirtioDevice device, int callEvent, int errorEvent)
    {
        vhost.SetUp(device.Features, _regions);
        for (int i = 0; i < count; i++)
        {
            VirtQueue queue = device.Queues[first + i];
            int size = (int)queue.Size;
            vhost.SetRing(new VhostRing(
                i,
                size,
                HostAddress(queue.DescriptorTable, RingLayout.DescriptorTableBytes(size)),
                HostAddress(queue.AvailableRing, RingLayout.AvailableBytes(size)),
                HostAddress(queue.UsedRing, RingLayout.UsedBytes(size)),
                queue.Position,
                device.DoorbellEvent(first + i),
                callEvent,
                errorEvent));
        }
    }

    /// <summary>Remembers where the queues, which are stopped, are to go on.</summary>
    public void Save(VirtioDevice device)
    {
        for (int i = 0; i < count; i++)
        {
            device.Queues[first + i].Position = vhost.GetRingBase(i);
        }
    }

    // An enabled queue's addresses were checked when it was enabled.
    private nint HostAddress(ulong address, int length) =>
        _memory!.TryGetHostAddress(address, (ulong)length, out nint host) ? host : throw new LinuxException($"queue at 0x{address:x}", Errno.EFAULT);
}
