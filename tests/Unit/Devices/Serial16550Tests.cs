using System;
using System.Linq;
using Strato.Engine.Devices;
using Xunit;
using static Strato.Tests.Unit.Devices.UartPort;

namespace Strato.Tests.Unit.Devices;

/// <summary>Register by register, after the PC16550D data sheet.</summary>
public class Serial16550Tests
{
    private readonly UartPort _uart = new();

    [Fact]
    public void RegistersAfterReset()
    {
        Dirty();
        _uart.Device.Reset();
        Assert.Equal(0, _uart[IER]);
        Assert.Equal(0x01, _uart[IIR]);
        Assert.Equal(0, _uart[LCR]);
        Assert.Equal(0, _uart[MCR]);
        Assert.Equal(0x60, _uart[LSR]);
        Assert.Equal(0xB0, _uart[MSR]);

        void Dirty()
        {
            for (int register = 0; register < 8; register++)
            {
                _uart[register] = 0xFF;
            }
        }
    }

    [Fact]
    public void DivisorLatchHidesTheDataAndInterruptRegisters()
    {
        _uart[IER] = 0x0F;
        _uart[LCR] = 0x83;
        _uart[DLL] = 0x01;
        _uart[DLM] = 0x02;
        Assert.Equal((0x01, 0x02), (_uart[DLL], _uart[DLM]));
        Assert.Empty(_uart.Sent);
        _uart[LCR] = 0x03;
        Assert.Equal(0x0F, _uart[IER]);
        _uart[TX] = 0x55;
        Assert.Equal([0x55], _uart.Sent);
        _uart[LCR] = 0x80;
        Assert.Equal((0x01, 0x02), (_uart[DLL], _uart[DLM]));
    }

    [Fact]
    public void InputThatWasOnItsWayWhenTheGuestLeftTheLineIsLost()
    {
        // The backend asks for room, and the guest goes into loopback before the bytes are there.
        _uart[FCR] = 1;
        Assert.Equal(16, _uart.Room);
        _uart[MCR] = LOOP;
        _uart.Input(1, 2);
        _uart[MCR] = 0;
        Assert.Equal(0x60, _uart[LSR]);

        // Or gives up its FIFO: one byte still fits.
        Assert.Equal(16, _uart.Room);
        _uart[FCR] = 0;
        _uart.Input(1, 2);
        Assert.Equal((0x61, 1, 0x60), (_uart[LSR], _uart[RX], _uart[LSR]));
    }

    [Fact]
    public void UnusedBitsReadZero()
    {
        _uart[IER] = 0xFF;
        _uart[MCR] = 0xE0;
        Assert.Equal((0x0F, 0x00), (_uart[IER], _uart[MCR]));
    }

    [Fact]
    public void StatusRegistersAndFifoControlCantBeWritten()
    {
        _uart[LSR] = 0xFF;
        _uart[MSR] = 0xFF;
        Assert.Equal((0x60, 0xB0), (_uart[LSR], _uart[MSR]));
    }

    [Fact]
    public void ScratchKeepsWhatIsWritten()
    {
        _uart[SCR] = 0xA5;
        Assert.Equal(0xA5, _uart[SCR]);
    }

    [Fact]
    public void FifoEnableShowsInTheIdentity()
    {
        Assert.Equal(0x01, _uart[IIR]);
        _uart[FCR] = 0x01;
        Assert.Equal(0xC1, _uart[IIR]);

        // Without bit 0 the other bits are not programmed, and the mode is left.
        _uart[FCR] = 0xC6;
        Assert.Equal(0x01, _uart[IIR]);
    }

    [Fact]
    public void WithoutAFifoOneByteIsTaken()
    {
        Assert.Equal(1, _uart.Room);
        _uart.Input(1, 2);
        Assert.Equal(0, _uart.Room);
        Assert.Equal(0x61, _uart[LSR]);
        Assert.Equal(1, _uart[RX]);
        Assert.Equal(0x60, _uart[LSR]);
    }

    [Fact]
    public void TheFifoTakesSixteenBytesInOrder()
    {
        _uart[FCR] = 0x01;
        byte[] data = [.. Enumerable.Range(1, 17).Select(i => (byte)i)];
        Assert.Equal(16, _uart.Room);
        _uart.Input(data);
        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(0x61, _uart[LSR]);
            Assert.Equal(data[i], _uart[RX]);
        }

        Assert.Equal(0x60, _uart[LSR]);
    }

    [Theory]
    [InlineData(0x07)]
    [InlineData(0x03)]
    [InlineData(0x00)]
    [InlineData(0x06)]
    public void TheReceiverIsClearedByCommandAndByAChangeOfMode(byte control)
    {
        _uart[FCR] = 0x01;
        _uart.Input(1, 2, 3);
        _uart[FCR] = control;
        Assert.Equal(0x60, _uart[LSR]);
    }

    [Fact]
    public void WritingTheSameModeKeepsWhatWasReceived()
    {
        _uart[FCR] = 0x01;
        _uart.Input(1, 2, 3);
        _uart[FCR] = 0x81;
        Assert.Equal(0x61, _uart[LSR]);
        Assert.Equal(1, _uart[RX]);
    }

    [Theory]
    [InlineData(0x01, 1)]
    [InlineData(0x41, 4)]
    [InlineData(0x81, 8)]
    [InlineData(0xC1, 14)]
    public void BelowTheTriggerLevelTheIdentityIsTimeout(byte control, int level)
    {
        _uart[FCR] = control;
        _uart[IER] = RDI;
        byte[] data = new byte[16];
        _uart.Input(data);
        for (int left = 16; left > 0; left--)
        {
            Assert.Equal(left >= level ? 0xC4 : 0xCC, _uart[IIR]);
            _ = _uart[RX];
        }

        Assert.Equal(0xC1, _uart[IIR]);
    }

    [Fact]
    public void EnablingTheTransmitterInterruptMakesItPendingEachTime()
    {
        _uart[MCR] = OUT2;
        for (int i = 0; i < 3; i++)
        {
            _uart[IER] = THRI;
            Assert.Equal(1, _uart.TakeEdges());
            Assert.Equal(0x02, _uart[IIR]);
            Assert.Equal(0x01, _uart[IIR]);
            _uart[IER] = 0;
        }

        _uart[IER] = THRI;
        _ = _uart[IIR];
        _uart.TakeEdges();
        _uart[IER] = THRI;
        Assert.Equal(0, _uart.TakeEdges());
        Assert.Equal(0x01, _uart[IIR]);
    }

    [Fact]
    public void EachBurstOfOutputHasOneEdgeWhenItIsServed()
    {
        _uart[FCR] = 0x01;
        _uart[MCR] = OUT2;
        _uart[IER] = THRI;
        _ = _uart[IIR];
        _uart.TakeEdges();
        for (int burst = 0; burst < 3; burst++)
        {
            for (int i = 0; i < 16; i++)
            {
                _uart[TX] = (byte)i;
            }

            Assert.True(_uart.Look());
            Assert.Equal(0, _uart.TakeEdges());
            Assert.True(_uart.Look());
            Assert.Equal(1, _uart.TakeEdges());
            Assert.Equal(0xC2, _uart[IIR]);
            Assert.Equal(0xC1, _uart[IIR]);
        }

        Assert.Equal(48, _uart.Sent.Count);
    }

    [Fact]
    public void OutputThatIsGoneAtOnceHasItsEdgeAtOnce()
    {
        UartPort uart = new() { ServesLater = false };
        uart[MCR] = OUT2;
        uart[IER] = THRI;
        _ = uart[IIR];
        uart.TakeEdges();
        uart[TX] = 1;
        Assert.Equal(1, uart.TakeEdges());
    }

    [Fact]
    public void ADriverThatHasAskedOrTurnedTheInterruptOffGetsNoEdge()
    {
        _uart[FCR] = 0x01;
        _uart[MCR] = OUT2;
        _uart[IER] = THRI;
        _uart.TakeEdges();
        foreach (bool asks in new[] { true, false })
        {
            _ = _uart[IIR];
            _uart[TX] = 1;
            _uart.Look();
            if (asks)
            {
                Assert.Equal(0xC2, _uart[IIR]);
            }
            else
            {
                _uart[IER] = 0;
            }

            _uart.Look();
            Assert.Equal(0, _uart.TakeEdges());
        }

        // Turned on again it is pending, as ever.
        _uart[IER] = THRI;
        Assert.Equal((1, 0xC2), (_uart.TakeEdges(), _uart[IIR]));
    }

    [Fact]
    public void AnEdgeThatIsOwedIsForgottenByAReset()
    {
        _uart[MCR] = OUT2;
        _uart[IER] = THRI;
        _ = _uart[IIR];
        _uart[TX] = 1;
        _uart.Look();
        _uart.TakeEdges();
        _uart.Device.Reset();
        _uart.Look();
        Assert.Equal(0, _uart.TakeEdges());
    }

    [Fact]
    public void DisabledSourcesAreNotIdentifiedButKept()
    {
        _uart[MCR] = OUT2;
        _uart.Input(7);
        Assert.Equal((0x01, 0), (_uart[IIR], _uart.TakeEdges()));
        _uart[IER] = RDI;
        Assert.Equal((0x04, 1), (_uart[IIR], _uart.TakeEdges()));
    }

    [Fact]
    public void InputThatCameWhileInterruptsWereMaskedHasAnEdgeWhenTheyAreRestored()
    {
        // serial8250_console_write() masks IER around each message.
        _uart[FCR] = 0x01;
        _uart[MCR] = OUT2;
        _uart[IER] = RDI | RLSI;
        byte saved = _uart[IER];
        _uart[IER] = 0;
        _uart.Input(1);
        Assert.Equal(0, _uart.TakeEdges());
        _uart[IER] = saved;
        Assert.Equal(1, _uart.TakeEdges());
    }

    [Fact]
    public void PrioritiesAndHowEachSourceIsCleared()
    {
        // In loopback all four can be made pending.
        _uart[MCR] = LOOP;
        _ = _uart[MSR];
        _uart[IER] = 0x0F;
        _uart[TX] = 1;
        _uart[TX] = 2;
        _uart[MCR] = LOOP | 0x02;

        Assert.Equal(0x06, _uart[IIR]);
        Assert.Equal(0x63, _uart[LSR]);
        Assert.Equal(0x04, _uart[IIR]);
        Assert.Equal(2, _uart[RX]);
        Assert.Equal(0x02, _uart[IIR]);
        Assert.Equal(0x00, _uart[IIR]);
        Assert.Equal(0x11, _uart[MSR]);
        Assert.Equal(0x01, _uart[IIR]);
        Assert.Equal(0x10, _uart[MSR]);
        Assert.Empty(_uart.Sent);
    }

    [Fact]
    public void AnIdentityOfHigherPriorityDoesNotAcknowledgeTheTransmitter()
    {
        _uart[IER] = RDI | THRI;
        _uart.Input(1);
        Assert.Equal(0x04, _uart[IIR]);
        Assert.Equal(0x04, _uart[IIR]);
        _ = _uart[RX];
        Assert.Equal(0x02, _uart[IIR]);
        Assert.Equal(0x01, _uart[IIR]);
    }

    [Fact]
    public void LoopbackFillsTheFifoAndThenOverruns()
    {
        // FreeBSD's uart(4) measures the FIFO so.
        _uart[FCR] = 0x01;
        _uart[MCR] = LOOP;
        for (int i = 0; i < 16; i++)
        {
            _uart[TX] = (byte)i;
            Assert.Equal(0x61, _uart[LSR]);
        }

        _uart[TX] = 0xFF;
        Assert.Equal(0x63, _uart[LSR]);
        Assert.Equal(0x61, _uart[LSR]);
        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(i, _uart[RX]);
        }

        Assert.Equal(0x60, _uart[LSR]);
    }

    [Fact]
    public void LoopbackCutsTheLineOffUntilItEnds()
    {
        _uart[MCR] = LOOP;
        Assert.Equal(0, _uart.Room);
        _uart.Input(1);
        Assert.Equal(0x60, _uart[LSR]);
        _uart[MCR] = 0;
        Assert.Equal(1, _uart.Resumes);
        Assert.Equal(1, _uart.Room);
    }

    [Fact]
    public void LoopbackJoinsModemOutputsToInputsAndNotesChanges()
    {
        (byte Control, byte Status)[] pairs = [(0x01, 0x20), (0x02, 0x10), (0x04, 0x40), (0x08, 0x80)];
        foreach ((byte control, byte status) in pairs)
        {
            _uart[MCR] = LOOP;
            _ = _uart[MSR];
            _uart[MCR] = (byte)(LOOP | control);

            // The ring indicator's delta is set when ringing ends, the others' at each change.
            Assert.Equal(control == 0x04 ? status : status | (status >> 4), _uart[MSR]);
            _uart[MCR] = LOOP;
            Assert.Equal(status >> 4, _uart[MSR]);
        }
    }

    [Fact]
    public void Out2GatesTheInterrupt()
    {
        _uart[IER] = RDI;
        _uart.Input(1);
        Assert.Equal(0, _uart.TakeEdges());
        _uart[MCR] = OUT2;
        Assert.Equal(1, _uart.TakeEdges());
    }

    [Fact]
    public void RoomIsToldToWhoFoundNone()
    {
        _uart[FCR] = 0x01;
        _uart.Input(1, 2);
        _ = _uart[RX];
        _ = _uart[RX];
        Assert.Equal(0, _uart.Resumes);
        _uart.Input(3, 4);
        Assert.Equal(0, _uart.Room);
        _ = _uart[RX];
        Assert.Equal(0, _uart.Resumes);
        _ = _uart[RX];
        Assert.Equal(1, _uart.Resumes);
        Assert.Equal(16, _uart.Room);
    }

    [Fact]
    public void EveryWayToEmptyTheReceiverTellsOfRoom()
    {
        Action[] ways = [() => _uart[FCR] = 0x03, () => _uart[FCR] = 0x00, () => _uart.Device.Reset()];
        for (int i = 0; i < ways.Length; i++)
        {
            _uart[FCR] = 0x01;
            _uart.Input(1);
            Assert.Equal(0, _uart.Room);
            ways[i]();
            Assert.Equal(i + 1, _uart.Resumes);
        }
    }

    [Fact]
    public void WideAccessesAreOneToEachPort()
    {
        byte[] four = [0x41, 0x0F, 0x01, 0x03];
        _uart.Device.Write(0, four);
        Assert.Equal([0x41], _uart.Sent);
        Assert.Equal((0x0F, 0x03), (_uart[IER], _uart[LCR]));
        byte[] two = new byte[2];
        _uart.Device.Read(3, two);
        Assert.Equal([0x03, 0x00], two);
    }

    [Fact]
    public void NoAccessOfAnyKindThrows()
    {
        Random random = new(1);
        byte[] data = new byte[8];
        for (int i = 0; i < 50_000; i++)
        {
            int length = 1 << random.Next(4);
            random.NextBytes(data);
            ulong offset = (ulong)random.Next(Serial16550.Length);
            if (random.Next(2) == 0)
            {
                _uart.Device.Write(offset, data.AsSpan(0, length));
            }
            else
            {
                _uart.Device.Read(offset, data.AsSpan(0, length));
            }

            if (random.Next(4) == 0)
            {
                _uart.Input(data);
            }

            Assert.Equal(0x60, _uart[LSR] & 0x60);
        }
    }

    [Fact]
    public void LinuxAutoconfigFindsA16550A()
    {
        // serial8250_port.c autoconfig(), in its order.
        byte scratch = _uart[IER];
        _uart[IER] = 0;
        Assert.Equal(0, _uart[IER] & 0x0F);
        _uart[IER] = 0x0F;
        Assert.Equal(0x0F, _uart[IER] & 0x0F);
        _uart[IER] = scratch;

        byte mcr = _uart[MCR];
        byte lcr = _uart[LCR];
        _uart[MCR] = LOOP | 0x0A;
        Assert.Equal(0x90, _uart[MSR] & 0xF0);
        _uart[MCR] = mcr;

        _uart[LCR] = 0xBF;
        _uart[FCR] = 0;
        _uart[LCR] = 0;
        _uart[FCR] = 0x01;
        Assert.Equal(3, _uart[IIR] >> 6);

        // autoconfig_16550a(): neither a 16650 (EFR at offset 2) …
        _uart[LCR] = 0x80;
        Assert.NotEqual(0, _uart[2]);
        _uart[LCR] = 0xBF;
        Assert.NotEqual(0, _uart[2]);

        // … nor a National super I/O (EXCR1's LOOP follows MCR's) …
        _uart[LCR] = 0;
        byte status1 = _uart[MCR];
        _uart[LCR] = 0xE0;
        Assert.Equal(0, (_uart[2] ^ status1) & LOOP);
        _uart[LCR] = 0;
        _uart[MCR] = (byte)(status1 ^ LOOP);
        _uart[LCR] = 0xE0;
        byte status2 = _uart[2];
        _uart[LCR] = 0;
        _uart[MCR] = status1;
        Assert.Equal(0, (status2 ^ status1) & LOOP);

        // … nor a 16750 (bit 5 of IIR with a 64-byte FIFO) …
        _uart[FCR] = 0x21;
        Assert.Equal(0xC0, _uart[IIR] & 0xE0);
        _uart[FCR] = 0x01;
        _uart[LCR] = 0x80;
        _uart[FCR] = 0x21;
        Assert.Equal(0xC0, _uart[IIR] & 0xE0);
        _uart[FCR] = 0x01;
        _uart[LCR] = 0;

        // … nor an XScale's (UUE, bit 6 of IER).
        byte ier = _uart[IER];
        _uart[IER] = (byte)(ier | 0x40);
        Assert.Equal(0, _uart[IER] & 0x40);
        _uart[IER] = ier;
        _uart[LCR] = lcr;
        Assert.Empty(_uart.Sent);
    }

    [Fact]
    public void LinuxStartupFindsNoBug()
    {
        // serial8250_do_startup(): clear_fifos, registers read clear, the THRE test, the TXEN test.
        _uart[FCR] = 0x01;
        _uart[FCR] = 0x07;
        _uart[FCR] = 0x00;
        _ = (_uart[LSR], _uart[RX], _uart[IIR], _uart[MSR]);
        Assert.NotEqual(0xFF, _uart[LSR]);
        _uart[LCR] = 0x03;

        _uart[IER] = THRI;
        byte first = _uart[IIR];
        _uart[IER] = 0;
        _uart[IER] = THRI;
        byte second = _uart[IIR];
        _uart[IER] = 0;
        Assert.Equal((0, 0), (first & 1, second & 1));

        _uart[MCR] = 0x0B;
        _uart[IER] = THRI;
        byte lsr = _uart[LSR];
        byte iir = _uart[IIR];
        _uart[IER] = 0;
        Assert.Equal((0x40, 0), (lsr & 0x40, iir & 1));
        Assert.Equal(0x01, _uart[IIR]);
    }

    [Fact]
    public void EarlyPrintkPolls()
    {
        // early_serial_init() and early_serial_putc().
        _uart[LCR] = 0x03;
        _uart[IER] = 0;
        _uart[FCR] = 0;
        _uart[MCR] = 0x03;
        byte c = _uart[LCR];
        _uart[LCR] = (byte)(c | 0x80);
        _uart[DLL] = 1;
        _uart[DLM] = 0;
        _uart[LCR] = (byte)(c & ~0x80);
        foreach (byte b in "early\n"u8)
        {
            Assert.NotEqual(0, _uart[LSR] & 0x20);
            _uart[TX] = b;
        }

        Assert.Equal("early\n"u8.ToArray(), _uart.Sent.ToArray());
        Assert.Equal(0, _uart.Edges);
    }
}
