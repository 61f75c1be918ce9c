namespace Strato.Protocol.Configuration;

/// <summary>The host's side of a network interface: a tap.</summary>
public sealed class NetdevConfiguration
{
    private const int FirstDescriptor = 3;

    /// <summary>Name of the host's interface; null when <see cref="Descriptor"/> is given.</summary>
    public string? Interface { get; init; }

    /// <summary>Number of an open descriptor of the tap; null when <see cref="Interface"/> is given.</summary>
    public long? Descriptor { get; init; }

    /// <summary>Option or path that named the interface, for errors.</summary>
    public string Where { get; init; } = "";

    /// <summary>What it is, for messages.</summary>
    public string Label => Interface ?? $"descriptor {Descriptor}";

    /// <exception cref="UserErrorException">InvalidOption: neither interface nor descriptor, or both; OutOfRange.</exception>
    public void Check()
    {
        if ((Interface is null) == (Descriptor is null))
        {
            string given = Interface is null ? "Neither 'ifname' nor 'fd' of a tap is given" : "'ifname' and 'fd' of a tap are both given";
            throw new UserErrorException("InvalidOption", $"{given}; give one.", Where);
        }

        // 0 to 2 are the engine's own.
        DeviceLimits.CheckRange(Descriptor ?? FirstDescriptor, FirstDescriptor, int.MaxValue, Where);
    }
}
