namespace Strato.Engine.Bus;

/// <summary>Turns guest writes to a device's registers into eventfd signals (ioeventfd), without an exit to the engine's bus.</summary>
internal interface IDoorbells
{
    /// <summary>From now on a 4-byte write of <paramref name="value"/> at <paramref name="offset"/> of the device's range signals <paramref name="eventFd"/>.</summary>
    void Attach(ulong offset, uint value, int eventFd);

    /// <summary>Ends what <see cref="Attach"/> began with the same arguments.</summary>
    void Detach(ulong offset, uint value, int eventFd);
}
