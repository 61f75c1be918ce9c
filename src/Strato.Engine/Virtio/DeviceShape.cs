using Strato.Protocol.Snapshots;

namespace Strato.Engine.Virtio;

/// <summary>What a snapshot says of a device before anything of it is restored: for an empty place, which is made as it was.</summary>
/// <param name="Features">Those that the driver took; 0 where it hasn't.</param>
/// <param name="Configuration">What the driver was told.</param>
/// <param name="Queues">How many.</param>
/// <param name="QueueSize">Entries of the first at most; 0 where there is none.</param>
internal sealed record DeviceShape(ulong Features, byte[] Configuration, int Queues, int QueueSize)
{
    private const int MostQueues = 128;

    /// <summary>Reads the beginning of what <see cref="MmioTransport.Save"/> wrote.</summary>
    /// <exception cref="Strato.Protocol.UserErrorException">SnapshotDamaged.</exception>
    public static DeviceShape Read(StateReader state)
    {
        // The transport's registers, then the handshake's (StatusMachine), then the device's kind.
        for (int register = 0; register < 4; register++)
        {
            _ = state.U32();
        }

        _ = state.U32();
        _ = state.U64();
        _ = state.Bool();
        _ = state.U32();
        ulong features = state.U64();
        _ = state.Bool();
        _ = state.Bool();
        _ = state.U32();
        byte[] configuration = state.Bytes().ToArray();
        int queues = state.Count(MostQueues);
        return new DeviceShape(features, configuration, queues, queues > 0 ? (int)uint.Min(state.U32(), int.MaxValue) : 0);
    }
}
