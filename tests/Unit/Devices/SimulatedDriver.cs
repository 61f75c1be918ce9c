using System.Collections.Generic;
using static Strato.Tests.Unit.Devices.UartPort;

namespace Strato.Tests.Unit.Devices;

/// <summary>What Linux's 8250 driver does with the registers, one access a step, so that a test can put anything between two steps.</summary>
/// <remarks>Written after the behaviour of serial8250_interrupt, _handle_irq, _start_tx and _console_write; a yield stands before each access.</remarks>
internal sealed class SimulatedDriver(UartPort uart, int passLimit)
{
    private const int LoadSize = 16;
    private const int WriteRoom = 64;

    private readonly Queue<byte> _xmit = new();
    private byte _ier;
    private bool _locked;

    public List<byte> Received { get; } = [];

    public int Unhandled { get; private set; }

    public int Handled { get; private set; }

    public bool Idle => _xmit.Count == 0;

    public void Start()
    {
        uart[FCR] = 0x81;
        uart[MCR] = 0x0B;
        _ier = RDI | RLSI;
        uart[IER] = _ier;
    }

    /// <summary>The interrupt handler.</summary>
    public IEnumerator<int> Interrupt()
    {
        bool handled = false;
        for (int pass = 0; pass <= passLimit; pass++)
        {
            yield return 0;
            byte iir = uart[IIR];
            if ((iir & 1) != 0)
            {
                break;
            }

            handled = true;
            while (_locked)
            {
                yield return 0;
            }

            _locked = true;
            yield return 0;
            byte lsr = uart[LSR];
            for (int i = 0; (lsr & 1) != 0 && i < 256; i++)
            {
                yield return 0;
                Received.Add(uart[RX]);
                yield return 0;
                lsr = uart[LSR];
            }

            yield return 0;
            _ = uart[MSR];
            if ((lsr & 0x20) != 0 && (_ier & THRI) != 0)
            {
                for (int i = 0; i < LoadSize && _xmit.Count > 0; i++)
                {
                    yield return 0;
                    uart[TX] = _xmit.Dequeue();
                }

                if (_xmit.Count == 0)
                {
                    yield return 0;
                    _ier &= unchecked((byte)~THRI);
                    uart[IER] = _ier;
                }
            }

            _locked = false;
        }

        Handled += handled ? 1 : 0;
        Unhandled += handled ? 0 : 1;
    }

    /// <summary>A process that writes to the terminal: fills the transmit buffer and starts the transmitter.</summary>
    public IEnumerator<int> Write(byte[] data)
    {
        int at = 0;
        while (at < data.Length)
        {
            while (_locked)
            {
                yield return 0;
            }

            _locked = true;
            while (at < data.Length && _xmit.Count < WriteRoom)
            {
                _xmit.Enqueue(data[at++]);
            }

            if ((_ier & THRI) == 0)
            {
                yield return 0;
                _ier |= THRI;
                uart[IER] = _ier;
            }

            _locked = false;
            yield return 0;
        }
    }

    /// <summary>printk on the console: polled, with the interrupts masked meanwhile.</summary>
    public IEnumerator<int> Print(byte[] data)
    {
        while (_locked)
        {
            yield return 0;
        }

        _locked = true;
        yield return 0;
        byte saved = uart[IER];
        yield return 0;
        uart[IER] = 0;
        foreach (byte b in data)
        {
            yield return 0;
            while ((uart[LSR] & 0x20) == 0)
            {
                yield return 0;
            }

            uart[TX] = b;
        }

        yield return 0;
        uart[IER] = saved;
        _locked = false;
    }
}
