using System;
using System.Collections.Concurrent;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Linux;

namespace Strato.Tests.Unit.Driver;

/// <summary>Counts the edges of an interrupt, and can be waited for.</summary>
internal sealed class FakeInterruptLine : IEventInterruptLine, IDisposable
{
    private readonly FileDescriptor _event = Libc.CreateEventFd();
    private readonly SemaphoreSlim _edges = new(0);
    private int _count;

    public int EventFd => _event.Value;

    /// <summary>Whether the kernel raised it since this was asked last.</summary>
    public bool TakeKernelEdge() => Libc.DrainEventFd(_event.Value);

    public int Count => Volatile.Read(ref _count);

    public void Trigger()
    {
        Interlocked.Increment(ref _count);
        _edges.Release();
    }

    /// <summary>Waits for one more edge; false when none comes in time.</summary>
    public bool Wait(int milliseconds) => _edges.Wait(milliseconds);

    public void Dispose()
    {
        _edges.Dispose();
        _event.Dispose();
    }
}

/// <summary>Stands for KVM's ioeventfds: what was attached, and the write that fires it.</summary>
internal sealed class FakeDoorbells : IDoorbells
{
    private readonly ConcurrentDictionary<(ulong Offset, uint Value), int> _events = [];

    public int Attached => _events.Count;

    /// <summary>How many the host allows.</summary>
    public int Allowed { get; set; } = int.MaxValue;

    public void Attach(ulong offset, uint value, int eventFd)
    {
        if (_events.Count == Allowed || !_events.TryAdd((offset, value), eventFd))
        {
            throw new LinuxException("KVM_IOEVENTFD", _events.Count == Allowed ? Errno.ENOSPC : Errno.EEXIST);
        }
    }

    public void Detach(ulong offset, uint value, int eventFd)
    {
        if (!_events.TryRemove((offset, value), out _))
        {
            throw new LinuxException("KVM_IOEVENTFD", Errno.ENOENT);
        }
    }

    /// <summary>What KVM does with a 4-byte write: whether an eventfd took it.</summary>
    public bool Ring(ulong offset, uint value)
    {
        if (!_events.TryGetValue((offset, value), out int eventFd))
        {
            return false;
        }

        Libc.SignalEventFd(eventFd);
        return true;
    }
}
