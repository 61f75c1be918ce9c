namespace Strato.Engine.Virtio;

/// <summary>How a transport tells the driver that something happened. From any thread; never blocks.</summary>
internal interface IVirtioInterrupts
{
    /// <summary>Chains of a queue were used.</summary>
    void SignalQueue(int queue);

    /// <summary>The configuration space changed, or the device needs a reset.</summary>
    void SignalConfiguration();
}
