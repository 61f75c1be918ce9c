using System;
using System.Buffers.Binary;
using Strato.Engine.Bus;
using Strato.Engine.Devices;
using Xunit;

namespace Strato.Tests.Unit.Devices;

public class PowerTests
{
    private readonly LevelLine _line = new();
    private readonly PowerControl _power;
    private int _powerOffs;
    private int _resets;

    public PowerTests()
    {
        _power = new PowerControl(_line, () => _powerOffs++, () => _resets++);
    }

    [Fact]
    public void TheResetRegisterTakesItsValueAlone()
    {
        for (int value = 0; value < 256; value++)
        {
            _power.Write(PowerControl.ResetOffset, [(byte)value]);
        }

        Assert.Equal(1, _resets);
        Assert.Equal(0, _powerOffs);
    }

    [Fact]
    public void OnlySleepEnableWithTheTypeOfS5PowersOff()
    {
        // Linux writes SLP_TYP << 2 | SLP_EN; the reserved bits may be anything.
        for (int type = 0; type < 8; type++)
        {
            _power.Write(PowerControl.SleepControlOffset, [(byte)(type << 2)]);
            Assert.Equal(0, _powerOffs);
        }

        for (int type = 0; type < 8; type++)
        {
            _power.Write(PowerControl.SleepControlOffset, [(byte)((type << 2) | 0x20 | 0x81)]);
            Assert.Equal(type < PowerControl.SleepTypeS5 ? 0 : 1, _powerOffs);
        }
    }

    [Fact]
    public void AWideWriteReachesEachRegisterInTurn()
    {
        _power.Write(0, [0, PowerControl.PowerOffValue]);
        Assert.Equal(1, _powerOffs);
    }

    [Fact]
    public void AnEventInterruptsAndIsTakenByOneRead()
    {
        _power.Raise(PowerEvents.PowerButton);
        Assert.Equal(0u, Read(PowerControl.EventsOffset, 1));
        Assert.Equal(0u, Read(PowerControl.EventsOffset + 2, 4));

        // A guest that unmasks the interrupt now finds it still.
        Assert.True(_line.IsAsserted);
        Assert.Equal((uint)PowerEvents.PowerButton, Read(PowerControl.EventsOffset, 4));
        Assert.False(_line.IsAsserted);
        Assert.Equal(0u, Read(PowerControl.EventsOffset, 4));
        _power.Raise(PowerEvents.CpuHotplug);
        Assert.True(_line.IsAsserted);
    }

    [Fact]
    public void EventsGatherUntilTheyAreRead()
    {
        _power.Raise(PowerEvents.PowerButton);
        _power.Raise(PowerEvents.CpuHotplug);
        Assert.True(_line.IsAsserted);
        Assert.Equal((uint)(PowerEvents.PowerButton | PowerEvents.CpuHotplug), Read(PowerControl.EventsOffset, 4));
    }

    [Fact]
    public void ResetDropsEvents()
    {
        _power.Raise(PowerEvents.PowerButton);
        _power.Reset();
        Assert.False(_line.IsAsserted);
        Assert.Equal(0u, Read(PowerControl.EventsOffset, 4));
    }

    [Fact]
    public void AnyOtherAccessReadsZeroAndDoesNothing()
    {
        _power.Raise(PowerEvents.PowerButton);
        for (uint offset = 0; offset < PowerControl.Length; offset++)
        {
            if (offset is not (PowerControl.ResetOffset or PowerControl.SleepControlOffset))
            {
                _power.Write(offset, [0xFF]);
            }

            Assert.Equal(0u, Read(offset, 1));
        }

        Assert.Equal((0, 0), (_resets, _powerOffs));
        Assert.Equal((uint)PowerEvents.PowerButton, Read(PowerControl.EventsOffset, 4));
    }

    [Fact]
    public void The8042ResetsByItsCommandAlone()
    {
        int resets = 0;
        I8042Reset controller = new(() => resets++);
        for (int value = 0; value < 256; value++)
        {
            controller.Write(0, [(byte)value]);
        }

        Assert.Equal(1, resets);
    }

    [Fact]
    public void The8042IsNeverBusyAndNeverEmptied()
    {
        // kb_wait() of reboot=k goes on when bit 1 is clear; i8042_flush() gives up when bit 0 stays set.
        I8042Reset controller = new(() => { });
        byte[] status = new byte[1];
        controller.Read(0, status);
        Assert.Equal(0, status[0] & 0x02);
        Assert.Equal(0x01, status[0] & 0x01);
    }

    private uint Read(ulong offset, int length)
    {
        byte[] data = new byte[8];
        data.AsSpan().Fill(0xAA);
        _power.Read(offset, data.AsSpan(0, length));
        data.AsSpan(length).Clear();
        return BinaryPrimitives.ReadUInt32LittleEndian(data);
    }
}

/// <summary>An interrupt line that counts edges.</summary>
internal sealed class CountingLine : IInterruptLine
{
    public int Edges { get; set; }

    public void Trigger() => Edges++;
}

/// <summary>An interrupt line that knows whether it is asserted.</summary>
internal sealed class LevelLine : ILevelInterruptLine
{
    public bool IsAsserted { get; private set; }

    public void Set(bool asserted) => IsAsserted = asserted;
}
