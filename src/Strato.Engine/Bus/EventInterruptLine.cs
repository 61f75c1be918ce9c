using System;
using Strato.Engine.Linux;

namespace Strato.Engine.Bus;

/// <summary>An interrupt raised by signalling an eventfd that KVM watches (irqfd): no lock, one system call.</summary>
internal sealed class EventInterruptLine : IEventInterruptLine, IDisposable
{
    private readonly FileDescriptor _event = Libc.CreateEventFd();

    public int EventFd => _event.Value;

    public void Trigger() => Libc.SignalEventFd(_event.Value);

    public void Dispose() => _event.Dispose();
}
