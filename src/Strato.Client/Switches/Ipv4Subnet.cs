using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Strato.Client.Switches;

/// <summary>A network of IPv4.</summary>
/// <param name="Network">Its first address.</param>
/// <param name="Prefix">Bits that are the network's.</param>
internal readonly record struct Ipv4Subnet(uint Network, int Prefix)
{
    /// <summary>Room for the host, and for four guests at least.</summary>
    private const int LongestPrefix = 29;

    private const int ShortestPrefix = 16;

    internal IPAddress HostAddress => Address(Network + 1);

    internal IPAddress Broadcast => Address(Last);

    internal IPAddress Netmask => Address(Mask(Prefix));

    /// <summary>Addresses are given out of the upper half; those of the lower one are for guests that have theirs written down.</summary>
    internal IPAddress FirstLease => Address(Network + ((Last - Network + 1) / 2));

    internal IPAddress LastLease => Address(Last - 1);

    private uint Last => Network | ~Mask(Prefix);

    /// <summary>Reads such as 192.168.100.0/24. Errors <c>InvalidSubnet</c>.</summary>
    internal static Ipv4Subnet Parse(string text)
    {
        string[] parts = text.Split('/');
        if (parts.Length != 2
            || !IPAddress.TryParse(parts[0], out IPAddress? address) || address.AddressFamily != AddressFamily.InterNetwork || parts[0].Split('.').Length != 4
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int prefix) || prefix > 32)
        {
            throw Invalid($"'{text}' isn't an IPv4 network, such as 192.168.100.0/24.");
        }

        if (prefix is < ShortestPrefix or > LongestPrefix)
        {
            throw Invalid($"The network '{text}' has a prefix of {prefix} bits; allowed: {ShortestPrefix} to {LongestPrefix}.");
        }

        Ipv4Subnet subnet = Of(address, prefix);
        if (!subnet.Network.Equals(Number(address)))
        {
            throw Invalid($"'{text}' isn't the first address of its network; that is {subnet}.");
        }

        return (subnet.Network >> 24) is > 0 and not 127 and < 224 && (subnet.Network >> 16) != 0xa9fe
            ? subnet
            : throw Invalid($"The network '{text}' has no addresses for hosts; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.");
    }

    /// <summary>The network that an address is in.</summary>
    internal static Ipv4Subnet Of(IPAddress address, int prefix) => new(Number(address) & Mask(prefix), prefix);

    internal bool Overlaps(Ipv4Subnet other)
    {
        uint mask = Mask(Math.Min(Prefix, other.Prefix));
        return (Network & mask) == (other.Network & mask);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address(Network)}/{Prefix}");

    private static uint Mask(int prefix) => prefix == 0 ? 0 : uint.MaxValue << (32 - prefix);

    private static uint Number(IPAddress address) => BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static IPAddress Address(uint number)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }

    private static StratoException Invalid(string message) => new(StratoErrorKind.InvalidArgument, "InvalidSubnet", message) { Where = "-Subnet" };
}
