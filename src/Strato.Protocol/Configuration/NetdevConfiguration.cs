using System.Collections.Generic;

namespace Strato.Protocol.Configuration;

/// <summary>The host's side of a network interface.</summary>
public sealed class NetdevConfiguration
{
    private const int FirstDescriptor = 3;

    public NetdevKind Kind { get; init; }

    /// <summary>Of a tap: name of the host's interface; null when <see cref="Descriptor"/> is given.</summary>
    public string? Interface { get; init; }

    /// <summary>Number of an open descriptor of the tap, or of the connected socket; null when <see cref="Interface"/> or <see cref="SocketPath"/> is given.</summary>
    public long? Descriptor { get; init; }

    /// <summary>Of a stream: the unix socket to connect to.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Of user networking: the host's ports that lead to the guest.</summary>
    public IReadOnlyList<PortForward> Forwards { get; init; } = [];

    /// <summary>Option or path that named the interface, for errors.</summary>
    public string Where { get; init; } = "";

    /// <summary>What it is, for messages.</summary>
    public string Label => Kind == NetdevKind.User ? "user" : Interface ?? SocketPath ?? $"descriptor {Descriptor}";

    /// <exception cref="UserErrorException">InvalidOption: no end of a tap or socket, or two; OutOfRange.</exception>
    public void Check()
    {
        if (Kind != NetdevKind.User)
        {
            string? name = Kind == NetdevKind.Tap ? Interface : SocketPath;
            (string key, string fd, string what) = Kind == NetdevKind.Tap ? ("ifname", "fd", "a tap") : ("addr.path", "addr.str", "a stream");
            if ((name is null) == (Descriptor is null))
            {
                string given = name is null ? $"Neither '{key}' nor '{fd}' of {what} is given" : $"'{key}' and '{fd}' of {what} are both given";
                throw new UserErrorException("InvalidOption", $"{given}; give one.", Where);
            }
        }

        // 0 to 2 are the engine's own.
        DeviceLimits.CheckRange(Descriptor ?? FirstDescriptor, FirstDescriptor, int.MaxValue, Where);
    }
}
