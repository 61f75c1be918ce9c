using System;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Devices;

/// <summary>A 16550A UART (National Semiconductor PC16550D data sheet), whose line is infinitely fast.</summary>
/// <remarks>
/// <code>
/// offset   read                      write                 with LCR.DLAB
///   0      RBR receive buffer        THR transmit          DLL divisor, low byte
///   1      IER interrupt enable      IER                   DLM divisor, high byte
///   2      IIR interrupt identity    FCR FIFO control
///   3      LCR line control          LCR
///   4      MCR modem control         MCR
///   5      LSR line status           –
///   6      MSR modem status          –
///   7      SCR scratch               SCR
/// </code>
/// A byte written to THR has left before the write returns: THRE and TEMT are always set, and the transmitter's interrupt
/// is pending again at once for a driver that asks IIR or LSR. The edge for it comes later, as it does on a chip whose line
/// takes its time: Linux's handler writes up to 16 bytes, turns the interrupt off when it has no more, and an edge in
/// between would enter it once more for nothing, which doubled the cost of a line of output. So the edge is owed until
/// the main loop, which looks after each byte at least twice, finds it owed for the second time; by then a driver that
/// asks has asked, which settles it, and one that waits gets its edge a millisecond or some after the byte.
/// For the receiver the four character times of the timeout pass at once likewise: bytes below the
/// trigger level interrupt with the timeout's identity.
///
/// The ISA line is an edge, and Linux's handler serves until IIR says that nothing is pending, but gives up after 512
/// rounds (serial8250_interrupt). So an edge is given whenever any source becomes pending, also while another still is: the local
/// APIC keeps one edge that comes during the handler, and the handler is entered once more, whatever it left behind.
///
/// Accesses come from vCPU threads, input from the main loop: a lock guards the registers, held for some instructions.
/// </remarks>
internal sealed class Serial16550 : IBusDevice, ICharFrontend
{
    /// <summary>Ports it takes.</summary>
    public const int Length = 8;

    private const int FifoSize = 16;

    private const byte IerReceive = 0x01;
    private const byte IerTransmit = 0x02;
    private const byte IerLineStatus = 0x04;
    private const byte IerModemStatus = 0x08;
    private const byte IerMask = 0x0F;

    private const byte IirNone = 0x01;
    private const byte IirModemStatus = 0x00;
    private const byte IirTransmit = 0x02;
    private const byte IirReceive = 0x04;
    private const byte IirLineStatus = 0x06;
    private const byte IirTimeout = 0x0C;
    private const byte IirFifoEnabled = 0xC0;

    private const byte FcrEnable = 0x01;
    private const byte FcrClearReceive = 0x02;

    private const byte LcrDivisorAccess = 0x80;

    private const byte McrDtr = 0x01;
    private const byte McrRts = 0x02;
    private const byte McrOut1 = 0x04;
    private const byte McrOut2 = 0x08;
    private const byte McrLoop = 0x10;
    private const byte McrMask = 0x1F;

    private const byte LsrDataReady = 0x01;
    private const byte LsrOverrun = 0x02;
    private const byte LsrTransmitterEmpty = 0x60;

    private const byte MsrDeltaMask = 0x0F;
    private const byte MsrDeltaRing = 0x04;
    private const byte MsrCts = 0x10;
    private const byte MsrDsr = 0x20;
    private const byte MsrRing = 0x40;
    private const byte MsrDcd = 0x80;

    /// <summary>The modem's lines as the host holds them: always ready, with a carrier.</summary>
    private const byte MsrConnected = MsrCts | MsrDsr | MsrDcd;

    /// <summary>9600 baud, what firmware used to leave behind; the line's speed has no effect.</summary>
    private const ushort ResetDivisor = 12;

    private readonly Lock _lock = new();
    private readonly IInterruptLine _interrupt;
    private readonly ICharBackend _backend;
    private readonly byte[] _fifo = new byte[FifoSize];
    private int _fifoHead;
    private int _fifoCount;
    private bool _fifoEnabled;
    private int _fifoTrigger = 1;
    private byte _ier;
    private byte _lcr;
    private byte _mcr;
    private byte _msr = MsrConnected;
    private byte _scr;
    private ushort _divisor = ResetDivisor;
    private bool _overrun;
    private bool _transmitPending;

    // The sources, as bits of IER, that are pending and that the interrupt line has had an edge for.
    private byte _signalled;
    private Owed _transmitEdge;
    private bool _roomWanted;

    public Serial16550(IInterruptLine interrupt, ICharBackend backend)
    {
        _interrupt = interrupt;
        _backend = backend;
        backend.Connect(this);
    }

    /// <summary>What an access leaves to be done when the lock is free again.</summary>
    [Flags]
    private enum Then
    {
        Nothing = 0,
        Interrupt = 1,
        ResumeInput = 2,
    }

    /// <summary>Whether the transmitter is pending and counts as signalled, but its edge is still to come.</summary>
    private enum Owed
    {
        Nothing,
        New,
        SeenOnce,
    }

    /// <summary>Bytes of input that are taken now: a whole FIFO when it is empty, else none.</summary>
    /// <remarks>Refilled only when empty, the receiver's interrupt falls between two fills, and each fill has its edge.</remarks>
    public int Room
    {
        get
        {
            lock (_lock)
            {
                int room = RoomNow;
                _roomWanted = room == 0;
                return room;
            }
        }
    }

    private int FifoCapacity => _fifoEnabled ? FifoSize : 1;

    // In loopback the receiver's input is disconnected from the line.
    private int RoomNow => _fifoCount == 0 && (_mcr & McrLoop) == 0 ? FifoCapacity : 0;

    public void Receive(ReadOnlySpan<byte> data)
    {
        Then then;
        lock (_lock)
        {
            int count = Math.Min(data.Length, RoomNow);
            for (int i = 0; i < count; i++)
            {
                Push(data[i]);
            }

            then = Settle();
        }

        Do(then);
    }

    public void Read(ulong offset, Span<byte> data)
    {
        // A wider access to a byte-wide ISA device is one access to each port in turn.
        for (int i = 0; i < data.Length; i++)
        {
            int register = (int)offset + i;
            Then then;
            lock (_lock)
            {
                data[i] = register < Length ? ReadRegister(register) : (byte)0xFF;
                then = Settle();
            }

            Do(then);
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i++)
        {
            Then then;
            lock (_lock)
            {
                WriteRegister((int)offset + i, data[i]);
                then = Settle();
            }

            Do(then);
        }
    }

    public void OutputServed()
    {
        bool due;
        lock (_lock)
        {
            due = _transmitEdge == Owed.SeenOnce;
            _transmitEdge = _transmitEdge == Owed.New ? Owed.SeenOnce : Owed.Nothing;
        }

        if (due)
        {
            _interrupt.Trigger();
        }
    }

    /// <summary>Puts all registers as they are after power-on (the chip's master reset); input that the guest had not read is lost.</summary>
    public void Reset()
    {
        Then then;
        lock (_lock)
        {
            ClearReceiver();
            _fifoEnabled = false;
            _fifoTrigger = 1;
            _ier = 0;
            _lcr = 0;
            _mcr = 0;
            _msr = MsrConnected;
            _scr = 0;
            _divisor = ResetDivisor;
            _overrun = false;
            _transmitPending = false;
            then = Settle();
        }

        _backend.BeginBoot();
        Do(then);
    }

    public void Save(StateWriter state)
    {
        lock (_lock)
        {
            state.Bytes([_ier, _lcr, _mcr, _msr, _scr, _signalled]);
            state.U16(_divisor);
            state.Bool(_fifoEnabled);
            state.U8((byte)_fifoTrigger);
            state.Bool(_overrun);
            state.Bool(_transmitPending);
            state.Bool(_transmitEdge != Owed.Nothing);
            state.U8((byte)_fifoCount);
            for (int i = 0; i < _fifoCount; i++)
            {
                state.U8(_fifo[(_fifoHead + i) % FifoSize]);
            }
        }
    }

    /// <summary>Takes what <see cref="Save"/> wrote; before anything runs, when the interrupt controllers are as they were.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        bool interrupts;
        lock (_lock)
        {
            ReadOnlySpan<byte> registers = state.Bytes();
            if (registers.Length != 6)
            {
                throw state.Damaged($"{registers.Length} registers stand where 6 are expected");
            }

            (_ier, _lcr, _mcr, _msr, _scr, _signalled) = (registers[0], registers[1], registers[2], registers[3], registers[4], registers[5]);
            _divisor = state.U16();
            _fifoEnabled = state.Bool();
            _fifoTrigger = state.U8();
            _overrun = state.Bool();
            _transmitPending = state.Bool();
            interrupts = state.Bool() || _signalled != 0;
            (_fifoHead, _fifoCount) = (0, state.U8());
            if (_fifoCount > FifoSize || _fifoTrigger is not (1 or 4 or 8 or 14))
            {
                throw state.Damaged($"a receiver of {_fifoCount} bytes and trigger {_fifoTrigger} can't be");
            }

            for (int i = 0; i < _fifoCount; i++)
            {
                _fifo[i] = state.U8();
            }

            state.End();
        }

        // An edge that was given may not have come to the interrupt controllers when they were saved (MmioTransport.Restore). One too many
        // enters the handler once for nothing; one too few stops the output.
        if (interrupts)
        {
            _interrupt.Trigger();
        }
    }

    private byte ReadRegister(int register)
    {
        switch (register)
        {
            case 0 when (_lcr & LcrDivisorAccess) != 0:
                return (byte)_divisor;
            case 0:
                return Pop();
            case 1 when (_lcr & LcrDivisorAccess) != 0:
                return (byte)(_divisor >> 8);
            case 1:
                return _ier;
            case 2:
                byte identity = Identity();

                // Reading IIR acknowledges the transmitter's interrupt, but only when that is what it says.
                _transmitPending &= identity != IirTransmit;
                return (byte)(identity | (_fifoEnabled ? IirFifoEnabled : 0));
            case 3:
                return _lcr;
            case 4:
                return _mcr;
            case 5:
                byte status = (byte)(LsrTransmitterEmpty | (_overrun ? LsrOverrun : 0) | (_fifoCount > 0 ? LsrDataReady : 0));
                _overrun = false;
                return status;
            case 6:
                byte modem = _msr;
                _msr &= unchecked((byte)~MsrDeltaMask);
                return modem;
            default:
                return _scr;
        }
    }

    private void WriteRegister(int register, byte value)
    {
        switch (register)
        {
            case 0 when (_lcr & LcrDivisorAccess) != 0:
                _divisor = (ushort)((_divisor & 0xFF00) | value);
                break;
            case 0:
                Transmit(value);
                break;
            case 1 when (_lcr & LcrDivisorAccess) != 0:
                _divisor = (ushort)((value << 8) | (_divisor & 0x00FF));
                break;
            case 1:
                // Enabling the transmitter's interrupt while THR is empty, which it always is, makes it pending.
                _transmitPending |= (value & ~_ier & IerTransmit) != 0;
                _ier = (byte)(value & IerMask);
                break;
            case 2:
                WriteFifoControl(value);
                break;
            case 3:
                _lcr = value;
                break;
            case 4:
                _mcr = (byte)(value & McrMask);
                UpdateModemLines();
                break;
            case 7:
                _scr = value;
                break;
        }
    }

    private void WriteFifoControl(byte value)
    {
        bool enable = (value & FcrEnable) != 0;
        if (enable != _fifoEnabled)
        {
            // Changing between FIFO and 16450 mode empties both FIFOs.
            _fifoEnabled = enable;
            ClearReceiver();
        }

        if (enable)
        {
            if ((value & FcrClearReceive) != 0)
            {
                ClearReceiver();
            }

            _fifoTrigger = (value >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };
        }
    }

    private void Transmit(byte value)
    {
        if ((_mcr & McrLoop) == 0)
        {
            // The write takes the interrupt back and raises it anew, so it has an edge of its own even where the driver never
            // asked IIR about the one before.
            if (!_backend.Transmit(new ReadOnlySpan<byte>(in value)))
            {
                _signalled &= unchecked((byte)~IerTransmit);
            }
            else if (_transmitEdge == Owed.Nothing)
            {
                _signalled |= IerTransmit;
                _transmitEdge = Owed.New;
            }
        }
        else if (_fifoCount < FifoCapacity)
        {
            Push(value);
        }
        else
        {
            // The FIFO keeps what it has; without it the new character takes the old one's place.
            _overrun = true;
            if (!_fifoEnabled)
            {
                _fifo[_fifoHead] = value;
            }
        }

        _transmitPending = true;
    }

    private void UpdateModemLines()
    {
        byte lines = MsrConnected;
        if ((_mcr & McrLoop) != 0)
        {
            lines = (byte)(
                ((_mcr & McrRts) != 0 ? MsrCts : 0)
                | ((_mcr & McrDtr) != 0 ? MsrDsr : 0)
                | ((_mcr & McrOut1) != 0 ? MsrRing : 0)
                | ((_mcr & McrOut2) != 0 ? MsrDcd : 0));
        }

        // A delta bit for each line that changed; the ring indicator's only when the ringing ends.
        int changed = (lines ^ _msr) >> 4;
        if ((lines & MsrRing) != 0)
        {
            changed &= ~MsrDeltaRing;
        }

        _msr = (byte)(lines | (_msr & MsrDeltaMask) | changed);
    }

    /// <summary>The pending sources as bits of IER, whether enabled or not.</summary>
    private byte Pending() =>
        (byte)((_fifoCount > 0 ? IerReceive : 0)
            | (_transmitPending ? IerTransmit : 0)
            | (_overrun ? IerLineStatus : 0)
            | ((_msr & MsrDeltaMask) != 0 ? IerModemStatus : 0));

    /// <summary>IIR's low four bits: the enabled source of the highest priority.</summary>
    private byte Identity()
    {
        int pending = Pending() & _ier;
        return pending switch
        {
            _ when (pending & IerLineStatus) != 0 => IirLineStatus,
            _ when (pending & IerReceive) != 0 => _fifoEnabled && _fifoCount < _fifoTrigger ? IirTimeout : IirReceive,
            _ when (pending & IerTransmit) != 0 => IirTransmit,
            _ when (pending & IerModemStatus) != 0 => IirModemStatus,
            _ => IirNone,
        };
    }

    /// <summary>After a change of state: what is newly pending needs an edge, and a backend that waits may have room.</summary>
    private Then Settle()
    {
        // On a PC OUT2 gates the chip's interrupt to the bus, and in loopback OUT2's pin is inactive.
        bool gated = (_mcr & (McrOut2 | McrLoop)) != McrOut2;
        int pending = gated ? 0 : Pending() & _ier;
        Then then = (pending & ~_signalled) != 0 ? Then.Interrupt : Then.Nothing;
        _signalled = (byte)pending;
        if ((pending & IerTransmit) == 0)
        {
            // The driver has asked, or doesn't want to know.
            _transmitEdge = Owed.Nothing;
        }

        if (_roomWanted && RoomNow > 0)
        {
            _roomWanted = false;
            then |= Then.ResumeInput;
        }

        return then;
    }

    private void Do(Then then)
    {
        if ((then & Then.Interrupt) != 0)
        {
            _interrupt.Trigger();
        }

        if ((then & Then.ResumeInput) != 0)
        {
            _backend.ResumeInput();
        }
    }

    private void Push(byte value)
    {
        _fifo[(_fifoHead + _fifoCount) % FifoSize] = value;
        _fifoCount++;
    }

    private byte Pop()
    {
        if (_fifoCount == 0)
        {
            return 0;
        }

        byte value = _fifo[_fifoHead];
        _fifoHead = (_fifoHead + 1) % FifoSize;
        _fifoCount--;
        return value;
    }

    private void ClearReceiver()
    {
        _fifoHead = 0;
        _fifoCount = 0;
    }
}
