using Strato.Engine.Diagnostics;
using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>The handshake of driver and device (VIRTIO 1.2, 2.1 and 3.1.1), the same for every transport.</summary>
/// <remarks>
/// A driver goes 0 → ACKNOWLEDGE → DRIVER → FEATURES_OK → DRIVER_OK, never back but by a reset; it may say FAILED at
/// any time. Several steps in one write are taken one after the other. What breaks the order has no effect and is
/// logged. Called under the transport's lock.
/// </remarks>
internal sealed class StatusMachine(RateLimit log)
{
    private const string Room = "virtio";
    private const VirtioStatus Progress =
        VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk;

    private VirtioStatus _said;
    private ulong _driverFeatures;
    private bool _impossibleFeature;

    /// <summary>The device whose driver it is; another may come in its place.</summary>
    public required VirtioDevice Device { get; set; }

    /// <summary>What the driver reads.</summary>
    public VirtioStatus Value => _said | (Device.NeedsReset ? VirtioStatus.NeedsReset : VirtioStatus.None);

    /// <summary>Whether queues may be set up: features are settled, and the driver isn't running yet.</summary>
    public bool QueuesOpen => (_said & (Progress | VirtioStatus.Failed)) == (Progress & ~VirtioStatus.DriverOk);

    /// <summary>Takes 32 of the driver's feature bits; <paramref name="word"/> 0 for bits 0 to 31.</summary>
    public void WriteFeatures(uint word, uint bits)
    {
        if ((_said & VirtioStatus.FeaturesOk) != 0)
        {
            log.Warn(Room, () => $"{Device.Id}: features were written after FEATURES_OK; ignored");
            return;
        }

        switch (word)
        {
            case 0:
                _driverFeatures = (_driverFeatures & ~(ulong)uint.MaxValue) | bits;
                break;
            case 1:
                _driverFeatures = (_driverFeatures & uint.MaxValue) | ((ulong)bits << 32);
                break;
            default:
                _impossibleFeature |= bits != 0;
                break;
        }
    }

    /// <summary>The driver writes the status register.</summary>
    public void Write(uint value)
    {
        if (value == 0)
        {
            Reset();
            return;
        }

        // NEEDS_RESET is the device's: a driver that writes back what it read neither sets nor clears it.
        VirtioStatus wanted = (VirtioStatus)(value & 0xff) & ~VirtioStatus.NeedsReset;
        VirtioStatus added = wanted & ~_said;
        if (value > 0xff || (wanted & ~(Progress | VirtioStatus.Failed)) != 0 || (_said & ~wanted) != 0
            || !IsInOrder(wanted) || ((_said & VirtioStatus.Failed) != 0 && added != 0))
        {
            log.Warn(Room, () => $"{Device.Id}: status can't go from 0x{(uint)_said:x} to 0x{value:x}; ignored");
            return;
        }

        if ((added & VirtioStatus.FeaturesOk) != 0 && (_impossibleFeature || !Device.TryAccept(_driverFeatures)))
        {
            // 3.1.1 step 6: the driver reads the bit back, finds it clear, and knows.
            log.Warn(Room, () => $"{Device.Id}: features 0x{_driverFeatures:x} of the driver don't fit 0x{Device.OfferedFeatures:x} that are offered");
            added &= ~(VirtioStatus.FeaturesOk | VirtioStatus.DriverOk);
        }

        _said |= added;
        if ((added & VirtioStatus.DriverOk) != 0)
        {
            Device.Start();
        }

        if ((added & VirtioStatus.Failed) != 0)
        {
            Device.Stop();
        }
    }

    /// <summary>Device and handshake back to power-on.</summary>
    public void Reset()
    {
        Device.Reset();
        _said = VirtioStatus.None;
        _driverFeatures = 0;
        _impossibleFeature = false;
    }

    public void Save(StateWriter state)
    {
        state.U32((uint)_said);
        state.U64(_driverFeatures);
        state.Bool(_impossibleFeature);
    }

    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public void Restore(StateReader state)
    {
        uint said = state.U32();
        _said = (VirtioStatus)said;
        if ((_said & ~(Progress | VirtioStatus.Failed)) != 0 || !IsInOrder(_said))
        {
            throw state.Damaged($"the status 0x{said:x} can't be");
        }

        _driverFeatures = state.U64();
        _impossibleFeature = state.Bool();
    }

    private static bool IsInOrder(VirtioStatus wanted) => (wanted & Progress) switch
    {
        VirtioStatus.None => true,
        VirtioStatus.Acknowledge => true,
        VirtioStatus.Acknowledge | VirtioStatus.Driver => true,
        Progress & ~VirtioStatus.DriverOk => true,
        Progress => true,
        _ => false,
    };
}
