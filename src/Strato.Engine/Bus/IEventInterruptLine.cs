namespace Strato.Engine.Bus;

/// <summary>An interrupt that the kernel can raise without us.</summary>
internal interface IEventInterruptLine : IInterruptLine
{
    /// <summary>An eventfd whose signal is an edge: for KVM_IRQFD and for vhost.</summary>
    int EventFd { get; }
}
