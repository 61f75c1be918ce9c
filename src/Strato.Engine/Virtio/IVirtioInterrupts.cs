namespace Strato.Engine.Virtio;

/// <summary>How a transport tells the driver that something happened. From any thread; never blocks.</summary>
internal interface IVirtioInterrupts
{
    /// <summary>Chains of a queue were used.</summary>
    void SignalQueue(int queue);

    /// <summary>An eventfd whose signal interrupts the driver for a queue, though the transport doesn't learn of it: <see cref="VirtioDevice.KernelSignalsQueues"/>.</summary>
    int QueueEvent { get; }

    /// <summary>The configuration space changed, or the device needs a reset.</summary>
    void SignalConfiguration();
}
