using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;

namespace Strato.Engine.Virtio;

/// <summary>virtio-console with many ports (VIRTIO 1.2, 5.3): terminals (hvc0), and named ports (/dev/virtio-ports/NAME).</summary>
/// <remarks>
/// <code>
/// queues   0 input of port 0    2 control, to the driver     4 input of port 1    …
///          1 output of port 0   3 control, from the driver   5 output of port 1
/// </code>
/// What is to be told on the control queue is a few bits a port, so no driver makes it grow. A port that the host's side
/// doesn't read from keeps its output in the guest's queue; nothing spins meanwhile.
/// </remarks>
internal sealed class ConsoleDevice : VirtioDevice
{
    /// <summary>VIRTIO_CONSOLE_F_MULTIPORT; without, a driver sees port 0 alone.</summary>
    internal const ulong FeatureManyPorts = 1UL << 1;

    internal const int QueueSize = 128;
    internal const int ControlQueueSize = 32;
    internal const int ControlToDriver = 2;
    internal const int ControlFromDriver = 3;

    /// <summary>struct virtio_console_config: columns, rows, most ports, emergency write.</summary>
    internal const int ConfigurationBytes = 12;
    internal const int MostPortsOffset = 4;

    /// <summary>Bytes of output of one port before the loop does other work.</summary>
    private const int MostPerTurn = 1 << 20;

    private readonly VirtioPort[] _ports;
    private readonly VirtioPort?[] _portOfQueue;
    private readonly DescriptorChain _chain = new();
    private readonly DescriptorChain _news = new();

    /// <param name="id">The user's name of the device.</param>
    /// <param name="ports">With numbers of their own; the device owns them from now on.</param>
    public ConsoleDevice(string id, VirtioPort[] ports)
        : base(id, VirtioType.Console, FeatureManyPorts, QueueSizes(ports), ConfigurationBytes)
    {
        _ports = ports;
        int most = MostPorts(ports);
        _portOfQueue = new VirtioPort?[2 * (most + 1)];
        foreach (VirtioPort port in ports)
        {
            _portOfQueue[port.InputQueue] = _portOfQueue[port.OutputQueue] = port;
        }

        Span<byte> configuration = stackalloc byte[ConfigurationBytes];
        configuration.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(configuration[MostPortsOffset..], (uint)most);
        SetConfiguration(0, configuration);
    }

    /// <summary>In the order in which they were given.</summary>
    public IReadOnlyList<VirtioPort> Ports => _ports;

    protected override void OnPlug(GuestMemory memory, EventLoop loop)
    {
        foreach (VirtioPort port in _ports)
        {
            port.Connect(
                () => Ring(port.InputQueue),
                () => RingIfSending(port),
                () => TellOfPeer(port));
        }
    }

    protected override void OnStart()
    {
        if ((Features & FeatureManyPorts) == 0)
        {
            _portOfQueue[0]?.SetOpen(true);
        }
    }

    protected override void OnReset() => Array.ForEach(_ports, port => port.Reset());

    protected override void OnDispose() => Array.ForEach(_ports, port => port.Dispose());

    protected override void ProcessQueue(int index)
    {
        switch (index)
        {
            case ControlToDriver:
                TellNews();
                break;
            case ControlFromDriver:
                ServeRequests(index, _chain);
                break;
            default:
                if (_portOfQueue[index] is { } port)
                {
                    ServePort(port, index);
                }

                break;
        }
    }

    /// <summary>One message of the driver. What isn't understood is let pass, as newer drivers may say more.</summary>
    protected override uint Serve(int index, DescriptorChain chain)
    {
        if (!chain.Readable.TryRead(out ConsoleControl message))
        {
            return 0;
        }

        foreach (VirtioPort port in _ports)
        {
            if (message.Event == ConsoleEvent.DeviceReady)
            {
                port.News |= message.Value != 0 ? ConsoleNews.Add : ConsoleNews.None;
            }
            else if (port.Number == message.Port)
            {
                Hear(port, message);
            }
        }

        TellNews();
        return 0;
    }

    private static void Hear(VirtioPort port, ConsoleControl message)
    {
        switch (message.Event)
        {
            case ConsoleEvent.PortReady:
                port.IsKnown = message.Value != 0;
                port.News = !port.IsKnown ? ConsoleNews.None
                    : ConsoleNews.Open | (port.IsConsole ? ConsoleNews.Console : 0) | (port.Name.Length > 0 ? ConsoleNews.Name : 0);
                break;
            case ConsoleEvent.PortOpen:
                port.SetOpen(message.Value != 0);
                break;
        }
    }

    private void TellOfPeer(VirtioPort port)
    {
        if (port.IsKnown)
        {
            port.News |= ConsoleNews.Open;
            Ring(ControlToDriver);
        }
    }

    /// <summary>Tells the driver as much as it has room for.</summary>
    private void TellNews()
    {
        if (!Queues[ControlToDriver].Enabled || (Features & FeatureManyPorts) == 0)
        {
            return;
        }

        foreach (VirtioPort port in _ports)
        {
            while (port.News != ConsoleNews.None)
            {
                if (!TryPopOrWait(ControlToDriver, _news))
                {
                    return;
                }

                ConsoleNews next = (ConsoleNews)((int)port.News & -(int)port.News);
                port.News &= ~next;
                Tell(port, next);
            }
        }

        SignalIfWanted(ControlToDriver);
    }

    private void Tell(VirtioPort port, ConsoleNews news)
    {
        ConsoleControl message = news switch
        {
            ConsoleNews.Add => new((uint)port.Number, ConsoleEvent.PortAdd, 0),
            ConsoleNews.Console => new((uint)port.Number, ConsoleEvent.VirtioPort, 1),
            ConsoleNews.Name => new((uint)port.Number, ConsoleEvent.PortName, 1),
            _ => new((uint)port.Number, ConsoleEvent.PortOpen, port.HasPeer ? (ushort)1 : (ushort)0),
        };
        int written = _news.Writable.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ConsoleControl>(in message)));
        written += news == ConsoleNews.Name ? _news.Writable.Write(port.Name) : 0;
        Queues[ControlToDriver].Push(_news.Head, (uint)written);
        Queues[ControlToDriver].Publish();
    }

    private void ServePort(VirtioPort port, int index)
    {
        if (index == port.InputQueue)
        {
            ServeInput(port, index);
        }
        else
        {
            ServeOutput(port, index);
        }
    }

    /// <summary>At most a queue's worth of input: for the loop's other work, and for a driver that gives empty buffers as fast as they are used.</summary>
    private void ServeInput(VirtioPort port, int index)
    {
        int budget = (int)Queues[index].Size;
        while (budget-- > 0 && port.HasInput && TryPopOrWait(index, _chain))
        {
            Queues[index].Push(_chain.Head, (uint)port.TakeInput(_chain.Writable));
            Queues[index].Publish();
        }

        SignalIfWanted(index);
        if (budget < 0)
        {
            Ring(index);
        }
    }

    /// <summary>At most <see cref="MostPerTurn"/> bytes of output, a request counted as one byte more.</summary>
    private void ServeOutput(VirtioPort port, int index)
    {
        int budget = MostPerTurn;
        while (budget > 0 && (port.IsSending || TryPopOrWait(index, port.Output)))
        {
            port.IsSending = true;
            budget -= port.Send(budget) + 1;
            if (port.Output.Readable.Length > 0)
            {
                break;
            }

            port.IsSending = false;
            Queues[index].Push(port.Output.Head, 0);
            Queues[index].Publish();
        }

        SignalIfWanted(index);
        if (budget <= 0)
        {
            Ring(index);
        }
    }

    private void RingIfSending(VirtioPort port)
    {
        if (port.IsSending)
        {
            Ring(port.OutputQueue);
        }
    }

    private static int MostPorts(VirtioPort[] ports)
    {
        int most = 1;
        foreach (VirtioPort port in ports)
        {
            most = Math.Max(most, port.Number + 1);
        }

        return most;
    }

    private static int[] QueueSizes(VirtioPort[] ports)
    {
        int[] sizes = new int[2 * (MostPorts(ports) + 1)];
        Array.Fill(sizes, QueueSize);
        sizes[ControlToDriver] = sizes[ControlFromDriver] = ControlQueueSize;
        return sizes;
    }
}
