namespace Strato.Protocol.Configuration;

/// <summary>virtio-net: a network interface of the guest.</summary>
public sealed class NetConfiguration : DeviceConfiguration
{
    /// <summary>Interfaces of a microvm.</summary>
    public const int Maximum = 2;

    public override string Kind => "net";

    public override int Limit => Maximum;

    internal override string IdField => "iface_id";

    /// <summary>Where its frames go.</summary>
    public NetdevConfiguration Netdev { get; set; } = new();

    /// <summary>Its address, such as 52:54:00:12:34:56; null for one that follows from the machine's name.</summary>
    public string? Mac { get; set; }

    /// <summary>The address that the guest gets.</summary>
    /// <param name="machine">Name of the machine; null when it has none.</param>
    /// <param name="index">Which of the machine's interfaces this is, from 0.</param>
    public byte[] GetMac(string? machine, int index) =>
        Mac is not null ? MacAddress.Parse(Mac, WhereIs("mac", "mac")) : MacAddress.Generate(machine ?? $"{Netdev.Label}/{Name}", index);

    public override void Check()
    {
        Netdev.Check();
        if (Mac is not null)
        {
            _ = MacAddress.Parse(Mac, WhereIs("mac", "mac"));
        }
    }
}
