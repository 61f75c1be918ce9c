using System;
using System.Collections.Generic;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio;
using Strato.Engine.Virtio.Queue;

namespace Strato.Tests.Unit.Driver;

/// <summary>Stands for the kernel's vhost: serves the rings it was told of, on the driver's loop, and records what it was told.</summary>
internal sealed class FakeVhost : IVhostVsock, IVhostNet, IVhostUser
{
    private readonly Dictionary<int, (VhostRing Ring, VirtQueue Queue)> _rings = [];
    private readonly HashSet<int> _heard = [];
    private readonly DescriptorChain _chain = new();
    private MmioDriver? _driver;
    private readonly FileDescriptor _connection = Libc.CreateEventFd();

    /// <summary>Each call, in order.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Number of its first queue in the device.</summary>
    public int First { get; init; }

    /// <summary>Whether it serves a ring as soon as it knows it, as over vhost-user.</summary>
    public bool AtOnce { get; init; }

    /// <summary>What the next <see cref="SetRunning"/> to true fails with; 0 for nothing.</summary>
    public int Refusal { get; set; }

    public bool IsRunning { get; private set; }

    public bool IsDisposed { get; private set; }

    public bool IsAbandoned { get; private set; }

    /// <summary>What the next <see cref="GetRingBase"/> fails with; 0 for nothing.</summary>
    public int Silence { get; set; }

    public int Descriptor => _connection.Value;

    public ulong Features => VirtioFeature.Common | VsockDevice.FeatureSequencedPackets | NetInterface.FeatureMergeableBuffers | (1UL << 26);

    /// <summary>Requests that were served.</summary>
    public int Served { get; private set; }

    public IReadOnlyList<VhostRegion> Memory { get; private set; } = [];

    /// <summary>From here on doorbells are heard.</summary>
    public MmioDriver Join(MmioDriver driver) => _driver = driver;

    public void SetUp(ulong features, ReadOnlySpan<VhostRegion> memory)
    {
        Calls.Add($"set up 0x{features:x}");
        Memory = memory.ToArray();
    }

    public void SetRing(in VhostRing ring)
    {
        Calls.Add($"ring {ring.Index} of {ring.Size} from {ring.Base}");
        VirtQueue? left = _rings.TryGetValue(ring.Index, out (VhostRing, VirtQueue Queue) old) ? old.Queue : null;
        Forget(ring.Index);

        // A ring that goes on was left where it goes on.
        VirtQueue queue = ring.Base > 0 && left is not null ? left : new VirtQueue(_driver!.Memory, ring.Size)
        {
            Size = (uint)ring.Size,
            DescriptorTable = GuestAddress(ring.Descriptors),
            AvailableRing = GuestAddress(ring.Available),
            UsedRing = GuestAddress(ring.Used),
        };
        _rings[ring.Index] = (ring, queue);
        int index = ring.Index;
        _heard.Add(ring.Kick);
        _driver!.Loop.Add(ring.Kick, EpollEvents.In, _ => OnKick(index));
        if (AtOnce)
        {
            SetRunning(true);
        }
    }

    public void Abandon() => IsAbandoned = true;

    public ushort GetRingBase(int index)
    {
        if (Silence != 0)
        {
            throw new LinuxException("base", Silence);
        }

        if (AtOnce)
        {
            SetRunning(false);
        }

        return _driver!.Queues[First + index].UsedIndex;
    }

    public void SetBackend(int tap) => SetRunning(tap >= 0);

    public void SetRunning(bool running)
    {
        Calls.Add(running ? "run" : "stop");
        if (running && Refusal != 0)
        {
            throw new LinuxException("VHOST_VSOCK_SET_RUNNING", Refusal);
        }

        IsRunning = running;
        foreach ((VhostRing ring, VirtQueue queue) in _rings.Values)
        {
            if (running && !queue.Enabled)
            {
                if (!queue.TryEnable(_driver!.Has(VirtioFeature.EventIndex), _driver.Has(VirtioFeature.IndirectDescriptors)))
                {
                    throw new LinuxException("VHOST_VSOCK_SET_RUNNING", Errno.EFAULT);
                }

                queue.Position = ring.Base;
            }

            // A doorbell may be another's by the time that this goes.
            if (!running && _heard.Remove(ring.Kick))
            {
                _driver!.Loop.Remove(ring.Kick);
            }
        }
    }

    public void Dispose()
    {
        IsDisposed = true;
        _connection.Dispose();
        foreach (int index in new List<int>(_rings.Keys))
        {
            Forget(index);
        }
    }

    private void Forget(int index)
    {
        if (_rings.Remove(index, out (VhostRing Ring, VirtQueue Queue) old))
        {
            if (_heard.Remove(old.Ring.Kick))
            {
                _driver!.Loop.Remove(old.Ring.Kick);
            }
        }
    }

    private void OnKick(int index)
    {
        (VhostRing ring, VirtQueue queue) = _rings[index];
        Libc.DrainEventFd(ring.Kick);
        if (!IsRunning)
        {
            return;
        }

        PopResult result;
        while ((result = queue.Pop(_chain)) == PopResult.Chain || (result == PopResult.Empty && queue.EnableDoorbell()))
        {
            if (result == PopResult.Chain)
            {
                Served++;
                queue.Push(_chain.Head, (uint)_chain.Writable.Write("packet"u8));
                queue.Publish();
            }
        }

        if (result == PopResult.Fault)
        {
            Libc.SignalEventFd(ring.Error);
        }
        else if (queue.TakeInterrupt())
        {
            Libc.SignalEventFd(ring.Call);
        }
    }

    private ulong GuestAddress(nint host)
    {
        foreach (MemoryRegion region in _driver!.Memory.Regions)
        {
            if (host >= region.HostAddress && host - region.HostAddress < (nint)region.Length)
            {
                return region.Start + (ulong)(host - region.HostAddress);
            }
        }

        return ulong.MaxValue;
    }
}
