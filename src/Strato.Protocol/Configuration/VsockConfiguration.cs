namespace Strato.Protocol.Configuration;

/// <summary>vhost-vsock: sockets between host and guest.</summary>
public sealed class VsockConfiguration : DeviceConfiguration
{
    /// <summary>0 to 2 have meanings of their own: the hypervisor, the machine itself, the host.</summary>
    public const long MinCid = 3;

    /// <summary>The last but VMADDR_CID_ANY.</summary>
    public const long MaxCid = uint.MaxValue - 1L;

    public override string Kind => "vsock";

    /// <remarks>Linux drives one.</remarks>
    public override int Limit => 1;

    /// <summary>The guest's address, which no other machine of the host has.</summary>
    public required long GuestCid { get; init; }

    public override void Check() => DeviceLimits.CheckRange(GuestCid, MinCid, MaxCid, WhereIs("guest-cid", "guest_cid"));
}
