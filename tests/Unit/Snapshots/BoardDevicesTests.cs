using System;
using System.Buffers.Binary;
using Strato.Engine.Bus;
using Strato.Engine.Devices;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Strato.Tests.Unit.Devices;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>The devices that aren't virtio's: what they were, they are again.</summary>
public sealed class BoardDevicesTests
{
    [Fact]
    public void AUartIsAsItWas()
    {
        UartPort first = new();
        Random random = new(1);
        for (int round = 0; round < 300; round++)
        {
            for (int i = random.Next(12); i >= 0; i--)
            {
                int register = random.Next(8);
                if (random.Next(3) == 0)
                {
                    _ = first[register];
                }
                else
                {
                    first[register] = (byte)random.Next(256);
                }
            }

            if (first.Room > 0)
            {
                byte[] input = new byte[random.Next(1, 17)];
                random.NextBytes(input);
                first.Input(input);
            }

            while (first.Look())
            {
            }

            byte[] saved = Save(first.Device.Save);
            UartPort second = new();
            second.Device.Restore(Read(saved));
            Assert.Equal(saved, Save(second.Device.Save));

            // Of what is pending: it may not have come to the interrupt controllers.
            Assert.Equal(saved[9] != 0 ? 1 : 0, second.TakeEdges());

            // Both go on alike, registers and interrupts.
            first.TakeEdges();
            (first[UartPort.LCR], second[UartPort.LCR]) = (3, 3);
            for (int register = 0; register < 8; register++)
            {
                Assert.Equal(first[register], second[register]);
            }

            (first[UartPort.IER], second[UartPort.IER]) = (0, 0);
            (first[UartPort.IER], second[UartPort.IER]) = (UartPort.RDI | UartPort.THRI, UartPort.RDI | UartPort.THRI);
            Assert.Equal(first.TakeEdges(), second.TakeEdges());
            Assert.Equal(first[UartPort.IIR], second[UartPort.IIR]);
            Assert.Equal(Save(first.Device.Save), Save(second.Device.Save));
            first = second;
        }
    }

    [Fact]
    public void InputThatWasntReadIsThereAndItsInterruptToo()
    {
        UartPort first = new();
        first[UartPort.FCR] = 0x81;
        first[UartPort.MCR] = UartPort.OUT2;
        first[UartPort.IER] = UartPort.RDI;
        first.Input(1, 2, 3);
        UartPort second = new();
        second.Device.Restore(Read(Save(first.Device.Save)));
        Assert.Equal(1, second.TakeEdges());
        Assert.Equal(0xCC, second[UartPort.IIR]);
        Assert.Equal(0, second.Room);
        Assert.Equal((1, 2, 3), (second[UartPort.RX], second[UartPort.RX], second[UartPort.RX]));
        Assert.Equal(0xC1, second[UartPort.IIR]);
    }

    /// <summary>An edge that the transmitter still owed comes at once: one too few would stop the output.</summary>
    [Fact]
    public void AnEdgeThatIsOwedIsGiven()
    {
        UartPort first = new();
        first[UartPort.MCR] = UartPort.OUT2;
        first[UartPort.IER] = UartPort.THRI;
        _ = first[UartPort.IIR];
        first.TakeEdges();
        first[UartPort.TX] = (byte)'x';
        Assert.Equal(0, first.TakeEdges());
        UartPort second = new();
        second.Device.Restore(Read(Save(first.Device.Save)));
        Assert.Equal(1, second.TakeEdges());
        Assert.Equal(2, second[UartPort.IIR] & 0xF);
    }

    [Theory]
    [InlineData(0, 5)]
    [InlineData(12, 2)]
    [InlineData(13, 3)]
    [InlineData(14, 2)]
    [InlineData(16, 2)]
    [InlineData(17, 17)]
    public void AUartThatCantBeIsRefused(int at, byte value)
    {
        byte[] saved = Save(new UartPort().Device.Save);
        saved[at] = value;
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => new UartPort().Device.Restore(Read(saved))).Id);
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => new UartPort().Device.Restore(Read(saved[..^1]))).Id);
    }

    [Theory]
    [InlineData(0u, false)]
    [InlineData((uint)PowerEvents.PowerButton, true)]
    [InlineData((uint)(PowerEvents.PowerButton | PowerEvents.CpuHotplug), true)]
    public void EventsThatWerentTakenHoldTheLineAgain(uint events, bool raised)
    {
        Line line = new();
        PowerControl first = new(new Line(), () => { }, () => { });
        if (events != 0)
        {
            first.Raise((PowerEvents)events);
        }

        PowerControl second = new(line, () => { }, () => { });
        byte[] saved = Save(first.Save);
        second.Restore(Read(saved));
        Assert.Equal(raised, line.IsHigh);
        Assert.Equal(saved, Save(second.Save));
        byte[] taken = new byte[4];
        second.Read(PowerControl.EventsOffset, taken);
        Assert.Equal(events, BinaryPrimitives.ReadUInt32LittleEndian(taken));
        Assert.False(line.IsHigh);
    }

    [Fact]
    public void EventsThatCantBeAreRefused()
    {
        PowerControl power = new(new Line(), () => { }, () => { });
        UserErrorException error = Assert.Throws<UserErrorException>(() => power.Restore(Read([8, 0, 0, 0])));
        Assert.Equal(("SnapshotDamaged", "The snapshot's section 's' is damaged: the events 0x8 can't be."), (error.Id, error.Message));
    }

    [Fact]
    public void CpusAreWhereTheyWereAndWhatWasAskedIsAsked()
    {
        CpuHotplug first = Cpus();
        first.Insert(3);
        Write(first, CpuHotplug.AnswerOffset, 3 | (CpuHotplug.DeviceCheck << 8));
        first.Insert(4);
        first.RequestRemoval(3);
        Write(first, CpuHotplug.StatusOffset, 3);
        byte[] saved = Save(first.Save);
        CpuHotplug second = Cpus();
        second.Restore(Read(saved));
        Assert.Equal(saved, Save(second.Save));
        for (int cpu = 0; cpu < 6; cpu++)
        {
            Assert.Equal(cpu is 0 or 1 or 3 or 4, second.IsThere(cpu));
            Assert.Equal(cpu == 3, second.IsAskedFor(cpu));
        }

        Assert.Equal(0xFu, Read(second, CpuHotplug.StatusOffset));
        Assert.Equal(Read(first, CpuHotplug.EventOffset), Read(second, CpuHotplug.EventOffset));
        Assert.Equal(Read(first, CpuHotplug.EventOffset), Read(second, CpuHotplug.EventOffset));
        int ejected = -1;
        second.Ejected = cpu => ejected = cpu;
        Write(second, CpuHotplug.EjectOffset, 3);
        Assert.Equal(3, ejected);
    }

    [Fact]
    public void CpusOfAnotherMachineAreRefused()
    {
        byte[] saved = Save(Cpus().Save);
        Refused(new CpuHotplug(2, 5, () => { }), saved);
        Refused(new CpuHotplug(2, 7, () => { }), saved);
        Refused(new CpuHotplug(3, 6, () => { }), saved);
        Refused(Cpus(), saved[..^1]);
        Refused(Cpus(), [.. saved, 0]);

        static void Refused(CpuHotplug cpus, byte[] saved) =>
            Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => cpus.Restore(Read(saved))).Id);
    }

    [Fact]
    public void AClockGoesOnAndNeverBack()
    {
        GuestClock clock = new(1000, 5);
        Assert.Equal(clock, GuestClock.Parse(new StateFile(Guid.Empty, [clock.ToSection()])));
        ulong now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1_000_000;
        Assert.InRange((clock with { StoppedAt = now - 3_000_000_000 }).WithLostTime(), 3_000_000_000ul, 120_000_000_000ul);

        // Where this host's time is before the other's.
        Assert.Equal(1000ul, (clock with { StoppedAt = now + 3_600_000_000_000 }).WithLostTime());
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => GuestClock.Parse(new StateFile(Guid.Empty, [new SnapshotSection("clock", 1, new byte[15])]))).Id);
    }

    private static CpuHotplug Cpus() => new(2, 6, () => { });

    private static byte[] Save(Action<StateWriter> save)
    {
        StateWriter writer = new();
        save(writer);
        return writer.ToSection("s").Data.ToArray();
    }

    private static StateReader Read(byte[] saved) => new SnapshotSection("s", 1, saved).Read();

    private static uint Read(CpuHotplug cpus, int offset)
    {
        byte[] data = new byte[4];
        cpus.Read((ulong)offset, data);
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }

    private static void Write(CpuHotplug cpus, int offset, uint value)
    {
        byte[] data = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        cpus.Write((ulong)offset, data);
    }

    private sealed class Line : ILevelInterruptLine
    {
        public bool IsHigh { get; private set; }

        public void Set(bool high) => IsHigh = high;
    }
}
