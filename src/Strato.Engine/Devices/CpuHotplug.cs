using System;
using System.Buffers.Binary;
using System.Threading;
using Strato.Engine.Bus;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Devices;

/// <summary>CPUs that come and go, for a guest with ACPI: the ports that the DSDT's processor devices speak of.</summary>
/// <remarks>
/// <code>
/// offset width
///   +0    32   Reading takes an event: bits 0–7 a CPU's number, bits 8–15 what its device is notified of (ACPI 6.5, table 5.97:
///              <see cref="DeviceCheck"/>, <see cref="EjectRequest"/>); 0 for none. Writes do nothing.
///   +4    32   Writing selects a CPU; reading gives _STA of it (6.3.7): 0xF where it is there, else 0.
///   +8    32   Writing a CPU's number takes it out (_EJ0, 6.3.3); the guest runs nothing on it by then. Reads 0.
///  +12    32   Writing tells what became of an event (_OST, 6.3.5): bits 0–7 a CPU's number, 8–15 the event, 16–23 its status. Reads 0.
/// </code>
/// Only aligned accesses of 4 bytes count; others read 0 and do nothing. CPUs that were there at power-on stay, so their bits are never
/// touched. Of what was asked, the guest's first answer is passed on and no more: a guest that writes without end reaches nobody.
/// A guest that is booting may find a CPU by itself before it takes the event; Linux before 6.9 then answers the event with a failure,
/// for there is nothing left to do (acpi_scan_device_check: "Already enumerated"). That is a CPU taken, and told as such. It looks at _STA
/// once for that answer, and more than once where it has to scan, for what its first scan could not take.
/// </remarks>
internal sealed class CpuHotplug : IBusDevice
{
    /// <summary>Ports it takes.</summary>
    public const int Length = 16;

    public const int EventOffset = 0;
    public const int StatusOffset = 4;
    public const int EjectOffset = 8;
    public const int AnswerOffset = 12;

    /// <summary>A device may have come (5.6.6).</summary>
    public const uint DeviceCheck = 1;

    /// <summary>A device is asked to go (5.6.6).</summary>
    public const uint EjectRequest = 3;

    private const uint Working = 0xF;
    private const uint EjectInProgress = 0x84;

    private readonly Lock _lock = new();
    private readonly Slot[] _slots;
    private readonly int _fixed;
    private readonly Action _signal;
    private uint _selected;

    /// <param name="present">CPUs that are there at power-on, and stay.</param>
    /// <param name="count">CPUs that there can be, at most 256.</param>
    /// <param name="signal">Tells the guest that there are events.</param>
    public CpuHotplug(int present, int count, Action signal)
    {
        _slots = new Slot[count];
        _fixed = present;
        _signal = signal;
        _slots.AsSpan(0, present).Fill(new Slot { IsThere = true });
    }

    /// <summary>The guest has taken a CPU out. On a vCPU's thread.</summary>
    public Action<int> Ejected { get; set; } = _ => { };

    /// <summary>The guest has answered what it was asked: CPU, event, status (0 for done). On a vCPU's thread.</summary>
    public Action<int, uint, uint> Answered { get; set; } = (_, _, _) => { };

    /// <summary>Whether the guest sees a CPU. From any thread.</summary>
    public bool IsThere(int cpu)
    {
        lock (_lock)
        {
            return _slots[cpu].IsThere;
        }
    }

    /// <summary>Whether the guest was asked for a CPU and has neither answered nor given it up. From any thread.</summary>
    public bool IsAskedFor(int cpu)
    {
        lock (_lock)
        {
            return (_slots[cpu].Asked & (1u << (int)EjectRequest)) != 0;
        }
    }

    /// <summary>Shows the guest a CPU, which can run from now on, and tells it so.</summary>
    public void Insert(int cpu)
    {
        lock (_lock)
        {
            _slots[cpu].IsThere = true;
        }

        Ask(cpu, DeviceCheck);
    }

    /// <summary>Asks the guest to give up a CPU that came while it ran; it may refuse, or never answer. One that it has just given up isn't asked for.</summary>
    public void RequestRemoval(int cpu) => Ask(cpu, EjectRequest);

    /// <summary>Drops what the guest was asked: the machine is reset. CPUs stay as they are.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            foreach (ref Slot slot in _slots.AsSpan())
            {
                slot = new Slot { IsThere = slot.IsThere };
            }

            _selected = 0;
        }
    }

    public void Save(StateWriter state)
    {
        state.U32(_selected);
        state.U32((uint)_slots.Length);
        foreach (Slot slot in _slots)
        {
            state.Bool(slot.IsThere);
            state.U32(slot.Event);
            state.U32(slot.Asked);
            state.Bool(slot.IsFound);
            state.U32((uint)slot.Looks);
        }
    }

    /// <summary>Takes what <see cref="Save"/> wrote, of a machine with as many CPUs; before anything runs.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        _selected = state.U32();
        int count = state.Count(_slots.Length);
        if (count != _slots.Length)
        {
            throw state.Damaged($"it is of {count} CPUs, and there are {_slots.Length}");
        }

        for (int cpu = 0; cpu < count; cpu++)
        {
            _slots[cpu] = new Slot
            {
                IsThere = state.Bool(),
                Event = state.U32(),
                Asked = state.U32(),
                IsFound = state.Bool(),
                Looks = state.Count(int.MaxValue),
            };
            if (cpu < _fixed && !_slots[cpu].IsThere)
            {
                throw state.Damaged($"CPU {cpu}, which stays, isn't there");
            }
        }

        state.End();
    }

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        if (data.Length == sizeof(uint) && offset is EventOffset or StatusOffset)
        {
            uint value;
            lock (_lock)
            {
                value = offset == EventOffset ? TakeEvent() : Look();
            }

            BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (data.Length != sizeof(uint))
        {
            return;
        }

        uint value = BinaryPrimitives.ReadUInt32LittleEndian(data);
        switch (offset)
        {
            case StatusOffset:
                lock (_lock)
                {
                    _selected = value;
                }

                break;
            case EjectOffset when value < _slots.Length && Eject((int)value):
                Ejected((int)value);
                break;
            case AnswerOffset when (value & 0xFF) < _slots.Length:
                (int cpu, uint what, uint status) = ((int)(value & 0xFF), (value >> 8) & 0xFF, (value >> 16) & 0xFF);
                if (Answer(cpu, what, ref status))
                {
                    Answered(cpu, what, status);
                }

                break;
        }
    }

    private void Ask(int cpu, uint what)
    {
        lock (_lock)
        {
            ref Slot slot = ref _slots[cpu];
            if (!slot.IsThere)
            {
                return;
            }

            slot.Event = what;
            slot.Asked |= 1u << (int)what;
            slot.IsFound &= what != DeviceCheck;
        }

        _signal();
    }

    /// <summary>_STA of the selected CPU.</summary>
    private uint Look()
    {
        if (_selected >= _slots.Length || !_slots[_selected].IsThere)
        {
            return 0;
        }

        ref Slot slot = ref _slots[_selected];
        bool isNews = slot.Event == DeviceCheck;
        slot.IsFound |= isNews;
        slot.Looks = isNews ? 0 : slot.Looks + 1;
        return Working;
    }

    private uint TakeEvent()
    {
        for (int cpu = _fixed; cpu < _slots.Length; cpu++)
        {
            if (_slots[cpu].Event is var pending and not 0)
            {
                _slots[cpu].Event = 0;
                return (uint)cpu | (pending << 8);
            }
        }

        return 0;
    }

    private bool Eject(int cpu)
    {
        lock (_lock)
        {
            bool goes = cpu >= _fixed && _slots[cpu].IsThere;
            if (goes)
            {
                _slots[cpu] = default;
            }

            return goes;
        }
    }

    private bool Answer(int cpu, uint what, ref uint status)
    {
        lock (_lock)
        {
            bool counts = what is DeviceCheck or EjectRequest && (_slots[cpu].Asked & (1u << (int)what)) != 0 && status != EjectInProgress;
            if (counts)
            {
                _slots[cpu].Asked &= ~(1u << (int)what);
                status = what == DeviceCheck && _slots[cpu] is { IsFound: true, Looks: <= 1 } ? 0 : status;
            }

            return counts;
        }
    }

    private struct Slot
    {
        public bool IsThere;

        /// <summary>What the guest is to take; 0 for nothing.</summary>
        public uint Event;

        /// <summary>What the guest has not answered yet: a bit for each event.</summary>
        public uint Asked;

        /// <summary>Whether the guest saw that it has come before it took the event that says so.</summary>
        public bool IsFound;

        /// <summary>How often it has looked since it took the event.</summary>
        public int Looks;
    }
}
