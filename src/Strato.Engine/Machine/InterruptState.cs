using System;
using Strato.Engine.Kvm;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Machine;

/// <summary>The interrupt controllers and the timer that all vCPUs share.</summary>
internal sealed class InterruptState
{
    private readonly KvmIrqchip[] _irqchips = new KvmIrqchip[KvmVm.IrqchipCount];
    private KvmPit _pit;

    private InterruptState()
    {
    }

    /// <exception cref="Linux.LinuxException">The host refuses.</exception>
    public static InterruptState Read(KvmVm vm)
    {
        InterruptState state = new();
        for (uint chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            vm.GetIrqchip(chip, out state._irqchips[chip]);
        }

        vm.GetPit(out state._pit);
        return state;
    }

    /// <exception cref="Protocol.UserErrorException">SnapshotDamaged.</exception>
    public static InterruptState Parse(StateReader reader)
    {
        InterruptState state = new();
        for (uint chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            state._irqchips[chip] = reader.Struct<KvmIrqchip>();
            if (state._irqchips[chip].ChipId != chip)
            {
                throw reader.Damaged($"chip {state._irqchips[chip].ChipId} stands in the place of chip {chip}");
            }
        }

        state._pit = reader.Struct<KvmPit>();
        return state;
    }

    public void Write(StateWriter writer)
    {
        foreach (ref readonly KvmIrqchip chip in _irqchips.AsSpan())
        {
            writer.Struct(chip);
        }

        writer.Struct(_pit);
    }

    /// <summary>Sets them. With all vCPUs parked.</summary>
    /// <exception cref="Linux.LinuxException">The host refuses.</exception>
    public void ApplyTo(KvmVm vm)
    {
        for (int chip = 0; chip < KvmVm.IrqchipCount; chip++)
        {
            vm.SetIrqchip(ref _irqchips[chip]);
        }

        vm.SetPit(ref _pit);
    }
}
