using System;
using System.Collections.Generic;
using System.Linq;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Bus;
using Strato.Engine.Chardev;
using Strato.Engine.Devices;
using Xunit;

namespace Strato.Tests.Unit.Devices;

/// <summary>Whatever happens between any two accesses of the driver, no interrupt is lost: all output and all input get through.</summary>
public class Serial16550DriverTests
{
    [Fact]
    public void NoInterruptIsLostUnderAnyInterleaving() =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => Interleave(new Random(seed), outputLength: 300, inputLength: 300))
            .Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(400));

    [Fact]
    public void AHundredThousandBytesEachWay() => Interleave(new Random(1), outputLength: 100_000, inputLength: 100_000);

    [Fact]
    public void AnIdleLineHasNoInterrupts()
    {
        // Linux turns an interrupt off that nobody handles 99,900 times of 100,000: half of them may be spurious, no more.
        Random random = new(2);
        UartPort uart = Interleave(random, 20_000, 20_000, out SimulatedDriver driver);
        Assert.True(driver.Unhandled <= driver.Handled, $"{driver.Unhandled} of {driver.Unhandled + driver.Handled} were spurious");
        Assert.Equal(1, uart[UartPort.IIR] & 1);
    }

    [Fact]
    public void ALineOfOutputHasOneInterrupt()
    {
        // The tty layer hands over a line's text and its end, each a start of the transmitter; the loop looks while the handler runs.
        UartPort uart = new();
        SimulatedDriver driver = new(uart, passLimit: 512);
        bool requested = false;
        uart.Edge = () => requested = true;
        driver.Start();
        for (int line = 0; line < 100; line++)
        {
            for (IEnumerator<int> write = driver.Write("a line of the guest"u8.ToArray()); write.MoveNext();)
            {
                while (requested)
                {
                    requested = false;
                    bool looked = false;
                    for (IEnumerator<int> handler = driver.Interrupt(); handler.MoveNext();)
                    {
                        looked = looked || uart.Look();
                    }
                }
            }

            Assert.True(driver.Idle);
            while (uart.Look())
            {
            }
        }

        Assert.Equal((100, 0), (driver.Handled, driver.Unhandled));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void ADriverThatNeverAsksTwiceGetsAnEdgeForEachBurst(bool servesLater, bool asksIir)
    {
        UartPort uart = new() { ServesLater = servesLater };
        int left = 10_000;
        uart[UartPort.FCR] = 0x01;
        uart[UartPort.MCR] = UartPort.OUT2;
        uart[UartPort.IER] = UartPort.THRI;
        while (left > 0)
        {
            while (uart.Edges == 0 && uart.Look())
            {
            }

            // A backend that has nothing to serve later takes each byte at once: an edge for each, of which the APIC keeps one.
            Assert.InRange(uart.TakeEdges(), 1, servesLater ? 1 : 16);
            if (asksIir)
            {
                Assert.Equal(0xC2, uart[UartPort.IIR]);
            }
            else
            {
                Assert.Equal(0x60, uart[UartPort.LSR]);
            }

            for (int i = 0; i < 16 && left > 0; i++, left--)
            {
                uart[UartPort.TX] = (byte)left;
            }
        }

        Assert.Equal(10_000, uart.Sent.Count);
    }

    [Fact]
    public void OutputAllocatesNothing()
    {
        Discard discard = new();
        Serial16550 uart = new(discard, discard);
        uart.Write(UartPort.IER, [UartPort.THRI]);
        uart.Write(UartPort.MCR, [UartPort.OUT2]);
        byte[] data = new byte[1];
        Burst();
        Allocation.AssertNone(Burst);

        void Burst()
        {
            for (int i = 0; i < 10_000; i++)
            {
                uart.Read(UartPort.LSR, data);
                uart.Write(UartPort.TX, data);
                uart.Read(UartPort.IIR, data);
                uart.OutputServed();
                uart.Receive(data);
                uart.Read(UartPort.RX, data);
            }
        }
    }

    private static bool Interleave(Random random, int outputLength, int inputLength)
    {
        _ = Interleave(random, outputLength, inputLength, out _);
        return true;
    }

    /// <summary>Runs the driver's handler, a writing process, printk and the host's input, taking a step of one at random, until nothing moves.</summary>
    private static UartPort Interleave(Random random, int outputLength, int inputLength, out SimulatedDriver driver)
    {
        UartPort uart = new() { ServesLater = random.Next(4) > 0 };
        driver = new SimulatedDriver(uart, passLimit: random.Next(1, 6));

        // The local APIC keeps one edge while the handler runs.
        bool requested = false;
        uart.Edge = () => requested = true;
        driver.Start();

        // The three streams are told apart by their top bits.
        byte[] output = [.. Enumerable.Range(0, outputLength).Select(i => (byte)(i % 128))];
        byte[] printed = [.. Enumerable.Range(0, outputLength / 8).Select(i => (byte)(128 + (i % 128)))];
        byte[] input = [.. Enumerable.Range(0, inputLength).Select(i => (byte)i)];
        IEnumerator<int>? process = driver.Write(output);
        IEnumerator<int>? handler = null;
        IEnumerator<int>? print = null;
        int printedTo = 0;
        int given = 0;
        bool waiting = false;
        int resumesSeen = 0;
        int bias = random.Next(1, 12);

        // Nothing moves any more when so many steps brought no byte further, in any direction.
        int progress = 0;
        for (int still = 0; still < 3000; still++)
        {
            int now = uart.Sent.Count + driver.Received.Count + given + printedTo;
            still = now == progress ? still : 0;
            progress = now;
            switch (random.Next(4 + bias))
            {
                case 0:
                    Step(ref process);
                    break;
                case 1 when print is not null:
                    Step(ref print);
                    break;
                case 1 when printedTo < printed.Length:
                    int count = Math.Min(random.Next(1, 20), printed.Length - printedTo);
                    print = driver.Print(printed[printedTo..(printedTo + count)]);
                    printedTo += count;
                    break;
                case 2:
                    if (waiting && uart.Resumes == resumesSeen)
                    {
                        break;
                    }

                    resumesSeen = uart.Resumes;
                    int room = given < input.Length ? Math.Min(uart.Room, input.Length - given) : 0;
                    waiting = given < input.Length && room == 0;
                    if (room > 0)
                    {
                        int bytes = random.Next(1, room + 1);
                        uart.Input(input[given..(given + bytes)]);
                        given += bytes;
                    }

                    break;
                case 3:
                    uart.Look();
                    break;
                default:
                    if (handler is null && requested)
                    {
                        requested = false;
                        handler = driver.Interrupt();
                    }

                    Step(ref handler);
                    break;
            }
        }

        Assert.True(driver.Idle, "the transmitter waits for an interrupt that never comes");
        Assert.Null(process);
        Assert.Null(handler);
        Assert.Equal(output, uart.Sent.Where(b => b < 128).ToArray());
        Assert.Equal(printed, uart.Sent.Where(b => b >= 128).ToArray());
        Assert.Equal(input, driver.Received.ToArray());
        return uart;

        static void Step(ref IEnumerator<int>? work) => work = work is not null && work.MoveNext() ? work : null;
    }

    private sealed class Discard : ICharBackend, IInterruptLine
    {
        public string Name => "discard";

        public void Connect(ICharFrontend frontend)
        {
        }

        public bool Transmit(ReadOnlySpan<byte> data) => true;

        public void ResumeInput()
        {
        }

        public void Flush(TimeSpan limit)
        {
        }

        public void Dispose()
        {
        }

        public void Trigger()
        {
        }
    }
}
