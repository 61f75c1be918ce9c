namespace Strato.Engine.Virtio;

/// <summary>struct virtio_console_control (VIRTIO 1.2, 5.3.6.2): what driver and device tell each other of a port.</summary>
/// <param name="Port">Number of the port.</param>
/// <param name="Event">One of <see cref="ConsoleEvent"/>.</param>
/// <param name="Value">1 for yes, 0 for no, where the event asks for it.</param>
internal readonly record struct ConsoleControl(uint Port, ushort Event, ushort Value);

/// <summary>Events of <see cref="ConsoleControl"/>.</summary>
internal static class ConsoleEvent
{
    /// <summary>From the driver: it listens.</summary>
    public const ushort DeviceReady = 0;

    /// <summary>There is a port.</summary>
    public const ushort PortAdd = 1;

    /// <summary>A port has gone.</summary>
    public const ushort PortRemove = 2;

    /// <summary>From the driver: it has the port, or couldn't take it.</summary>
    public const ushort PortReady = 3;

    /// <summary>The port is a console: hvc0 and on.</summary>
    public const ushort VirtioPort = 4;

    /// <summary>From either: the other side of the port is open, or closed.</summary>
    public const ushort PortOpen = 6;

    /// <summary>The port's name follows, without a null.</summary>
    public const ushort PortName = 7;
}
