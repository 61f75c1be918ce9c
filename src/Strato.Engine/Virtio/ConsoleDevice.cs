using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.InteropServices;
using Strato.Engine.Linux;
using Strato.Engine.Memory;
using Strato.Engine.Virtio.Queue;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>virtio-console with many ports (VIRTIO 1.2, 5.3): terminals (hvc0), and named ports (/dev/virtio-ports/NAME).</summary>
/// <remarks>
/// <code>
/// queues   0 input of port 0    2 control, to the driver     4 input of port 1    …
///          1 output of port 0   3 control, from the driver   5 output of port 1
/// </code>
/// What is to be told on the control queue is a few bits a port, so no driver makes it grow. A port that the host's side
/// doesn't read from keeps its output in the guest's queue; nothing spins meanwhile. Ports come and go while the guest runs, where
/// there are queues for them from the start; output to a queue without a port is answered and dropped.
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

    /// <summary>Ports are bits of a number.</summary>
    private const int MostBits = 32;

    private readonly List<VirtioPort> _ports;
    private readonly VirtioPort?[] _portOfQueue;

    // Of a port that went in the middle of a request: the request's head, by the port's number.
    private readonly ushort?[] _unanswered;
    private readonly DescriptorChain _chain = new();
    private readonly DescriptorChain _news = new();

    // Bits by number: ports whose going the driver isn't told of yet, and those whose requests in the queue are the former port's.
    private uint _gone;
    private uint _stale;
    private bool _driverListens;

    /// <param name="id">The user's name of the device.</param>
    /// <param name="ports">With numbers of their own; the device owns them from now on.</param>
    /// <param name="room">Numbers from 0 on for which there are queues, at least: for ports to come.</param>
    public ConsoleDevice(string id, VirtioPort[] ports, int room = 0)
        : base(id, VirtioType.Console, FeatureManyPorts, QueueSizes(ports, room), ConfigurationBytes)
    {
        _ports = [.. ports];
        Room = MostPorts(ports, room);
        _portOfQueue = new VirtioPort?[2 * (Room + 1)];
        _unanswered = new ushort?[Room];
        foreach (VirtioPort port in ports)
        {
            _portOfQueue[port.InputQueue] = _portOfQueue[port.OutputQueue] = port;
        }

        Span<byte> configuration = stackalloc byte[ConfigurationBytes];
        configuration.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(configuration[MostPortsOffset..], (uint)Room);
        SetConfiguration(0, configuration);
    }

    /// <summary>In the order in which they came.</summary>
    public IReadOnlyList<VirtioPort> Ports => _ports;

    /// <summary>There are queues for ports of the numbers below this.</summary>
    public int Room { get; }

    /// <summary>A port comes, and the driver is told. On the loop's thread.</summary>
    /// <param name="port">Of a number below <see cref="Room"/> that no port has; the device owns it from now on.</param>
    public void AddPort(VirtioPort port)
    {
        lock (Gate)
        {
            _ports.Add(port);
            _portOfQueue[port.InputQueue] = _portOfQueue[port.OutputQueue] = port;
            port.News = _driverListens ? ConsoleNews.Add : ConsoleNews.None;
        }

        Connect(port);
        Ring(ControlToDriver);
    }

    /// <summary>A port goes: the driver is told, and gets back what it sent and nobody read. On the loop's thread.</summary>
    public void RemovePort(VirtioPort port)
    {
        lock (Gate)
        {
            _ports.Remove(port);
            _portOfQueue[port.InputQueue] = _portOfQueue[port.OutputQueue] = null;
            _unanswered[port.Number] ??= port.IsSending ? port.Output.Head : null;
            _stale |= 1u << port.Number;
            _gone |= port.IsTold ? 1u << port.Number : 0;
        }

        port.Dispose();
        Ring(ControlToDriver);
    }

    protected override void OnPlug(GuestMemory memory, EventLoop loop) => _ports.ForEach(Connect);

    protected override void OnStart()
    {
        if ((Features & FeatureManyPorts) == 0)
        {
            _portOfQueue[0]?.SetOpen(true);
        }
    }

    protected override void OnReset()
    {
        _ports.ForEach(port => port.Reset());
        Array.Clear(_unanswered);
        (_gone, _stale, _driverListens) = (0, 0, false);
    }

    protected override void OnDispose() => _ports.ForEach(port => port.Dispose());

    protected override void OnSave(StateWriter state)
    {
        state.Bool(_driverListens);
        state.U32(_gone);
        state.U32(_stale);
        state.U32((uint)_ports.Count);
        foreach (VirtioPort port in _ports)
        {
            port.Save(state);
        }
    }

    /// <remarks>Ports are known by their numbers; where they lead may be another place.</remarks>
    protected override void OnRestore(StateReader state)
    {
        _driverListens = state.Bool();
        _gone = state.U32();
        _stale = state.U32();
        if ((_gone | _stale) >> (Room - 1) > 1)
        {
            throw state.Damaged($"ports 0x{_gone | _stale:x} have gone, and there are {Room}");
        }

        uint restored = 0;
        for (int left = state.Count(MostBits); left > 0; left--)
        {
            int number = state.Count(MostBits - 1);
            if ((restored & (1u << number)) != 0)
            {
                throw state.Damaged($"port {number} is there twice");
            }

            VirtioPort port = _ports.Find(port => port.Number == number)
                ?? throw Mismatch($"it has no port {number}, which the guest's driver knows");
            port.Restore(state, name => Mismatch($"its port {number} is another than the one that the guest's driver knows as {name}"));
            restored |= 1u << number;
            RestoreSending(port, state);
            if (port.IsToldOfPeer != port.HasPeer)
            {
                TellOfPeer(port);
            }
        }

        foreach (VirtioPort port in _ports)
        {
            // One that the snapshot hadn't comes as if it were plugged in.
            port.News |= _driverListens && (restored & (1u << port.Number)) == 0 ? ConsoleNews.Add : ConsoleNews.None;
        }
    }

    protected override void ProcessQueue(int index)
    {
        // Before the driver hears of a port that has come in another's place, and before that port's output.
        for (; _stale != 0; _stale &= _stale - 1)
        {
            DropStale(BitOperations.TrailingZeroCount(_stale));
        }

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
                else if (index % 2 != 0)
                {
                    DropOutput(index);
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

        _driverListens |= message is { Event: ConsoleEvent.DeviceReady, Value: not 0 };
        foreach (VirtioPort port in _ports)
        {
            if (message.Event == ConsoleEvent.DeviceReady)
            {
                port.News |= message.Value != 0 ? ConsoleNews.Add : ConsoleNews.None;
            }
            else if (port.Number == message.Port && (port.News & ConsoleNews.Add) == 0)
            {
                // While the driver wasn't told of a port, it speaks of the one that had the number before.
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

    /// <summary>What was sent of a request stays sent, and the rest follows.</summary>
    private void RestoreSending(VirtioPort port, StateReader state)
    {
        bool sending = state.Bool();
        uint left = state.U32();
        if (sending && TryPop(port.OutputQueue, port.Output))
        {
            ulong all = port.Output.Readable.Length;
            port.Output.Readable.Advance(all - ulong.Min(all, left));
            port.IsSending = true;
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

        while (TryFindNews(out int gone, out VirtioPort? port) && TryPopOrWait(ControlToDriver, _news))
        {
            if (port is null)
            {
                _gone &= ~(1u << gone);
                Tell(new ConsoleControl((uint)gone, ConsoleEvent.PortRemove, 1), []);
            }
            else
            {
                ConsoleNews next = (ConsoleNews)((int)port.News & -(int)port.News);
                port.News &= ~next;
                port.IsTold |= next == ConsoleNews.Add;
                port.IsToldOfPeer = next == ConsoleNews.Open ? port.HasPeer : port.IsToldOfPeer;
                Tell(port, next);
            }
        }

        if (!NeedsReset)
        {
            SignalIfWanted(ControlToDriver);
        }
    }

    /// <summary>What is to be told next: first what has gone, whose numbers others may have by now.</summary>
    private bool TryFindNews(out int gone, out VirtioPort? port)
    {
        gone = BitOperations.TrailingZeroCount(_gone);
        port = _gone != 0 ? null : _ports.Find(static port => port.News != ConsoleNews.None);
        return _gone != 0 || port is not null;
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
        Tell(message, news == ConsoleNews.Name ? port.Name : []);
    }

    private void Tell(ConsoleControl message, ReadOnlySpan<byte> text)
    {
        int written = _news.Writable.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<ConsoleControl>(in message)));
        written += _news.Writable.Write(text);
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

    /// <summary>Gives back what was sent to a port that has gone.</summary>
    private void DropStale(int number)
    {
        int index = VirtioPort.InputQueueOf(number) + 1;
        if (Queues[index].Enabled)
        {
            if (_unanswered[number] is { } head)
            {
                Queues[index].Push(head, 0);
                Queues[index].Publish();
            }

            DropOutput(index);
        }

        _unanswered[number] = null;
    }

    /// <summary>Answers what is sent where no port is: a driver may wait for it. At most a queue's worth.</summary>
    private void DropOutput(int index)
    {
        int budget = (int)Queues[index].Size;
        while (budget-- > 0 && TryPopOrWait(index, _chain))
        {
            Queues[index].Push(_chain.Head, 0);
            Queues[index].Publish();
        }

        SignalIfWanted(index);
        if (budget < 0)
        {
            Ring(index);
        }
    }

    private void Connect(VirtioPort port) => port.Connect(
        () => Ring(port.InputQueue),
        () => RingIfSending(port),
        () => TellOfPeer(port));

    private void RingIfSending(VirtioPort port)
    {
        if (port.IsSending)
        {
            Ring(port.OutputQueue);
        }
    }

    private static int MostPorts(VirtioPort[] ports, int room)
    {
        int most = Math.Max(1, room);
        foreach (VirtioPort port in ports)
        {
            most = Math.Max(most, port.Number + 1);
        }

        return most;
    }

    private static int[] QueueSizes(VirtioPort[] ports, int room)
    {
        int[] sizes = new int[2 * (MostPorts(ports, room) + 1)];
        Array.Fill(sizes, QueueSize);
        sizes[ControlToDriver] = sizes[ControlFromDriver] = ControlQueueSize;
        return sizes;
    }
}
