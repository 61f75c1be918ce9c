namespace Strato.Protocol.Configuration;

/// <summary>virtio-balloon: memory that the guest gives back to the host, and takes again.</summary>
public sealed class BalloonConfiguration : DeviceConfiguration
{
    public override string Kind => "balloon";

    public override int Limit => 1;

    /// <summary>Whether a guest that runs out of memory takes back what it gave.</summary>
    public bool DeflateOnOom { get; init; }

    /// <summary>Whether the guest tells which of its pages are free, so that the host has them meanwhile.</summary>
    public bool FreePageReporting { get; init; }

    public override void Check()
    {
    }
}
