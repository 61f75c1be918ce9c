using System;
using System.Buffers.Binary;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Devices;

/// <summary>What a <see cref="PowerControl"/> tells the guest by the generic event device (GED, ACPI 6.5, 5.6.9).</summary>
[Flags]
internal enum PowerEvents : uint
{
    None = 0,

    /// <summary>The power button was pressed (system_powerdown).</summary>
    PowerButton = 1 << 0,

    /// <summary><see cref="Devices.CpuHotplug"/> has events.</summary>
    CpuHotplug = 1 << 1,

    /// <summary>The machine's generation id has changed: it was restored from a snapshot.</summary>
    Generation = 1 << 2,

    All = PowerButton | CpuHotplug | Generation,
}

/// <summary>Power-off, reset and events for a guest with ACPI: the ports that the FADT and the DSDT speak of.</summary>
/// <remarks>
/// <code>
/// offset width
///   +0    8   RESET_REG (FADT). Writing <see cref="ResetValue"/> resets the machine; other values do nothing. Reads 0.
///   +1    8   SLEEP_CONTROL_REG (ACPI 6.5, 4.8.3.7): bits 2–4 SLP_TYP, bit 5 SLP_EN. SLP_EN with SLP_TYP
///             <see cref="SleepTypeS5"/> powers off; other writes do nothing. Reads 0.
///   +2    8   SLEEP_STATUS_REG: bit 7 WAK_STS, cleared by writing 1. Nothing ever wakes: reads 0, writes do nothing.
///   +4   32   Events pending (<see cref="PowerEvents"/>). Reading takes them: all bits are cleared by the read. Writes do
///             nothing. Only a 4-byte read at +4 takes events; narrower or misaligned reads give 0 and take none.
///   +8 … +15  nothing; reads 0.
/// </code>
/// The GED's line is asserted as long as events are pending: a guest whose driver for the GED comes up later, when the interrupt is
/// masked still, finds it then. An edge would be lost.
/// </remarks>
internal sealed class PowerControl(ILevelInterruptLine eventLine, Action powerOff, Action reset) : IBusDevice
{
    /// <summary>Ports it takes.</summary>
    public const int Length = 16;

    /// <summary>Offset of RESET_REG.</summary>
    public const int ResetOffset = 0;

    /// <summary>What resets the machine when written to RESET_REG.</summary>
    public const byte ResetValue = 0x01;

    /// <summary>Offset of SLEEP_CONTROL_REG.</summary>
    public const int SleepControlOffset = 1;

    /// <summary>SLP_TYP of S5 in the DSDT's <c>_S5_</c>.</summary>
    public const byte SleepTypeS5 = 5;

    /// <summary>SLP_EN and SLP_TYP: the bits of SLEEP_CONTROL_REG that count.</summary>
    public const byte SleepMask = 0x3C;

    /// <summary>SLP_EN with SLP_TYP S5.</summary>
    public const byte PowerOffValue = 0x20 | (SleepTypeS5 << 2);

    /// <summary>Offset of SLEEP_STATUS_REG.</summary>
    public const int SleepStatusOffset = 2;

    /// <summary>Offset of the 32-bit register of pending events.</summary>
    public const int EventsOffset = 4;

    // Around the events and the line, so that the line says what the events are.
    private readonly Lock _lock = new();
    private PowerEvents _events;

    /// <summary>Makes an event pending and interrupts the guest, until it takes it. From any thread.</summary>
    public void Raise(PowerEvents events)
    {
        lock (_lock)
        {
            _events |= events;
            eventLine.Set(true);
        }
    }

    /// <summary>Drops events that the guest has not taken: the machine is reset.</summary>
    public void Reset() => _ = Take();

    public void Save(StateWriter state) => state.U32((uint)_events);

    /// <summary>Takes what <see cref="Save"/> wrote; before anything runs.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        PowerEvents events = (PowerEvents)state.U32();
        state.End();
        if ((events & ~PowerEvents.All) != 0)
        {
            throw state.Damaged($"the events 0x{(uint)events:x} can't be");
        }

        // The line isn't part of what the interrupt controllers keep.
        if (events != PowerEvents.None)
        {
            Raise(events);
        }
    }

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        if (offset == EventsOffset && data.Length == sizeof(uint))
        {
            BinaryPrimitives.WriteUInt32LittleEndian(data, (uint)Take());
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        // The registers are a byte wide: a wider write is one to each in turn, as on any such device.
        for (int i = 0; i < data.Length; i++)
        {
            switch ((int)offset + i)
            {
                case ResetOffset when data[i] == ResetValue:
                    reset();
                    return;
                case SleepControlOffset when (data[i] & SleepMask) == PowerOffValue:
                    powerOff();
                    return;
            }
        }
    }

    private PowerEvents Take()
    {
        lock (_lock)
        {
            PowerEvents taken = _events;
            _events = PowerEvents.None;
            if (taken != PowerEvents.None)
            {
                eventLine.Set(false);
            }

            return taken;
        }
    }
}
